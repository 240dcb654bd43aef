// SPDX-License-Identifier: MIT
// norm.h for vector targets.
#pragma once

#include "tern/kernels/elementwise/elementwise-inl.h"
#include "tern/kernels/math/math.h"
#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET

HWY_INLINE float RmsInverse(const float* x, float eps, int64_t n) {
  V16 sum = Zero16();
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const V16 v = Load16(x + i);
    sum = Add(sum, Mul(v, v));
  }
  if (i < n) {
    const V16 v = LoadN16(x + i, n - i);
    sum = Add(sum, Mul(v, v));
  }
  return math::Rsqrt(Sum(sum) / static_cast<float>(n) + eps);
}

void RmsNorm(const float* x, const float* w, float eps, float* y, int64_t n) noexcept {
  const float inverse = RmsInverse(x, eps, n);
  TERN_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) y[i] = w[i] * (x[i] * inverse);
}

void RmsNormGrad(const float* x, const float* w, const float* dy, float eps, float* dx, float* dw,
                 int64_t n) noexcept {
  const float inverse = RmsInverse(x, eps, n);
  V16 sum = Zero16();
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    sum = Add(sum, Mul(Mul(Load16(dy + i), Load16(w + i)), Load16(x + i)));
  }
  if (i < n) {
    const V16 g = Mul(LoadN16(dy + i, n - i), LoadN16(w + i, n - i));
    sum = Add(sum, Mul(g, LoadN16(x + i, n - i)));
  }
  const float factor = inverse * inverse * inverse / static_cast<float>(n) * Sum(sum);
  TERN_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) {
    dx[j] = inverse * (dy[j] * w[j]) - x[j] * factor;
    dw[j] += dy[j] * (x[j] * inverse);
  }
}

constexpr NormKernels<float> kNorm = {.rms_norm = RmsNorm, .rms_norm_grad = RmsNormGrad};

TERN_END_TARGET
