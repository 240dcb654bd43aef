// SPDX-License-Identifier: MIT
// attention.h for vector targets.
#pragma once

#include "tern/kernels/attention/reference.h"
#include "tern/kernels/gemm/gemm-inl.h"
#include "tern/kernels/math/math-inl.h"
#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET

// Dot products to exponentials in place, p[keys .. the next multiple of 16) included, which become
// 0. Writes maximum and sum.
void SoftmaxRow(float* p, int64_t keys, float scale, float* stats) {
  const int64_t padded = (keys + 15) / 16 * 16;
  for (int64_t j = keys; j < padded; ++j) p[j] = p[0];  // leaves the maximum as it is
  const V16 scales = Set16(scale);
  V16 lanes = Mul(Load16(p), scales);
  for (int64_t j = 16; j < padded; j += 16) lanes = Max(lanes, Mul(Load16(p + j), scales));
  HWY_ALIGN float lane[16];
  Store16(lanes, lane);
  float maximum = lane[0];
  for (int i = 1; i < 16; ++i) maximum = lane[i] > maximum ? lane[i] : maximum;

  const V16 maxima = Set16(maximum);
  V16 sum = Zero16();
  for (int64_t j = 0; j < padded; j += 16) {
    V16 e = Exp(Sub(Mul(Load16(p + j), scales), maxima));
    Store16(e, p + j);
    if (j + 16 > keys) {
      for (int64_t i = keys; i < padded; ++i) p[i] = 0.0f;
      e = Load16(p + j);
    }
    sum = Add(sum, e);
  }
  stats[0] = maximum;
  stats[1] = Sum(sum);
}

// y[kRows][d .. d + kVectors * kLanes) = the sum over keys of p v, in ascending order.
template <int kRows, int kVectors>
HWY_INLINE void SumValues(const AttentionRows<float>& in, int64_t row, int64_t keys, int64_t d) {
  const D tag;
  VF sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kVectors; ++i) sum[r][i] = hn::Zero(tag);
  }
  const float* p = in.scores + row * in.scores_stride;
  const float* v = in.v + d;
  for (int64_t j = 0; j < keys; ++j) {
    VF value[kVectors];
#pragma GCC unroll 16
    for (int i = 0; i < kVectors; ++i) value[i] = hn::LoadU(tag, v + j * in.v_stride + i * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const VF weight = hn::Set(tag, p[r * in.scores_stride + j]);
#pragma GCC unroll 16
      for (int i = 0; i < kVectors; ++i) {
        sum[r][i] = hn::Add(sum[r][i], hn::Mul(weight, value[i]));
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int i = 0; i < kVectors; ++i) {
      hn::StoreU(sum[r][i], tag, in.y + (row + r) * in.y_stride + d + i * kLanes);
    }
  }
}

// kRows rows of y: the sum over the keys that all of them see in registers, then each row's rest.
template <int kRows>
void MixRows(const AttentionRows<float>& in, int64_t row) {
  const int64_t common = in.keys + row * in.row_keys;
  int64_t d = 0;
  for (; d + 4 * kLanes <= in.head_dim; d += 4 * kLanes) SumValues<kRows, 4>(in, row, common, d);
  for (; d + 2 * kLanes <= in.head_dim; d += 2 * kLanes) SumValues<kRows, 2>(in, row, common, d);
  for (; d + kLanes <= in.head_dim; d += kLanes) SumValues<kRows, 1>(in, row, common, d);
  for (int r = 0; r < kRows; ++r) {
    const float* p = in.scores + (row + r) * in.scores_stride;
    float* y = in.y + (row + r) * in.y_stride;
    for (int64_t t = d; t < in.head_dim; ++t) {
      y[t] = 0;
      for (int64_t j = 0; j < common; ++j) y[t] += p[j] * in.v[j * in.v_stride + t];
    }
    for (int64_t j = common; j < common + r * in.row_keys; ++j) {
      const float* v = in.v + j * in.v_stride;
      for (int64_t t = 0; t < in.head_dim; ++t) y[t] += p[j] * v[t];
    }
    const float sum = in.stats[(row + r) * in.stats_stride + 1];
    for (int64_t t = 0; t < in.head_dim; ++t) y[t] /= sum;
  }
}

void Attend(const AttentionRows<float>& in) noexcept {
  const int64_t last_keys = in.keys + (in.rows - 1) * in.row_keys;
  DotRows(in.q, in.q_stride, in.k, in.k_stride, nullptr, in.scores, in.scores_stride, in.rows,
          last_keys, in.head_dim);
  for (int64_t r = 0; r < in.rows; ++r) {
    SoftmaxRow(in.scores + r * in.scores_stride, in.keys + r * in.row_keys, in.scale,
               in.stats + r * in.stats_stride);
  }
  int64_t r = 0;
  for (; r + kTileRows <= in.rows; r += kTileRows) MixRows<kTileRows>(in, r);
  for (; r < in.rows; ++r) MixRows<1>(in, r);
}

void AttendGrad(const AttentionGradRows<float>& in) noexcept { reference::AttendGrad(in); }

constexpr AttentionKernels<float> kAttention = {.forward = Attend, .grad = AttendGrad};

TERN_END_TARGET
