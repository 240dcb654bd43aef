// SPDX-License-Identifier: MIT
// adamw.h for vector targets.
#pragma once

#include "tern/kernels/adamw/reference.h"

TERN_BEGIN_TARGET

void StepAdamW(const AdamWStep<float>& step, const float* grad, float* param, float* exp_avg,
               float* exp_avg_sq, int64_t n) noexcept {
  reference::StepAdamW(step, grad, param, exp_avg, exp_avg_sq, n);
}

constexpr AdamWKernels<float> kAdamW = {.step = StepAdamW};

TERN_END_TARGET
