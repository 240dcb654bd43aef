// SPDX-License-Identifier: MIT
// For tests: small models with random weights on any CPU target.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/random.h"
#include "tern/core/context.h"
#include "tern/models/model.h"

namespace tern {

// 2 layers, hidden 64, 4 heads on 2 KV heads, odd sizes elsewhere.
inline ModelConfig SmallConfig() {
  ModelConfig config;
  config.vocab_size = 97;
  config.hidden_size = 64;
  config.intermediate_size = 100;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.max_positions = 64;
  config.bos = 0;
  config.eos = {1};
  return config;
}

inline std::unique_ptr<Context> CpuContext(std::string_view target = {}, int threads = 1) {
  auto ctx = std::make_unique<Context>(ContextOptions{.threads = threads, .log = {}});
  ctx->AddBackend(std::make_unique<CpuBackend>(target));
  return ctx;
}

inline std::vector<std::string> SupportedTargets() {
  std::vector<std::string> names;
  for (const kernels::Target& target : kernels::ListTargets(CpuFeatures::Detect())) {
    if (target.supported) names.push_back(target.name);
  }
  return names;
}

// Gives norms, biases and embeddings values that a mistake with them would not survive.
inline void Enliven(Model& model, uint64_t seed) {
  Random random(seed, 1 << 20);
  for (const Parameter& parameter : model.Parameters()) {
    for (float& value : parameter.value->span<float>()) {
      const float noise = static_cast<float>(random.Normal());
      if (parameter.kind == ParameterKind::kNorm) value += 0.2f * noise;
      if (parameter.kind == ParameterKind::kBias) value += 0.1f * noise;
      if (parameter.kind == ParameterKind::kEmbedding) value += 0.1f * noise;
    }
  }
}

inline Tensor MakeIds(Context& ctx, int64_t batch, std::span<const int32_t> ids) {
  const Tensor tensor = ctx.Empty({batch, static_cast<int64_t>(ids.size()) / batch}, DType::kI32);
  std::copy(ids.begin(), ids.end(), tensor.data<int32_t>());
  return tensor;
}

inline std::vector<int32_t> RandomIds(int64_t count, int64_t vocab, uint64_t seed) {
  Random random(seed);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<int32_t>(random.Below(static_cast<uint64_t>(vocab))));
  }
  return ids;
}

// The logits of a pass without a cache.
inline std::vector<float> Logits(Context& ctx, const Model& model, int64_t batch,
                                 std::span<const int32_t> ids, const ForwardOptions& options = {}) {
  const Tensor logits = model.Forward(ctx, MakeIds(ctx, batch, ids), options);
  const std::span<const float> values = logits.span<float>();
  return {values.begin(), values.end()};
}

}  // namespace tern
