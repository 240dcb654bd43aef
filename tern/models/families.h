// SPDX-License-Identifier: MIT
// What a family of models.inc reads and writes of config.json beyond what all have: ReadX refuses
// keys that would change the result and that Tern does not have. Internal to the room.
#pragma once

#include <nlohmann/json.hpp>

#include "tern/io/json_file.h"
#include "tern/models/config.h"

namespace tern {

void Read1BitLlm(const JsonObject& json, ModelConfig* config);
void ReadQwen3(const JsonObject& json, ModelConfig* config);
void ReadGemma3(const JsonObject& json, ModelConfig* config);
void WriteGemma3(const ModelConfig& config, nlohmann::ordered_json* json);

}  // namespace tern
