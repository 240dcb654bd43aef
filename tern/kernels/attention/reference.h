// SPDX-License-Identifier: MIT
// attention.h, slow and obvious; the gradient's loop is what every target compiles for itself.
#pragma once

#include "tern/kernels/attention/attention.h"
#include "tern/kernels/canonical.h"
#include "tern/kernels/math/math.h"

namespace tern::kernels::reference {

template <typename T>
void AttendRow(const AttentionRows<T>& in, int64_t r) noexcept {
  const int64_t keys = in.keys + r * in.row_keys;
  const T* q = in.q + r * in.q_stride;
  T* p = in.scores + r * in.scores_stride;
  T maximum = 0;
  for (int64_t j = 0; j < keys; ++j) {
    const T* k = in.k + j * in.k_stride;
    p[j] = CanonicalSum<T>(in.head_dim, [&](int64_t d) { return q[d] * k[d]; }) * in.scale;
    if (j == 0 || p[j] > maximum) maximum = p[j];
  }
  for (int64_t j = 0; j < keys; ++j) p[j] = math::Exp(p[j] - maximum);
  const T sum = CanonicalSum<T>(keys, [&](int64_t j) { return p[j]; });
  for (int64_t d = 0; d < in.head_dim; ++d) {
    T y = 0;
    for (int64_t j = 0; j < keys; ++j) y += p[j] * in.v[j * in.v_stride + d];
    in.y[r * in.y_stride + d] = y / sum;
  }
  in.stats[r * in.stats_stride] = maximum;
  in.stats[r * in.stats_stride + 1] = sum;
}

template <typename T>
void Attend(const AttentionRows<T>& in) noexcept {
  for (int64_t r = 0; r < in.rows; ++r) AttendRow(in, r);
}

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
    .forward = Attend<T>,
    .grad = AttendGrad<T>,
};

}  // namespace tern::kernels::reference
