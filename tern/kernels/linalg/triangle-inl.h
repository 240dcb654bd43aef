// SPDX-License-Identifier: MIT
// Forward substitution for vector targets, in groups of four rows, so that a row that is read
// serves four.
#pragma once

#include "tern/kernels/linalg/cholesky-inl.h"

TERN_BEGIN_TARGET

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
