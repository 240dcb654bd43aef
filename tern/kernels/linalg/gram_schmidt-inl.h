// SPDX-License-Identifier: MIT
// Modified Gram-Schmidt on a panel of a few columns for vector targets. The columns are copied so
// that each is contiguous; then one pass over them for each column: it scales the column, takes its
// part out of the later ones, and already sums the products of the next one with those.
#pragma once

#include <cmath>
#include <limits>

#include "tern/kernels/gemm/product-inl.h"

TERN_BEGIN_TARGET

template <typename T>
HWY_INLINE T SumLanes(VecOf<T> v) {
  return hn::GetLane(hn::SumOfLanes(TagOf<T>(), v));
}

// dots[k] = column 0 times column k, k <= kLater; columns of `length`, a multiple of 16.
template <int kLater, typename T>
HWY_INLINE void FirstDots(const T* columns, int64_t length, T* dots) {
  const TagOf<T> d;
  VecOf<T> sum[kLater + 1];
  TERN_UNROLL
  for (int k = 0; k <= kLater; ++k) sum[k] = hn::Zero(d);
  for (int64_t t = 0; t < length; t += kLanesOf<T>) {
    const VecOf<T> x = hn::Load(d, columns + t);
    TERN_UNROLL
    for (int k = 0; k <= kLater; ++k) {
      sum[k] = hn::MulAdd(x, hn::Load(d, columns + k * length + t), sum[k]);
    }
  }
  TERN_UNROLL
  for (int k = 0; k <= kLater; ++k) dots[k] = SumLanes<T>(sum[k]);
}

// Makes column 0 a unit vector and the kLater columns after it orthogonal to it. dots: in as
// FirstDots gives them, out those of column 1.
template <int kLater, typename T>
HWY_NOINLINE void GramSchmidtStep(T* columns, int64_t length, T* dots, T* r) {
  const TagOf<T> d;
  const T norm = dots[0] < std::numeric_limits<T>::min() ? T(0) : std::sqrt(dots[0]);
  const T inverse = norm > 0 ? 1 / norm : T(0);
  r[0] = norm;
  for (int k = 1; k <= kLater; ++k) r[k] = dots[k] * inverse;
  const VecOf<T> factor = hn::Set(d, inverse);
  VecOf<T> part[kLater + 1];
  VecOf<T> sum[kLater + 1];
  TERN_UNROLL
  for (int k = 1; k <= kLater; ++k) {
    part[k] = hn::Set(d, r[k]);
    sum[k] = hn::Zero(d);
  }
  for (int64_t t = 0; t < length; t += kLanesOf<T>) {
    const VecOf<T> q = hn::Mul(factor, hn::Load(d, columns + t));
    hn::Store(q, d, columns + t);
    VecOf<T> next = q;
    TERN_UNROLL
    for (int k = 1; k <= kLater; ++k) {
      T* const place = columns + k * length + t;
      const VecOf<T> rest = hn::NegMulAdd(part[k], q, hn::Load(d, place));
      hn::Store(rest, d, place);
      if (k == 1) next = rest;
      sum[k] = hn::MulAdd(next, rest, sum[k]);
    }
  }
  TERN_UNROLL
  for (int k = 1; k <= kLater; ++k) dots[k - 1] = SumLanes<T>(sum[k]);
}

// Steps for kCount columns.
template <int kCount, typename T>
void GramSchmidtSteps(T* columns, int64_t length, T* dots, T* r, int64_t r_stride) {
  GramSchmidtStep<kCount - 1>(columns, length, dots, r);
  if constexpr (kCount > 1) {
    GramSchmidtSteps<kCount - 1>(columns + length, length, dots, r + r_stride + 1, r_stride);
  }
}

template <int kCount, typename T>
void GramSchmidtOf(T* w, int64_t w_stride, int64_t m, T* r, int64_t r_stride, T* columns) {
  const int64_t length = (m + 15) / 16 * 16;
  for (int64_t t = 0; t < m; ++t) {
    for (int k = 0; k < kCount; ++k) columns[k * length + t] = w[t * w_stride + k];
  }
  for (int64_t t = m; t < length; ++t) {
    for (int k = 0; k < kCount; ++k) columns[k * length + t] = 0;
  }
  T dots[kCount];
  FirstDots<kCount - 1>(columns, length, dots);
  GramSchmidtSteps<kCount>(columns, length, dots, r, r_stride);
  for (int64_t t = 0; t < m; ++t) {
    for (int k = 0; k < kCount; ++k) w[t * w_stride + k] = columns[k * length + t];
  }
}

template <typename T>
void GramSchmidt(T* w, int64_t w_stride, int64_t m, int64_t count, T* r, int64_t r_stride,
                 T* workspace) noexcept {
  static_assert(kGramSchmidtColumns == 8);
  switch (count) {
    case 1:
      return GramSchmidtOf<1>(w, w_stride, m, r, r_stride, workspace);
    case 2:
      return GramSchmidtOf<2>(w, w_stride, m, r, r_stride, workspace);
    case 3:
      return GramSchmidtOf<3>(w, w_stride, m, r, r_stride, workspace);
    case 4:
      return GramSchmidtOf<4>(w, w_stride, m, r, r_stride, workspace);
    case 5:
      return GramSchmidtOf<5>(w, w_stride, m, r, r_stride, workspace);
    case 6:
      return GramSchmidtOf<6>(w, w_stride, m, r, r_stride, workspace);
    case 7:
      return GramSchmidtOf<7>(w, w_stride, m, r, r_stride, workspace);
    default:
      return GramSchmidtOf<8>(w, w_stride, m, r, r_stride, workspace);
  }
}

TERN_END_TARGET
