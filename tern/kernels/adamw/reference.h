// SPDX-License-Identifier: MIT
// adamw.h: the loop that every target compiles for itself. Each element is computed alone, so the
// bits are the same.
#pragma once

#include <cmath>

#include "tern/kernels/adamw/adamw.h"

namespace tern::kernels::reference {

template <typename T>
[[gnu::always_inline]] inline void StepAdamW(const AdamWStep<T>& step, const T* __restrict grad,
                                             T* __restrict param, T* __restrict exp_avg,
                                             T* __restrict exp_avg_sq, int64_t n) noexcept {
  const AdamWStep<T> s = step;  // which the stores below cannot change
  for (int64_t i = 0; i < n; ++i) {
    const T g = grad[i] * s.gradient_scale;
    const T decayed = param[i] * s.decay;
    const T m = exp_avg[i] + s.one_minus_beta1 * (g - exp_avg[i]);
    const T v = exp_avg_sq[i] * s.beta2 + s.one_minus_beta2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    param[i] = decayed - s.step_size * m / (std::sqrt(v) / s.sqrt_bias_correction2 + s.eps);
  }
}

template <typename T>
inline constexpr AdamWKernels<T> kAdamW = {.step = StepAdamW<T>};

}  // namespace tern::kernels::reference
