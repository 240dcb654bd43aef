// SPDX-License-Identifier: MIT
// attention.h, slow and obvious; the gradient's loop is what every target compiles for itself.
#pragma once

#include "tern/kernels/attention/attention.h"
#include "tern/kernels/canonical.h"
#include "tern/kernels/math/math.h"

namespace tern::kernels::reference {

template <typename T>
T Widened(T x) {
  return x;
}
template <typename T>
T Widened(BF16 x) {
  return ToF32(x);
}
template <typename T>
T Widened(F16 x) {
  return ToF32(x);
}
template <typename T>
T Widened(int8_t x) {
  return static_cast<T>(x);
}

template <typename T, typename KV>
void Score(const AttentionRows<T, KV>& in, int64_t key_begin, int64_t key_end) noexcept {
  for (int64_t r = 0; r < in.rows; ++r) {
    const T* q = in.q + r * in.q_stride;
    for (int64_t j = key_begin; j < key_end; ++j) {
      const KV* k = in.k + j * in.k_stride;
      T dot = CanonicalSum<T>(in.head_dim, [&](int64_t d) { return q[d] * Widened<T>(k[d]); });
      if (in.k_scales != nullptr) dot *= in.k_scales[j];
      in.scores[r * in.scores_stride + j] = dot;
    }
  }
}

template <typename T, typename KV>
void Weigh(const AttentionRows<T, KV>& in, int64_t row_begin, int64_t row_end) noexcept {
  for (int64_t r = row_begin; r < row_end; ++r) {
    const int64_t keys = in.keys + r * in.row_keys;
    T* p = in.scores + r * in.scores_stride;
    T maximum = p[0] * in.scale;
    for (int64_t j = 0; j < keys; ++j) {
      p[j] *= in.scale;
      if (p[j] > maximum) maximum = p[j];
    }
    for (int64_t j = 0; j < keys; ++j) p[j] = math::Exp(p[j] - maximum);
    in.stats[r * in.stats_stride] = maximum;
    in.stats[r * in.stats_stride + 1] = CanonicalSum<T>(keys, [&](int64_t j) { return p[j]; });
    if (in.v_scales == nullptr) continue;
    for (int64_t j = 0; j < keys; ++j) p[j] *= in.v_scales[j];
  }
}

template <typename T, typename KV>
void Mix(const AttentionRows<T, KV>& in, int64_t begin, int64_t end) noexcept {
  for (int64_t r = 0; r < in.rows; ++r) {
    const T* p = in.scores + r * in.scores_stride;
    for (int64_t d = begin; d < end; ++d) {
      T y = 0;
      for (int64_t j = 0; j < in.keys + r * in.row_keys; ++j) {
        y += p[j] * Widened<T>(in.v[j * in.v_stride + d]);
      }
      in.y[r * in.y_stride + d] = y / in.stats[r * in.stats_stride + 1];
    }
  }
}

template <typename T, typename KV = T>
inline constexpr AttentionSteps<T, KV> kAttentionSteps = {Score<T, KV>, Weigh<T, KV>, Mix<T, KV>};

template <typename T>
[[gnu::always_inline]] inline void GradRow(T* __restrict scores, T* __restrict dp, int64_t keys,
                                           T scale, T maximum, T sum, T delta) noexcept {
  const T inverse = T(1) / sum;
  for (int64_t j = 0; j < keys; ++j) {
    const T p = math::Exp(scores[j] * scale - maximum) * inverse;
    scores[j] = p;
    dp[j] = p * (dp[j] - delta) * scale;
  }
}

template <typename T>
[[gnu::always_inline]] inline void AttendGrad(const AttentionGradRows<T>& in) noexcept {
  for (int64_t r = 0; r < in.rows; ++r) {
    T* scores = in.scores + r * in.stride;
    T* dp = in.dp + r * in.stride;
    const T* stats = in.stats + r * in.stats_stride;
    GradRow(scores, dp, in.keys + r, in.scale, stats[0], stats[1], in.delta[r]);
    for (int64_t j = in.keys + r; j < in.columns; ++j) scores[j] = dp[j] = T(0);
  }
}

template <typename T>
inline constexpr AttentionKernels<T> kAttention = {
    .grad = AttendGrad<T>,
    .plain = kAttentionSteps<T>,
    .bf16 = kAttentionSteps<float, BF16>,
    .f16 = kAttentionSteps<float, F16>,
    .int8 = kAttentionSteps<float, int8_t>,
};

}  // namespace tern::kernels::reference
