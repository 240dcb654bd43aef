// SPDX-License-Identifier: MIT
// What GGUF calls a model's parts: architectures and tensors. Internal to the room.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tern/models/config.h"

namespace tern {

// An architecture of general.architecture as Tern's family.
struct GgufArchitecture {
  std::string_view name;
  std::string_view family;
  Activation activation;
  bool ternary;  // its projections are quantized whatever type their tensors have
  // Rows of q and k lie so that RoPE turns neighbours (i, i + 1), not halves (i, i + head_dim / 2).
  bool neighbours;
};

std::span<const GgufArchitecture> GgufArchitectures();

// The GGUF name of a tensor that Hugging Face calls `name` in a model of the family:
// "blk.0.attn_q.weight" of "model.layers.0.self_attn.q_proj.weight". TERN_CHECKs that it is a
// model's.
std::string GgufTensorName(const ModelFamily& family, std::string_view name);

// What a GGUF file's norms hold beyond the weights: 1 where the model multiplies by 1 + weight,
// else 0. Of a tensor by its Hugging Face name.
float GgufNormOffset(const ModelFamily& family, std::string_view name);

// ModelConfig::query_scalar, which files do not tell.
int64_t GgufQueryScalar(const ModelConfig& config);

}  // namespace tern
