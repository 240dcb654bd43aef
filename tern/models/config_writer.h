// SPDX-License-Identifier: MIT
// config.json as transformers reads it. Internal to the room; checkpoint.h is its front.
#pragma once

#include <nlohmann/json.hpp>

#include "tern/core/dtype.h"
#include "tern/models/config.h"

namespace tern {

// How a checkpoint holds a model.
struct StoredAs {
  StoredWeights weights = StoredWeights::kFloat;  // of the projections
  DType floats = DType::kF32;                     // of its floats
  bool declared = true;  // by quantization_config, which takes floats for masters
};
nlohmann::ordered_json ModelConfigJson(const ModelConfig& config, const StoredAs& stored);
// hidden_act
const char* ActivationName(Activation activation);
// What model.generate() of transformers starts from.
nlohmann::ordered_json GenerationConfigJson(const ModelConfig& config);

}  // namespace tern
