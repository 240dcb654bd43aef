// SPDX-License-Identifier: MIT
#include "tern/backends/cpu/cpu_op.h"
#include "tern/kernels/math/math.h"

namespace tern::cpu {

bool SupportsRopeTable(const OpCall& call) {
  return AreContiguous(call.inputs, {DType::kI32}) &&
         AreContiguous(call.outputs, {DType::kF32, DType::kF32});
}

void RunRopeTable(const Env& env, const OpCall& call) {
  const int32_t* positions = call.in(0).data<int32_t>();
  const int64_t half = call.out(0).dim(1);
  const double theta = static_cast<float>(call.as<RopeTableAttrs>().theta);
  float* cos = call.out(0).data<float>();
  float* sin = call.out(1).data<float>();
  // Powers are rounded to f32 before they are inverted, angles before their cosine is taken.
  Workspace workspace(env.pool, static_cast<size_t>(half) * sizeof(float));
  float* inv_freq = workspace.As<float>();
  for (int64_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(2 * half);
    inv_freq[i] = 1.0f / static_cast<float>(kernels::math::Pow(theta, exponent));
  }
  // Single precision tells positions apart to 2^24, and angles stay in the range of sine.
  env.threads.ParallelFor(call.in(0).dim(0), 64, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      for (int64_t i = 0; i < half; ++i) {
        const float angle = static_cast<float>(positions[p]) * inv_freq[i];
        cos[p * half + i] = kernels::math::Cos(angle);
        sin[p * half + i] = kernels::math::Sin(angle);
      }
    }
  });
}

}  // namespace tern::cpu
