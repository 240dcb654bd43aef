// SPDX-License-Identifier: MIT
// Kernels of dense linear algebra, for f32 and f64: products that blocked factorizations are made
// of, and the small factorizations at their base. They fuse multiplies and adds where the target
// can: bits depend on the target and the shape of the call, and on nothing else.
#pragma once

#include <cstdint>

#include "tern/kernels/gemm/gemm.h"

namespace tern::kernels {

// Columns of a call of `gram_schmidt`.
inline constexpr int64_t kGramSchmidtColumns = 8;

// The greatest side of a matrix for `cholesky`, and for `small_cholesky`.
inline constexpr int64_t kCholeskySide = 64;
inline constexpr int64_t kSmallCholesky = 32;

template <typename T>
struct LinalgKernels {
  // out[m, n] = alpha a[m, k] b[k, n], added to out if `accumulate`; m and n at most
  // kMaxProductExtent. Rows of out contiguous; workspace of kProductWorkspace elements, aligned to
  // 64 bytes. Copies a and b into panels first.
  void (*product)(StridedMatrix<T> a, StridedMatrix<T> b, T* out, int64_t out_stride, int64_t m,
                  int64_t n, int64_t k, T alpha, bool accumulate, T* workspace) noexcept;
  // The same for any m and n without copies, for matrices that fit a cache; rows of b contiguous.
  void (*direct_product)(StridedMatrix<T> a, const T* b, int64_t b_stride, T* out,
                         int64_t out_stride, int64_t m, int64_t n, int64_t k, T alpha,
                         bool accumulate) noexcept;
  // Modified Gram-Schmidt on the first `count` <= kGramSchmidtColumns columns of w [m, ...]: w = q
  // r with unit columns q, which take w's place; the upper triangle of r [count, count] is written.
  // A column whose square of the norm is below the least normal number becomes zeros with zeros in
  // r. Workspace of kGramSchmidtColumns * (m + 16) elements, aligned to 64 bytes.
  void (*gram_schmidt)(T* w, int64_t w_stride, int64_t m, int64_t count, T* r, int64_t r_stride,
                       T* workspace) noexcept;
  // r^T r = a for the upper triangle of a positive definite a [n, n], n <= kCholeskySide, in its
  // place; what is below the diagonal is undefined afterwards. Returns n, or the least i for which
  // the leading minor of order i + 1 is not positive. Rows aligned to 64 bytes and padded to a
  // multiple of 16 elements, which are read and written too.
  int64_t (*cholesky)(T* a, int64_t stride, int64_t n) noexcept;
  // l l^T = a for a whole matrix a [n, n], n <= kSmallCholesky, with zeros above l's diagonal.
  // Returns whether a is finite, symmetric, |a_ij - a_ji| <= tolerance sqrt(a_ii a_jj), and
  // positive definite; if not, l is undefined. Any alignment; l must not overlap a.
  bool (*small_cholesky)(const T* a, int64_t a_stride, T tolerance, T* l, int64_t l_stride,
                         int64_t n) noexcept;
  // x [n, width] = t^-1 x by forward substitution; t (n x n) is read on and below its diagonal, or
  // below it alone if that is `unit`. Strides may be negative: an upper triangle is a lower one
  // from its other end. Rows of x aligned to 64 bytes, width a multiple of 16.
  void (*solve)(StridedMatrix<T> t, bool unit, T* x, int64_t x_stride, int64_t n,
                int64_t width) noexcept;
  // out [columns, rows] = in [rows, columns]^T, rows contiguous; they must not overlap.
  void (*transpose)(const T* in, int64_t in_stride, T* out, int64_t out_stride, int64_t rows,
                    int64_t columns) noexcept;
  // Whether none of n elements is NaN or infinity.
  bool (*all_finite)(const T* x, int64_t n) noexcept;
  // Whether |x[i] - y[i]| <= bound * bounds[i] for all i < n.
  bool (*all_close)(const T* x, const T* y, T bound, const T* bounds, int64_t n) noexcept;
};

}  // namespace tern::kernels
