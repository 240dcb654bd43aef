// SPDX-License-Identifier: MIT
// Transposes and scans of matrices for vector targets: what checks and copies need.
#pragma once

#include "tern/kernels/gemm/product-inl.h"

TERN_BEGIN_TARGET

// One step of the transpose of a square of vectors: a and b are rows that lie kDistance apart. a
// gets the lanes whose bit kDistance is clear of both, b those where it is set.
template <int kDistance, typename T>
HWY_INLINE void ExchangeLanes(VecOf<T>& a, VecOf<T>& b) {
  const TagOf<T> d;
  constexpr int kBytes = kDistance * static_cast<int>(sizeof(T));
  const VecOf<T> x = a, y = b;
  if constexpr (kBytes >= 16 && 2 * kDistance == kLanesOf<T>) {
    a = hn::ConcatLowerLower(d, y, x);
    b = hn::ConcatUpperUpper(d, y, x);
  } else if constexpr (kBytes == 16) {
    a = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(y), x);
    b = hn::OddEvenBlocks(y, hn::SwapAdjacentBlocks(x));
  } else if constexpr (kBytes == 8 && sizeof(T) == 4) {
    const hn::RepartitionToWide<TagOf<T>> wide;
    const auto wide_x = hn::BitCast(wide, x), wide_y = hn::BitCast(wide, y);
    a = hn::BitCast(d, hn::InterleaveLower(wide, wide_x, wide_y));
    b = hn::BitCast(d, hn::InterleaveUpper(wide, wide_x, wide_y));
  } else if constexpr (kBytes == 8) {
    a = hn::InterleaveLower(d, x, y);
    b = hn::InterleaveUpper(d, x, y);
  } else {
    a = hn::OddEven(hn::DupEven(y), x);
    b = hn::OddEven(y, hn::DupOdd(x));
  }
}

template <int kDistance, typename T>
HWY_INLINE void ExchangeAll(VecOf<T> (&rows)[kLanesOf<T>]) {
  TERN_UNROLL
  for (int i = 0; i < kLanesOf<T>; ++i) {
    if ((i & kDistance) == 0) ExchangeLanes<kDistance, T>(rows[i], rows[i + kDistance]);
  }
  if constexpr (kDistance > 1) ExchangeAll<kDistance / 2, T>(rows);
}

template <typename T>
HWY_INLINE void TransposeSquare(const T* in, int64_t in_stride, T* out, int64_t out_stride) {
  const TagOf<T> d;
  VecOf<T> rows[kLanesOf<T>];
  TERN_UNROLL
  for (int i = 0; i < kLanesOf<T>; ++i) rows[i] = hn::LoadU(d, in + i * in_stride);
  ExchangeAll<kLanesOf<T> / 2, T>(rows);
  TERN_UNROLL
  for (int i = 0; i < kLanesOf<T>; ++i) hn::StoreU(rows[i], d, out + i * out_stride);
}

template <typename T>
void Transpose(const T* in, int64_t in_stride, T* out, int64_t out_stride, int64_t rows,
               int64_t columns) noexcept {
  constexpr int64_t kSide = kLanesOf<T>;
  const int64_t whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
  for (int64_t j = 0; j < whole_columns; j += kSide) {
    for (int64_t i = 0; i < whole_rows; i += kSide) {
      TransposeSquare(in + i * in_stride + j, in_stride, out + j * out_stride + i, out_stride);
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) {
      out[j * out_stride + i] = in[i * in_stride + j];
    }
  }
}

// x - x is 0 for every finite x, and NaN for all others.
template <typename T>
bool FiniteElements(const T* x, int64_t n) noexcept {
  const TagOf<T> d;
  VecOf<T> sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + kLanesOf<T> <= n; i += kLanesOf<T>) {
    const VecOf<T> value = hn::LoadU(d, x + i);
    sum = hn::Add(sum, hn::Sub(value, value));
  }
  bool finite = hn::AllTrue(d, hn::Eq(sum, hn::Zero(d)));
  for (; i < n; ++i) finite &= x[i] - x[i] == 0;
  return finite;
}

template <typename T>
bool AllClose(const T* x, const T* y, T bound, const T* bounds, int64_t n) noexcept {
  const TagOf<T> d;
  const VecOf<T> factor = hn::Set(d, bound);
  bool close = true;
  int64_t i = 0;
  for (; i + kLanesOf<T> <= n; i += kLanesOf<T>) {
    const VecOf<T> difference = hn::Abs(hn::Sub(hn::LoadU(d, x + i), hn::LoadU(d, y + i)));
    close &= hn::AllTrue(d, hn::Le(difference, hn::Mul(factor, hn::LoadU(d, bounds + i))));
  }
  for (; i < n; ++i) {
    const T difference = x[i] < y[i] ? y[i] - x[i] : x[i] - y[i];
    close &= difference <= bound * bounds[i];
  }
  return close;
}

TERN_END_TARGET
