// SPDX-License-Identifier: MIT
// svd.h for vector targets.
#pragma once

#include <algorithm>

#include "tern/kernels/linalg/gram_schmidt-inl.h"
#include "tern/kernels/svd/reference.h"

TERN_BEGIN_TARGET

template <typename T>
T DotOf(const T* x, const T* y, int64_t n) noexcept {
  const TagOf<T> d;
  constexpr int64_t kWidth = kLanesOf<T>;
  VecOf<T> sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  int64_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      sum[v] =
          hn::MulAdd(hn::LoadU(d, x + i + v * kWidth), hn::LoadU(d, y + i + v * kWidth), sum[v]);
    }
  }
  for (; i < n; i += kWidth) sum[0] = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), sum[0]);
  return SumLanes<T>(hn::Add(hn::Add(sum[0], sum[1]), hn::Add(sum[2], sum[3])));
}

// kVectors vectors of columns, their sums in registers.
template <int kVectors, typename T>
HWY_INLINE void LeftProductStrip(const T* HWY_RESTRICT x, const T* HWY_RESTRICT a, int64_t stride,
                                 int64_t rows, T* HWY_RESTRICT y) {
  const TagOf<T> d;
  constexpr int64_t kWidth = kLanesOf<T>;
  VecOf<T> sum[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) sum[v] = hn::LoadU(d, y + v * kWidth);
  for (int64_t i = 0; i < rows; ++i) {
    const VecOf<T> factor = hn::Set(d, x[i]);
    const T* HWY_RESTRICT const row = a + i * stride;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      sum[v] = hn::MulAdd(factor, hn::LoadU(d, row + v * kWidth), sum[v]);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[v], d, y + v * kWidth);
}

template <typename T>
void LeftProductOf(const T* x, const T* a, int64_t stride, int64_t rows, T* y, int64_t n) noexcept {
  constexpr int64_t kWidth = kLanesOf<T>;
  int64_t j = 0;
  for (; j + 8 * kWidth <= n; j += 8 * kWidth) LeftProductStrip<8>(x, a + j, stride, rows, y + j);
  for (; j + 4 * kWidth <= n; j += 4 * kWidth) LeftProductStrip<4>(x, a + j, stride, rows, y + j);
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) LeftProductStrip<2>(x, a + j, stride, rows, y + j);
  for (; j < n; j += kWidth) LeftProductStrip<1>(x, a + j, stride, rows, y + j);
}

