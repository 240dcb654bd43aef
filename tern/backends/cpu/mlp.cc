// SPDX-License-Identifier: MIT
// The gate of a gated MLP and its gradient.
#include "tern/kernels/mlp/mlp.h"

#include <algorithm>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/kernels/mlp/reference.h"

namespace tern::cpu {
namespace {

constexpr int64_t kGrain = 8192;

template <typename T>
const kernels::MlpKernels<T>& Mlp(const Env& env) {
  if constexpr (std::is_same_v<T, float>) {
    return env.kernels.mlp;
  } else {
    return kernels::reference::kMlp<T>;
  }
}

template <typename T>
void RunGatedMlpOf(const Env& env, const OpCall& call) {
  const bool silu = call.as<ActivationAttrs>().activation == Activation::kSilu;
  const auto forward = silu ? Mlp<T>(env).silu : Mlp<T>(env).relu2;
  env.threads.ParallelFor(call.out(0).elements(), kGrain, [&](int64_t begin, int64_t end) {
    forward(call.in(0).data<T>() + begin, call.in(1).data<T>() + begin,
            call.out(0).data<T>() + begin, end - begin);
  });
}

template <typename T>
void RunGatedMlpGradOf(const Env& env, const OpCall& call) {
  const bool silu = call.as<ActivationAttrs>().activation == Activation::kSilu;
  const auto backward = silu ? Mlp<T>(env).silu_grad : Mlp<T>(env).relu2_grad;
  env.threads.ParallelFor(call.out(0).elements(), kGrain, [&](int64_t begin, int64_t end) {
    backward(call.in(0).data<T>() + begin, call.in(1).data<T>() + begin,
             call.in(2).data<T>() + begin, call.out(0).data<T>() + begin,
             call.out(1).data<T>() + begin, end - begin);
  });
}

}  // namespace

bool SupportsContiguousFloats(const OpCall& call) {
  const DType dtype = call.out(0).dtype();
  const auto fits = [&](const Tensor* t) { return t->dtype() == dtype && t->is_contiguous(); };
  return (dtype == DType::kF32 || dtype == DType::kF64) && std::ranges::all_of(call.inputs, fits) &&
         std::ranges::all_of(call.outputs, fits);
}

bool SupportsGatedMlp(const OpCall& call) {
  return call.as<ActivationAttrs>().activation != Activation::kGeluTanh &&
         SupportsContiguousFloats(call);
}

void RunGatedMlp(const Env& env, const OpCall& call) {
  WithFloat(call, [&](auto t) { RunGatedMlpOf<decltype(t)>(env, call); });
}

void RunGatedMlpGrad(const Env& env, const OpCall& call) {
  WithFloat(call, [&](auto t) { RunGatedMlpGradOf<decltype(t)>(env, call); });
}

}  // namespace tern::cpu
