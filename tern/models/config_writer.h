// SPDX-License-Identifier: MIT
// config.json as transformers reads it. Internal to the room; checkpoint.h is its front.
#pragma once

#include <nlohmann/json.hpp>

#include "tern/core/dtype.h"
#include "tern/models/config.h"

namespace tern {

// `float_dtype` is that of the checkpoint's floats; `stored` that of its projections.
nlohmann::ordered_json ModelConfigJson(const ModelConfig& config, StoredWeights stored,
                                       DType float_dtype);
// What model.generate() of transformers starts from.
nlohmann::ordered_json GenerationConfigJson(const ModelConfig& config);

}  // namespace tern
