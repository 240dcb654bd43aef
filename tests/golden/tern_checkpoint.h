// SPDX-License-Identifier: MIT
// The checkpoints tern-masters and tern-packed: what Tern writes, for transformers to read. The
// weights are random, from a fixed seed, and the same bits on every machine.
#pragma once

#include <memory>
#include <string>

#include "tern/base/random.h"
#include "tern/models/checkpoint.h"

namespace tern {

struct TernCheckpoint {
  const char* name;
  CheckpointForm form;
};

inline constexpr TernCheckpoint kTernCheckpoints[] = {{"tern-masters", CheckpointForm::kMasters},
                                                      {"tern-packed", CheckpointForm::kPacked}};

inline void WriteTernCheckpoint(Context& ctx, const TernCheckpoint& which,
                                const std::string& directory) {
  ModelConfig config;
  config.vocab_size = 96;
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 8;
  config.max_positions = 128;
  config.tie_embeddings = false;
  config.bos = 0;
  config.eos = {1};
  const std::unique_ptr<Model> model = Model::Create(ctx, config, 1);
  // Norms that are not 1, and layers that outweigh the embedding.
  Random random(2);
  for (const Parameter& parameter : model->Parameters()) {
    for (float& value : parameter.value->span<float>()) {
      if (parameter.kind == ParameterKind::kNorm) {
        value += 0.2f * static_cast<float>(random.Normal());
      } else if (parameter.kind == ParameterKind::kTernaryMaster) {
        value *= 5.0f;
      }
    }
  }
  SaveModel(ctx, *model, directory, {.form = which.form});
}

}  // namespace tern
