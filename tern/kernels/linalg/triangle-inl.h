// SPDX-License-Identifier: MIT
// Cholesky's factor of a small block and forward substitution, for vector targets. Both go in
// groups of four rows, so that a row that is read serves four.
#pragma once

#include <algorithm>
#include <cmath>

#include "tern/kernels/gemm/product-inl.h"

TERN_BEGIN_TARGET

constexpr int kGroup = 4;

// The triangle of a group of kRows rows with the reciprocals of its diagonal.
template <int kRows, typename T>
struct GroupTriangle {
  T r[kRows][kRows];
  T inverse[kRows];
};

// r^T r of the kRows x kRows block at a. Returns kRows, or the row whose pivot is not positive. The
// pivots are found as in L D L^T, so that no square root lies on the way from one to the next.
template <int kRows, typename T>
HWY_INLINE int FactorGroup(const T* a, int64_t stride, GroupTriangle<kRows, T>* out) {
  T quotient[kRows][kRows];  // a row over its pivot
  for (int i = 0; i < kRows; ++i) {
    for (int j = i; j < kRows; ++j) {
      T rest = a[i * stride + j];
      for (int k = 0; k < i; ++k) rest -= quotient[k][i] * out->r[k][j];
      out->r[i][j] = rest;
    }
    if (!(out->r[i][i] > 0)) return i;
    const T inverse = 1 / out->r[i][i];
    for (int j = i + 1; j < kRows; ++j) quotient[i][j] = out->r[i][j] * inverse;
  }
  for (int i = 0; i < kRows; ++i) {
    out->r[i][i] = std::sqrt(out->r[i][i]);
    out->inverse[i] = 1 / out->r[i][i];
    for (int j = i + 1; j < kRows; ++j) out->r[i][j] *= out->inverse[i];
  }
  return kRows;
}

// rows = triangle^-T rows, from column `begin` (aligned) to `end`.
template <int kRows, typename T>
HWY_INLINE void SolveGroup(const GroupTriangle<kRows, T>& triangle, T* rows, int64_t stride,
                           int64_t begin, int64_t end) {
  const TagOf<T> d;
  for (int64_t j = begin; j < end; j += kLanesOf<T>) {
    VecOf<T> x[kRows];
    TERN_UNROLL
    for (int i = 0; i < kRows; ++i) {
      x[i] = hn::Load(d, rows + i * stride + j);
      TERN_UNROLL
      for (int k = 0; k < i; ++k) x[i] = hn::NegMulAdd(hn::Set(d, triangle.r[k][i]), x[k], x[i]);
      x[i] = hn::Mul(x[i], hn::Set(d, triangle.inverse[i]));
      hn::Store(x[i], d, rows + i * stride + j);
    }
  }
}

// out[kRows] -= (columns first_column ... of the group's rows)^T times the group's rows.
template <int kRows, typename T>
HWY_INLINE void UpdateRows(const T* group, int64_t stride, int64_t first_column, T* out,
                           int64_t end) {
  const TagOf<T> d;
  VecOf<T> factor[kRows][kGroup];
  TERN_UNROLL
  for (int i = 0; i < kRows; ++i) {
    TERN_UNROLL
    for (int k = 0; k < kGroup; ++k) {
      factor[i][k] = hn::Set(d, group[k * stride + first_column + i]);
    }
  }
  for (int64_t j = first_column / kLanesOf<T> * kLanesOf<T>; j < end; j += kLanesOf<T>) {
    VecOf<T> x[kGroup];
    TERN_UNROLL
    for (int k = 0; k < kGroup; ++k) x[k] = hn::Load(d, group + k * stride + j);
    TERN_UNROLL
    for (int i = 0; i < kRows; ++i) {
      VecOf<T> y = hn::Load(d, out + i * stride + j);
      TERN_UNROLL
      for (int k = 0; k < kGroup; ++k) y = hn::NegMulAdd(factor[i][k], x[k], y);
      hn::Store(y, d, out + i * stride + j);
    }
  }
}

