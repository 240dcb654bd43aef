// SPDX-License-Identifier: MIT
// norm.h, slow and obvious.
#pragma once

#include "tern/kernels/canonical.h"
#include "tern/kernels/math/math.h"
#include "tern/kernels/norm/norm.h"

namespace tern::kernels::reference {

template <typename T>
T RmsInverse(const T* x, T eps, int64_t n) {
  const T sum = CanonicalSum<T>(n, [&](int64_t i) { return x[i] * x[i]; });
  return math::Rsqrt(sum / static_cast<T>(n) + eps);
}

template <typename T>
void RmsNorm(const T* x, const T* w, T eps, T* y, int64_t n) noexcept {
  const T inverse = RmsInverse(x, eps, n);
  for (int64_t i = 0; i < n; ++i) y[i] = w[i] * (x[i] * inverse);
}

// With g = dy * w: dx = inv * g - x * (inv^3 / n * sum of g * x).
template <typename T>
void RmsNormGrad(const T* x, const T* w, const T* dy, T eps, T* dx, T* dw, int64_t n) noexcept {
  const T inverse = RmsInverse(x, eps, n);
  const T dot = CanonicalSum<T>(n, [&](int64_t i) { return dy[i] * w[i] * x[i]; });
  const T factor = inverse * inverse * inverse / static_cast<T>(n) * dot;
  for (int64_t i = 0; i < n; ++i) {
    dx[i] = inverse * (dy[i] * w[i]) - x[i] * factor;
    dw[i] += dy[i] * (x[i] * inverse);
  }
}

template <typename T>
inline constexpr NormKernels<T> kNorm = {.rms_norm = RmsNorm<T>, .rms_norm_grad = RmsNormGrad<T>};

}  // namespace tern::kernels::reference
