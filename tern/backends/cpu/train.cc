// SPDX-License-Identifier: MIT
// The step of AdamW.
#include <cmath>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/kernels/adamw/reference.h"

namespace tern::cpu {
namespace {

constexpr int64_t kGrain = 8192;

template <typename T>
const kernels::AdamWKernels<T>& AdamW(const Env& env) {
  if constexpr (std::is_same_v<T, float>) {
    return env.kernels.adamw;
  } else {
    return kernels::reference::kAdamW<T>;
  }
}

template <typename T>
void RunAdamWOf(const Env& env, const OpCall& call) {
  const AdamWAttrs& attrs = call.as<AdamWAttrs>();
  // Scalars are computed in double, as torch does, and then rounded.
  const kernels::AdamWStep<T> step = {
      .gradient_scale = static_cast<T>(attrs.gradient_scale),
      .decay = static_cast<T>(1.0 - attrs.learning_rate * attrs.weight_decay),
      .beta2 = static_cast<T>(attrs.beta2),
      .one_minus_beta1 = static_cast<T>(1.0 - attrs.beta1),
      .one_minus_beta2 = static_cast<T>(1.0 - attrs.beta2),
      .step_size = static_cast<T>(attrs.learning_rate / attrs.bias_correction1),
      .sqrt_bias_correction2 = static_cast<T>(std::sqrt(attrs.bias_correction2)),
      .eps = static_cast<T>(attrs.eps)};
  env.threads.ParallelFor(call.in(0).elements(), kGrain, [&](int64_t begin, int64_t end) {
    AdamW<T>(env).step(step, call.in(0).data<T>() + begin, call.out(0).data<T>() + begin,
                       call.out(1).data<T>() + begin, call.out(2).data<T>() + begin, end - begin);
  });
}

}  // namespace

void RunAdamW(const Env& env, const OpCall& call) {
  WithFloat(call, [&](auto t) { RunAdamWOf<decltype(t)>(env, call); });
}

}  // namespace tern::cpu
