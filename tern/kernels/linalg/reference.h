// SPDX-License-Identifier: MIT
// linalg.h, slow and obvious.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "tern/kernels/linalg/linalg.h"

namespace tern::kernels::reference {

template <typename T>
void DirectProduct(StridedMatrix<T> a, const T* b, int64_t b_stride, T* out, int64_t out_stride,
                   int64_t m, int64_t n, int64_t k, T alpha, bool accumulate) noexcept {
  for (int64_t i = 0; i < m; ++i) {
    T* const row = out + i * out_stride;
    if (!accumulate) std::fill_n(row, n, T(0));
    for (int64_t t = 0; t < k; ++t) {
      const T x = alpha * a.data[i * a.row_stride + t * a.column_stride];
      for (int64_t j = 0; j < n; ++j) row[j] += x * b[t * b_stride + j];
    }
  }
}

template <typename T>
void ScaledProduct(StridedMatrix<T> a, StridedMatrix<T> b, T* out, int64_t out_stride, int64_t m,
                   int64_t n, int64_t k, T alpha, bool accumulate, T* /*workspace*/) noexcept {
  for (int64_t i = 0; i < m; ++i) {
    T* const row = out + i * out_stride;
    if (!accumulate) std::fill_n(row, n, T(0));
    for (int64_t t = 0; t < k; ++t) {
      const T x = alpha * a.data[i * a.row_stride + t * a.column_stride];
      for (int64_t j = 0; j < n; ++j) row[j] += x * b.data[t * b.row_stride + j * b.column_stride];
    }
  }
}

template <typename T>
void GramSchmidt(T* w, int64_t w_stride, int64_t m, int64_t count, T* r, int64_t r_stride,
                 T* /*workspace*/) noexcept {
  for (int64_t j = 0; j < count; ++j) {
    T square = 0;
    for (int64_t i = 0; i < m; ++i) square += w[i * w_stride + j] * w[i * w_stride + j];
    const T norm = square < std::numeric_limits<T>::min() ? T(0) : std::sqrt(square);
    const T inverse = norm > 0 ? 1 / norm : T(0);
    r[j * r_stride + j] = norm;
    for (int64_t i = 0; i < m; ++i) w[i * w_stride + j] *= inverse;
    for (int64_t k = j + 1; k < count; ++k) {
      T dot = 0;
      for (int64_t i = 0; i < m; ++i) dot += w[i * w_stride + j] * w[i * w_stride + k];
      r[j * r_stride + k] = dot;
      for (int64_t i = 0; i < m; ++i) w[i * w_stride + k] -= dot * w[i * w_stride + j];
    }
  }
}

template <typename T>
int64_t CholeskyBlock(T* a, int64_t stride, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    T* const row = a + i * stride;
    if (!(row[i] > 0)) return i;
    const T root = std::sqrt(row[i]);
    for (int64_t j = i; j < n; ++j) row[j] /= root;
    for (int64_t k = i + 1; k < n; ++k) {
      for (int64_t j = k; j < n; ++j) a[k * stride + j] -= row[k] * row[j];
    }
  }
  return n;
}

template <typename T>
bool SmallCholesky(const T* a, int64_t a_stride, T tolerance, T* l, int64_t l_stride,
                   int64_t n) noexcept {
  T roots[kSmallCholesky];
  for (int64_t i = 0; i < n; ++i) roots[i] = std::sqrt(std::abs(a[i * a_stride + i]) * tolerance);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      const T x = a[j * a_stride + i];
      if (!(std::abs(x - a[i * a_stride + j]) <= roots[i] * roots[j])) return false;
      T rest = x;
      for (int64_t k = 0; k < j; ++k) rest -= l[i * l_stride + k] * l[j * l_stride + k];
      if (i == j && !(rest > 0)) return false;
      l[i * l_stride + j] = i == j ? std::sqrt(rest) : rest / l[j * l_stride + j];
    }
    std::fill(l + i * l_stride + i + 1, l + i * l_stride + n, T(0));
  }
  return true;
}

template <typename T>
void SolveBlock(StridedMatrix<T> t, bool unit, T* x, int64_t x_stride, int64_t n,
                int64_t width) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    T* const row = x + i * x_stride;
    const T* const factors = t.data + i * t.row_stride;
    for (int64_t k = 0; k < i; ++k) {
      for (int64_t j = 0; j < width; ++j)
        row[j] -= factors[k * t.column_stride] * x[k * x_stride + j];
    }
    for (int64_t j = 0; j < width && !unit; ++j) row[j] /= factors[i * t.column_stride];
  }
}

template <typename T>
void Transpose(const T* in, int64_t in_stride, T* out, int64_t out_stride, int64_t rows,
               int64_t columns) noexcept {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) out[j * out_stride + i] = in[i * in_stride + j];
  }
}

template <typename T>
bool FiniteElements(const T* x, int64_t n) noexcept {
  return std::all_of(x, x + n, [](T value) { return std::isfinite(value); });
}

template <typename T>
bool AllClose(const T* x, const T* y, T bound, const T* bounds, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    if (!(std::abs(x[i] - y[i]) <= bound * bounds[i])) return false;
  }
  return true;
}

template <typename T>
constexpr LinalgKernels<T> kLinalg = {
    .product = ScaledProduct<T>,
    .direct_product = DirectProduct<T>,
    .gram_schmidt = GramSchmidt<T>,
    .cholesky = CholeskyBlock<T>,
    .small_cholesky = SmallCholesky<T>,
    .solve = SolveBlock<T>,
    .transpose = Transpose<T>,
    .all_finite = FiniteElements<T>,
    .all_close = AllClose<T>,
};

}  // namespace tern::kernels::reference