template <int kRows, typename T>
HWY_INLINE void RightProductRows(const T* HWY_RESTRICT a, int64_t stride, const T* HWY_RESTRICT x,
                                 T* HWY_RESTRICT y, int64_t n) {
  const TagOf<T> d;
  VecOf<T> sum[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) sum[r] = hn::Zero(d);
  for (int64_t j = 0; j < n; j += kLanesOf<T>) {
    const VecOf<T> factor = hn::LoadU(d, x + j);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      sum[r] = hn::MulAdd(factor, hn::LoadU(d, a + r * stride + j), sum[r]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) y[r] = SumLanes<T>(sum[r]);
}

template <typename T>
void RightProductOf(const T* a, int64_t stride, int64_t rows, const T* x, T* y,
                    int64_t n) noexcept {
  int64_t i = 0;
  for (; i + 8 <= rows; i += 8) RightProductRows<8>(a + i * stride, stride, x, y + i, n);
  for (; i + 2 <= rows; i += 2) RightProductRows<2>(a + i * stride, stride, x, y + i, n);
  if (i < rows) RightProductRows<1>(a + i * stride, stride, x, y + i, n);
}

// A row is loaded and stored once for the two rotations that it takes part in.
template <int kVectors, typename T>
HWY_INLINE void RotateStrip(T* a, int64_t stride, const T* HWY_RESTRICT c, const T* HWY_RESTRICT s,
                            int64_t count) {
  const TagOf<T> d;
  constexpr int64_t kWidth = kLanesOf<T>;
  VecOf<T> x[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(d, a + v * kWidth);
  for (int64_t g = 0; g < count; ++g, a += stride) {
    const VecOf<T> cosine = hn::Set(d, c[g]), sine = hn::Set(d, s[g]);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const VecOf<T> y = hn::LoadU(d, a + stride + v * kWidth);
      hn::StoreU(hn::MulAdd(cosine, x[v], hn::Mul(sine, y)), d, a + v * kWidth);
      x[v] = hn::NegMulAdd(sine, x[v], hn::Mul(cosine, y));
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) hn::StoreU(x[v], d, a + v * kWidth);
}

template <typename T>
void RotateRowsOf(T* a, int64_t stride, const T* c, const T* s, int64_t count, int64_t n) noexcept {
  constexpr int64_t kWidth = kLanesOf<T>;
  int64_t j = 0;
  for (; j + 4 * kWidth <= n; j += 4 * kWidth) RotateStrip<4>(a + j, stride, c, s, count);
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) RotateStrip<2>(a + j, stride, c, s, count);
  for (; j < n; j += kWidth) RotateStrip<1>(a + j, stride, c, s, count);
}

// The vectors in which every pole is on one side of the split, and the one that it goes through.
template <typename T>
SecularSums<T> SumSecularOf(const SecularPoles<T>& poles, int64_t split, T origin,
                            T offset) noexcept {
  const TagOf<T> d;
  constexpr int64_t kWidth = kLanesOf<T>;
  const VecOf<T> from = hn::Set(d, origin), by = hn::Set(d, offset), one = hn::Set(d, T(1));
  VecOf<T> below = hn::Zero(d), below_slope = below, above = below, above_slope = below;
  const auto term = [&](int64_t j, VecOf<T>& value, VecOf<T>& slope) HWY_ATTR {
    const VecOf<T> pole = hn::LoadU(d, poles.d + j);
    const VecOf<T> inverse =
        hn::Div(one, hn::Mul(hn::Sub(hn::Sub(pole, from), by), hn::Add(hn::Add(pole, from), by)));
    value = hn::Mul(hn::LoadU(d, poles.z_squared + j), inverse);
    slope = hn::Mul(value, inverse);
  };
  VecOf<T> value, slope;
  int64_t j = 0;
  for (; j + kWidth <= split + 1; j += kWidth) {
    term(j, value, slope);
    below = hn::Add(below, value);
    below_slope = hn::Add(below_slope, slope);
  }
  if (j <= split) {
    term(j, value, slope);
    const auto mask = hn::FirstN(d, static_cast<size_t>(split + 1 - j));
    below = hn::Add(below, hn::IfThenElseZero(mask, value));
    below_slope = hn::Add(below_slope, hn::IfThenElseZero(mask, slope));
    above = hn::IfThenZeroElse(mask, value);
    above_slope = hn::IfThenZeroElse(mask, slope);
    j += kWidth;
  }
  for (; j < poles.n; j += kWidth) {
    term(j, value, slope);
    above = hn::Add(above, value);
    above_slope = hn::Add(above_slope, slope);
  }
  return {SumLanes<T>(below), SumLanes<T>(below_slope), SumLanes<T>(above),
          SumLanes<T>(above_slope)};
}

template <typename T>
void SecularDifferencesOf(const T* d, T origin, T offset, T* y, int64_t n) noexcept {
  reference::SecularDifferences(d, origin, offset, y, n);
}

template <typename T>
void SecularWeightsOf(const T* differences, const T* d, T pole, T* y, int64_t n) noexcept {
  reference::SecularWeights(differences, d, pole, y, n);
}

template <typename T>
void SecularVectorsOf(const T* d, const T* z, T* u, T* v, int64_t n) noexcept {
  reference::SecularVectors(d, z, u, v, n);
}

template <typename T>
void HadamardOf(T* x, T scale, int64_t n) noexcept {
  reference::Hadamard(x, scale, n);
}

template <typename T>
constexpr SvdKernels<T> kSvd = {
    .dot = DotOf<T>,
    .left_product = LeftProductOf<T>,
    .right_product = RightProductOf<T>,
    .rotate_rows = RotateRowsOf<T>,
    .secular_sums = SumSecularOf<T>,
    .secular_differences = SecularDifferencesOf<T>,
    .secular_weights = SecularWeightsOf<T>,
    .secular_vectors = SecularVectorsOf<T>,
    .hadamard = HadamardOf<T>,
};

TERN_END_TARGET
