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

template <typename KV>
void Score(const AttentionRows<float, KV>& in, int64_t key_begin, int64_t key_end) noexcept {
  DotRowsOf(in.q, in.q_stride, in.k + key_begin * in.k_stride, in.k_stride, nullptr,
            in.scores + key_begin, in.scores_stride, in.rows, key_end - key_begin, in.head_dim);
  if (in.k_scales == nullptr) return;
  for (int64_t r = 0; r < in.rows; ++r) {
    float* HWY_RESTRICT scores = in.scores + r * in.scores_stride;
    for (int64_t j = key_begin; j < key_end; ++j) scores[j] *= in.k_scales[j];
  }
}

template <typename KV>
void Weigh(const AttentionRows<float, KV>& in, int64_t row_begin, int64_t row_end) noexcept {
  for (int64_t r = row_begin; r < row_end; ++r) {
    float* HWY_RESTRICT p = in.scores + r * in.scores_stride;
    const int64_t keys = in.keys + r * in.row_keys;
    SoftmaxRow(p, keys, in.scale, in.stats + r * in.stats_stride);
    if (in.v_scales == nullptr) continue;
    for (int64_t j = 0; j < keys; ++j) p[j] *= in.v_scales[j];
  }
}

// Values are fetched this many keys before they are needed: a stride between them defeats the CPU.
constexpr int64_t kKeysAhead = 16;

// y[kRows][d .. d + kVectors * kLanes) = the sum over keys of p v, in ascending order.
template <int kRows, int kVectors, typename KV>
HWY_INLINE void SumValues(const AttentionRows<float, KV>& in, int64_t row, int64_t keys,
                          int64_t d) {
  const D tag;
  VF sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kVectors; ++i) sum[r][i] = hn::Zero(tag);
  }
  const float* p = in.scores + row * in.scores_stride;
  const KV* v = in.v + d;
  for (int64_t j = 0; j < keys; ++j) {
    __builtin_prefetch(v + (j + kKeysAhead) * in.v_stride);
    VF value[kVectors];
#pragma GCC unroll 16
    for (int i = 0; i < kVectors; ++i) value[i] = LoadLanes(v + j * in.v_stride + i * kLanes);
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
template <int kRows, typename KV>
void MixRows(const AttentionRows<float, KV>& in, int64_t row, int64_t begin, int64_t end) {
  const int64_t common = in.keys + row * in.row_keys;
  int64_t d = begin;
  for (; d + 4 * kLanes <= end; d += 4 * kLanes) SumValues<kRows, 4>(in, row, common, d);
  for (; d + 2 * kLanes <= end; d += 2 * kLanes) SumValues<kRows, 2>(in, row, common, d);
  for (; d + kLanes <= end; d += kLanes) SumValues<kRows, 1>(in, row, common, d);
  for (int r = 0; r < kRows; ++r) {
    const float* p = in.scores + (row + r) * in.scores_stride;
    float* y = in.y + (row + r) * in.y_stride;
    for (int64_t t = d; t < end; ++t) {
      y[t] = 0;
      for (int64_t j = 0; j < common; ++j) y[t] += p[j] * AsFloat(in.v[j * in.v_stride + t]);
    }
    for (int64_t j = common; j < common + r * in.row_keys; ++j) {
      const KV* v = in.v + j * in.v_stride;
      for (int64_t t = begin; t < end; ++t) y[t] += p[j] * AsFloat(v[t]);
    }
    const float sum = in.stats[(row + r) * in.stats_stride + 1];
    for (int64_t t = begin; t < end; ++t) y[t] /= sum;
  }
}

template <typename KV>
void Mix(const AttentionRows<float, KV>& in, int64_t begin, int64_t end) noexcept {
  int64_t r = 0;
  for (; r + kTileRows <= in.rows; r += kTileRows) MixRows<kTileRows>(in, r, begin, end);
  for (; r < in.rows; ++r) MixRows<1>(in, r, begin, end);
}

template <typename KV>
constexpr AttentionSteps<float, KV> kAttentionSteps = {Score<KV>, Weigh<KV>, Mix<KV>};

void AttendGrad(const AttentionGradRows<float>& in) noexcept { reference::AttendGrad(in); }

constexpr AttentionKernels<float> kAttention = {.grad = AttendGrad,
                                                .plain = kAttentionSteps<float>,
                                                .bf16 = kAttentionSteps<BF16>,
                                                .f16 = kAttentionSteps<F16>,
                                                .int8 = kAttentionSteps<int8_t>};

TERN_END_TARGET
