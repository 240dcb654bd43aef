// SPDX-License-Identifier: MIT
// Kernels of the singular value decomposition, for f32 and f64: products of a matrix and a vector,
// plane rotations, the sums of the secular equation, the fast Walsh-Hadamard transform. They fuse
// multiplies and adds where the target can: bits depend on the target and the arguments alone.
//
// Unless said otherwise, n counts elements of contiguous rows and is a multiple of kSvdPad: whoever
// calls pads rows, with zeros where it matters. Nothing here reads or writes past them.
#pragma once

#include <cstdint>

namespace tern::kernels {

inline constexpr int64_t kSvdPad = 16;

// Sums over the poles d[0] < d[1] < ... of a secular equation 1 + sum z[j]^2 / (d[j]^2 - x) = 0.
template <typename T>
struct SecularSums {
  T below, below_slope;  // over j <= split, and its derivative by x
  T above, above_slope;  // over j > split
};

// The secular equation's poles, squared weights z[j]^2, and how many; padded with d > 0 and z 0.
template <typename T>
struct SecularPoles {
  const T* d;
  const T* z_squared;
  int64_t n;
};

template <typename T>
struct SvdKernels {
  T (*dot)(const T* x, const T* y, int64_t n) noexcept;
  // y[j] += sum over i of x[i] a[i, j], i < rows.
  void (*left_product)(const T* x, const T* a, int64_t stride, int64_t rows, T* y,
                       int64_t n) noexcept;
  // y[i] = sum over j of a[i, j] x[j], i < rows.
  void (*right_product)(const T* a, int64_t stride, int64_t rows, const T* x, T* y,
                        int64_t n) noexcept;
  // For g = 0, 1, ... count - 1 in order: rows g and g + 1 become c[g] x + s[g] y and
  // c[g] y - s[g] x. The stride may be negative.
  void (*rotate_rows)(T* a, int64_t stride, const T* c, const T* s, int64_t count,
                      int64_t n) noexcept;
  // At x = (origin + offset)^2, with d[j]^2 - x taken as ((d[j] - origin) - offset) times
  // (d[j] + origin + offset): exact to rounding where origin is the nearest pole.
  SecularSums<T> (*secular_sums)(const SecularPoles<T>& poles, int64_t split, T origin,
                                 T offset) noexcept;
  // y[j] = d[j]^2 - x, the same way.
  void (*secular_differences)(const T* d, T origin, T offset, T* y, int64_t n) noexcept;
  // y[i] *= differences[i] / (d[i]^2 - pole^2)
  void (*secular_weights)(const T* differences, const T* d, T pole, T* y, int64_t n) noexcept;
  // v[j] = z[j] / v[j] and u[j] = d[j] v[j], u[0] = -1; both then divided by their norms. Any n.
  void (*secular_vectors)(const T* d, const T* z, T* u, T* v, int64_t n) noexcept;
  // x = scale H x, H the n x n Hadamard matrix of +-1 in natural (Sylvester) order; n = 2^k.
  void (*hadamard)(T* x, T scale, int64_t n) noexcept;
};

}  // namespace tern::kernels
