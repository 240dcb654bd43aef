// SPDX-License-Identifier: MIT
// svd.h, slow and obvious. What is elementwise is compiled for every target from here.
#pragma once

#include <algorithm>
#include <cmath>

#include "tern/kernels/svd/svd.h"

namespace tern::kernels::reference {

template <typename T>
T Dot(const T* x, const T* y, int64_t n) noexcept {
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

template <typename T>
void LeftProduct(const T* x, const T* a, int64_t stride, int64_t rows, T* y, int64_t n) noexcept {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < n; ++j) y[j] += x[i] * a[i * stride + j];
  }
}

template <typename T>
void RightProduct(const T* a, int64_t stride, int64_t rows, const T* x, T* y, int64_t n) noexcept {
  for (int64_t i = 0; i < rows; ++i) y[i] = Dot(a + i * stride, x, n);
}

template <typename T>
void RotateRows(T* a, int64_t stride, const T* c, const T* s, int64_t count, int64_t n) noexcept {
  for (int64_t g = 0; g < count; ++g) {
    T* const x = a + g * stride;
    T* const y = x + stride;
    for (int64_t j = 0; j < n; ++j) {
      const T rotated = c[g] * x[j] + s[g] * y[j];
      y[j] = c[g] * y[j] - s[g] * x[j];
      x[j] = rotated;
    }
  }
}

template <typename T>
SecularSums<T> SumSecular(const SecularPoles<T>& poles, int64_t split, T origin,
                          T offset) noexcept {
  SecularSums<T> sums = {};
  for (int64_t j = 0; j < poles.n; ++j) {
    const T inverse = 1 / (((poles.d[j] - origin) - offset) * (poles.d[j] + origin + offset));
    const T term = poles.z_squared[j] * inverse;
    (j <= split ? sums.below : sums.above) += term;
    (j <= split ? sums.below_slope : sums.above_slope) += term * inverse;
  }
  return sums;
}

template <typename T>
[[gnu::always_inline]] inline void SecularDifferences(const T* __restrict d, T origin, T offset,
                                                      T* __restrict y, int64_t n) noexcept {
  for (int64_t j = 0; j < n; ++j) y[j] = ((d[j] - origin) - offset) * (d[j] + origin + offset);
}

template <typename T>
[[gnu::always_inline]] inline void SecularWeights(const T* __restrict differences,
                                                  const T* __restrict d, T pole, T* __restrict y,
                                                  int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] *= differences[i] / ((d[i] - pole) * (d[i] + pole));
}

// Sums of squares run in 16 lanes, so that they vectorize.
template <typename T>
[[gnu::always_inline]] inline T SumOfSquares(const T* __restrict x, int64_t n) noexcept {
  T lanes[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int64_t l = 0; l < 16; ++l) lanes[l] += x[i + l] * x[i + l];
  }
  T sum = 0;
  for (; i < n; ++i) sum += x[i] * x[i];
  for (T lane : lanes) sum += lane;
  return sum;
}

template <typename T>
[[gnu::always_inline]] inline void SecularVectors(const T* __restrict d, const T* __restrict z,
                                                  T* __restrict u, T* __restrict v,
                                                  int64_t n) noexcept {
  T greatest = 0;
  for (int64_t j = 0; j < n; ++j) {
    v[j] = z[j] / v[j];
    u[j] = d[j] * v[j];
    greatest = std::abs(v[j]) > greatest ? std::abs(v[j]) : greatest;
  }
  u[0] = -1;
  // Beside a pole, v[j] is so great that f32 cannot hold its square. (u[j] is not: d[0] is 0, and
  // other poles are far from 0.)
  const T v_inverse = 1 / greatest;
  for (int64_t j = 0; j < n; ++j) v[j] *= v_inverse;
  const T u_scale = 1 / std::sqrt(SumOfSquares(u, n));
  const T v_scale = 1 / std::sqrt(SumOfSquares(v, n));
  for (int64_t j = 0; j < n; ++j) {
    u[j] *= u_scale;
    v[j] *= v_scale;
  }
}

// Two steps at a time while four rows are left to combine. Scaled first: nothing on the way then
// overflows where the norm of the result does not.
template <typename T>
[[gnu::always_inline]] inline void Hadamard(T* __restrict x, T scale, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) x[i] *= scale;
  int64_t half = 1;
  for (; 4 * half <= n; half *= 4) {
    for (int64_t first = 0; first < n; first += 4 * half) {
      T* __restrict const y = x + first;
      for (int64_t i = 0; i < half; ++i) {
        const T a = y[i] + y[i + half], b = y[i] - y[i + half];
        const T c = y[i + 2 * half] + y[i + 3 * half], e = y[i + 2 * half] - y[i + 3 * half];
        y[i] = a + c;
        y[i + half] = b + e;
        y[i + 2 * half] = a - c;
        y[i + 3 * half] = b - e;
      }
    }
  }
  if (half < n) {
    for (int64_t i = 0; i < half; ++i) {
      const T a = x[i];
      x[i] = a + x[i + half];
      x[i + half] = a - x[i + half];
    }
  }
}

template <typename T>
inline constexpr SvdKernels<T> kSvd = {
    .dot = Dot<T>,
    .left_product = LeftProduct<T>,
    .right_product = RightProduct<T>,
    .rotate_rows = RotateRows<T>,
    .secular_sums = SumSecular<T>,
    .secular_differences = SecularDifferences<T>,
    .secular_weights = SecularWeights<T>,
    .secular_vectors = SecularVectors<T>,
    .hadamard = Hadamard<T>,
};

}  // namespace tern::kernels::reference
