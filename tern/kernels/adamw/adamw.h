// SPDX-License-Identifier: MIT
// One step of AdamW (arXiv:1711.05101) on a run of parameters, with the operations in the order of
// torch.optim.AdamW.
#pragma once

#include <cstdint>

namespace tern::kernels {

template <typename T>
struct AdamWStep {
  T gradient_scale;  // the gradient is multiplied by it first
  T decay;           // the parameter is: 1 - learning rate * weight decay
  T beta2;
  T one_minus_beta1, one_minus_beta2;
  T step_size;              // learning rate / bias correction 1
  T sqrt_bias_correction2;  // what sqrt(exp_avg_sq) is divided by
  T eps;
};

template <typename T>
struct AdamWKernels {
  // Updates param, exp_avg and exp_avg_sq in place; none overlaps another.
  void (*step)(const AdamWStep<T>& step, const T* grad, T* param, T* exp_avg, T* exp_avg_sq,
               int64_t n) noexcept;
};

}  // namespace tern::kernels
