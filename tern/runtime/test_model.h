// SPDX-License-Identifier: MIT
// Small random models and a tokenizer to go with them, for tests alone: of this room and of capi.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/random.h"
#include "tern/core/context.h"
#include "tern/models/model.h"
#include "tern/text/byte_level.h"
#include "tern/text/tokenizer.h"

namespace tern {

// A context with the CPU's default target.
struct TestContext : Context {
  explicit TestContext(int threads = 1) : Context({.threads = threads, .log = {}}) {
    AddBackend(std::make_unique<CpuBackend>());
  }
};

inline ModelConfig TinyConfig() {
  ModelConfig config;
  config.vocab_size = 260;
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.max_positions = 64;
  return config;
}

// Another norm, activation, head and kind of weights.
inline ModelConfig TinyLlamaConfig() {
  ModelConfig config = TinyConfig();
  config.family = "llama";
  config.activation = Activation::kSilu;
  config.sub_norms = false;
  config.tie_embeddings = false;
  config.weights = nn::WeightKind::kF32;
  return config;
}

inline std::vector<int32_t> RandomIds(uint64_t seed, size_t count, int64_t vocab_size) {
  Random random(seed);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) {
    id = static_cast<int32_t>(random.Below(static_cast<uint64_t>(vocab_size)));
  }
  return ids;
}

// Logits [count, vocab_size] of all positions, without a cache.
inline Tensor LogitsWithoutCache(Context& ctx, const Model& model, std::span<const int32_t> ids,
                                 DType kv_dtype = DType::kF32) {
  const auto count = static_cast<int64_t>(ids.size());
  const Tensor input = ctx.Empty({1, count}, DType::kI32);
  std::copy(ids.begin(), ids.end(), input.data<int32_t>());
  return model.Forward(ctx, input, {.kv_dtype = kv_dtype})
      .Reshaped({count, model.config().vocab_size});
}

// A token for every byte, whose value is its id, then "<eos>", which is special. Ids from 257 are
// the model's alone.
inline constexpr int32_t kTestEos = 256;
inline Tokenizer ByteTokenizer() {
  TokenizerSpec spec;
  spec.name = "test";
  spec.pre_tokenizer.steps.emplace_back(ByteLevelSpec{});
  spec.decoder.emplace_back();
  for (int32_t byte = 0; byte < 256; ++byte) {
    spec.vocab.push_back({ByteLevelSpell(std::string(1, static_cast<char>(byte))), byte});
  }
  AddedToken eos;
  eos.id = kTestEos;
  eos.content = "<eos>";
  eos.special = true;
  spec.added_tokens.push_back(eos);
  return Tokenizer(std::move(spec));
}

}  // namespace tern
