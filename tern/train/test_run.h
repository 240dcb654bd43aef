// SPDX-License-Identifier: MIT
// For tests: a context, a text that a tiny model learns something from, and the settings of such a
// model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/random.h"
#include "tern/base/settings.h"
#include "tern/core/context.h"
#include "tern/models/model.h"
#include "tern/train/train_config.h"
#include "tern/train/train_step.h"

namespace tern::testing {

inline std::unique_ptr<Context> MakeTrainContext(int threads) {
  auto ctx = std::make_unique<Context>(ContextOptions{.threads = threads, .log = {}});
  ctx->AddBackend(std::make_unique<CpuBackend>(ReadSettings().cpu_target));
  return ctx;
}

// Sentences of few words in a fixed order of kinds, with documents in between.
inline std::string TinyText(int sentences, uint64_t seed = 1) {
  const std::vector<std::string> who = {"the fox", "a girl", "the old king", "one bird"};
  const std::vector<std::string> does = {"sees", "follows", "likes"};
  const std::vector<std::string> what = {"the moon", "a river", "bread", "the garden", "nobody"};
  Random random(seed);
  const auto pick = [&](const std::vector<std::string>& words) {
    return words[random.Below(words.size())];
  };
  std::string text;
  for (int i = 0; i < sentences; ++i) {
    text += pick(who) + " " + pick(does) + " " + pick(what) + ".\n";
    if (i % 20 == 19) text += "<|endoftext|>\n";
  }
  return text;
}

inline TrainConfig TinyTrainConfig() {
  TrainConfig config;
  config.vocab_size = 288;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.max_position_embeddings = 24;
  config.sequence_length = 12;
  config.batch_tokens = 96;
  config.micro_batch_tokens = 48;
  config.steps = 8;
  config.warmup_steps = 2;
  config.learning_rate = 1e-2;
  config.second_learning_rate = 6e-3;
  config.validation_fraction = 0.1;
  config.eval_interval = 4;
  config.eval_tokens = 100;
  config.checkpoint_interval = 0;
  return config;
}

inline ModelConfig TinyModelConfig() {
  ModelConfig config;
  config.vocab_size = 40;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.layers = 2;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 8;
  config.max_positions = 24;
  return config;
}

inline TokenBatch RandomBatch(Context& ctx, int64_t sequences, int64_t length, int64_t vocab) {
  TokenBatch batch = TokenBatch::Empty(ctx, sequences, length);
  Random random(5);
  for (int32_t& id : batch.inputs.span<int32_t>()) {
    id = static_cast<int32_t>(random.Below(static_cast<uint64_t>(vocab)));
  }
  for (int32_t& id : batch.targets.span<int32_t>()) {
    id = static_cast<int32_t>(random.Below(static_cast<uint64_t>(vocab)));
  }
  return batch;
}

}  // namespace tern::testing