// One group of rows: factor, solve, update all rows after it. Returns as CholeskyBlock, from here.
template <int kRows, typename T>
HWY_INLINE int64_t CholeskyGroup(T* a, int64_t stride, int64_t k, int64_t n) {
  const int64_t width = (n + 15) / 16 * 16;
  T* const group = a + k * stride;
  GroupTriangle<kRows, T> triangle;
  const int done = FactorGroup(group + k, stride, &triangle);
  if (done < kRows) return k + done;
  SolveGroup(triangle, group, stride, k / kLanesOf<T> * kLanesOf<T>, width);
  for (int i = 0; i < kRows; ++i) {
    for (int j = i; j < kRows; ++j) group[i * stride + k + j] = triangle.r[i][j];
  }
  if constexpr (kRows == kGroup) {
    int64_t i = k + kGroup;
    for (; i + kGroup <= n; i += kGroup) {
      UpdateRows<kGroup>(group, stride, i, a + i * stride, width);
    }
    for (; i < n; ++i) UpdateRows<1>(group, stride, i, a + i * stride, width);
  }
  return n;
}

template <typename T>
int64_t CholeskyBlock(T* a, int64_t stride, int64_t n) noexcept {
  int64_t k = 0;
  for (; k + kGroup <= n; k += kGroup) {
    const int64_t done = CholeskyGroup<kGroup>(a, stride, k, n);
    if (done < n) return done;
  }
  switch (n - k) {
    case 1:
      return CholeskyGroup<1>(a, stride, k, n);
    case 2:
      return CholeskyGroup<2>(a, stride, k, n);
    case 3:
      return CholeskyGroup<3>(a, stride, k, n);
    default:
      return n;
  }
}

// Rows i ... i + kRows - 1 of x, those before being solved; kVectors of columns.
template <int kRows, int kVectors, typename T>
HWY_INLINE void SolveRows(StridedMatrix<T> t, bool unit, T* x, int64_t x_stride, int64_t i) {
  const TagOf<T> d;
  constexpr int kWidth = kLanesOf<T>;
  const T* const factors = t.data + i * t.row_stride;
  VecOf<T> y[kRows][kVectors];
  TERN_UNROLL
  for (int r = 0; r < kRows; ++r) {
    TERN_UNROLL
    for (int v = 0; v < kVectors; ++v) y[r][v] = hn::Load(d, x + (i + r) * x_stride + v * kWidth);
  }
  for (int64_t k = 0; k < i; ++k) {
    VecOf<T> known[kVectors];
    TERN_UNROLL
    for (int v = 0; v < kVectors; ++v) known[v] = hn::Load(d, x + k * x_stride + v * kWidth);
    TERN_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const VecOf<T> factor = hn::Set(d, factors[r * t.row_stride + k * t.column_stride]);
      TERN_UNROLL
      for (int v = 0; v < kVectors; ++v) y[r][v] = hn::NegMulAdd(factor, known[v], y[r][v]);
    }
  }
  TERN_UNROLL
  for (int r = 0; r < kRows; ++r) {
    const T* const row = factors + r * t.row_stride + i * t.column_stride;
    TERN_UNROLL
    for (int k = 0; k < r; ++k) {
      const VecOf<T> factor = hn::Set(d, row[k * t.column_stride]);
      TERN_UNROLL
      for (int v = 0; v < kVectors; ++v) y[r][v] = hn::NegMulAdd(factor, y[k][v], y[r][v]);
    }
    const VecOf<T> inverse = hn::Set(d, unit ? T(1) : 1 / row[r * t.column_stride]);
    TERN_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      y[r][v] = hn::Mul(y[r][v], inverse);
      hn::Store(y[r][v], d, x + (i + r) * x_stride + v * kWidth);
    }
  }
}

template <int kVectors, typename T>
HWY_INLINE void SolveStrip(StridedMatrix<T> t, bool unit, T* x, int64_t x_stride, int64_t n) {
  int64_t i = 0;
  for (; i + kGroup <= n; i += kGroup) SolveRows<kGroup, kVectors>(t, unit, x, x_stride, i);
  for (; i < n; ++i) SolveRows<1, kVectors>(t, unit, x, x_stride, i);
}

template <typename T>
void SolveBlock(StridedMatrix<T> t, bool unit, T* x, int64_t x_stride, int64_t n,
                int64_t width) noexcept {
  // As many columns as leave registers for what is read.
  constexpr int kVectors = kManyRegisters ? 4 : 2;
  constexpr int kWidth = kLanesOf<T>;
  int64_t j = 0;
  for (; j + kVectors * kWidth <= width; j += kVectors * kWidth) {
    SolveStrip<kVectors>(t, unit, x + j, x_stride, n);
  }
  for (; j < width; j += kWidth) SolveStrip<1>(t, unit, x + j, x_stride, n);
}

TERN_END_TARGET
