// SPDX-License-Identifier: MIT
// Gemma 3, text alone: layers with a window and an angle of their own between layers that see all
// (arXiv:2503.19786).
#include "tern/base/error.h"
#include "tern/models/families.h"

namespace tern {
namespace {

constexpr double kMaxTheta = 1e12;
constexpr int64_t kMax = int64_t{1} << 24;
constexpr const char* kFull = "full_attention";
constexpr const char* kSliding = "sliding_attention";

void RefuseOthers(const JsonObject& json) {
  for (const char* key : {"final_logit_softcapping", "attn_logit_softcapping"}) {
    if (json.FindFloat(key, -1e30, 1e30)) {
      Fail(ErrorKind::kUnsupported, "{}: {} is not supported", json.place(), key);
    }
  }
  if (json.FindBool("use_bidirectional_attention").value_or(false)) {
    Fail(ErrorKind::kUnsupported, "{}: use_bidirectional_attention is not supported", json.place());
  }
}

void RequirePlain(const JsonObject& rope) {
  std::optional<std::string> type = rope.FindString("rope_type");
  if (!type) type = rope.FindString("type");
  if (type.value_or(rope.Has("factor") ? "none" : "default") != "default") {
    Fail(ErrorKind::kUnsupported, "{}: scaled positions are not supported; only \"default\" is",
         rope.place());
  }
}

// The angle's base in rope_parameters' object for a kind of layer.
double ReadTheta(const JsonObject& rope, const char* kind, double otherwise) {
  const std::optional<JsonObject> own = rope.FindObject(kind);
  if (!own) return otherwise;
  RequirePlain(*own);
  return own->FindFloat("rope_theta", 1.0, kMaxTheta).value_or(otherwise);
}

void ReadRopes(const JsonObject& json, ModelConfig* config) {
  config->local_rope_theta =
      json.FindFloat("rope_local_base_freq", 1.0, kMaxTheta).value_or(10000.0);
  config->rope_theta = json.FindFloat("rope_theta", 1.0, kMaxTheta).value_or(config->rope_theta);
  if (const std::optional<JsonObject> scaling = json.FindObject("rope_scaling")) {
    RequirePlain(*scaling);
  }
  const std::optional<JsonObject> rope = json.FindObject("rope_parameters");
  if (!rope) return;
  config->rope_theta = ReadTheta(*rope, kFull, config->rope_theta);
  config->local_rope_theta = ReadTheta(*rope, kSliding, config->local_rope_theta);
}

void ReadLayers(const JsonObject& json, ModelConfig* config) {
  const int64_t pattern = json.FindInt("sliding_window_pattern", 1, kMax).value_or(6);
  config->local_layers.clear();
  if (const auto types = json.FindStrings("layer_types")) {
    for (const std::string& type : *types) {
      if (type != kFull && type != kSliding) {
        Fail(ErrorKind::kUnsupported, "{}: layer type {} is not known; \"{}\" and \"{}\" are",
             json.place(), Quoted(type), kFull, kSliding);
      }
      config->local_layers.push_back(type == kSliding);
    }
    if (static_cast<int64_t>(types->size()) != config->layers) {
      Fail(ErrorKind::kInvalidFile, "{}: {} layer_types for {} layers", json.place(), types->size(),
           config->layers);
    }
  } else {
    for (int64_t i = 0; i < config->layers; ++i) {
      config->local_layers.push_back((i + 1) % pattern != 0);
    }
  }
  const bool none =
      json.value().contains("sliding_window") && json.value()["sliding_window"].is_null();
  if (none) {
    config->local_layers.clear();
  } else {
    config->window = json.FindInt("sliding_window", 1, kMax).value_or(4096);
  }
}

}  // namespace

void ReadGemma3(const JsonObject& json, ModelConfig* config) {
  RefuseOthers(json);
  ReadRopes(json, config);
  ReadLayers(json, config);
  config->query_scalar = json.FindInt("query_pre_attn_scalar", 1, kMax).value_or(256);
}

void WriteGemma3(const ModelConfig& config, nlohmann::ordered_json* json) {
  nlohmann::ordered_json types = nlohmann::ordered_json::array();
  for (const bool local : config.local_layers) types.push_back(local ? kSliding : kFull);
  if (!types.empty()) (*json)["layer_types"] = std::move(types);
  if (config.window != 0) {
    (*json)["sliding_window"] = config.window;
  } else {
    (*json)["sliding_window"] = nullptr;
  }
  if (config.query_scalar != 0) (*json)["query_pre_attn_scalar"] = config.query_scalar;
  (*json)["hidden_activation"] = (*json)["hidden_act"];
  (*json)["rope_parameters"] = {
      {kFull, {{"rope_type", "default"}, {"rope_theta", config.rope_theta}}},
      {kSliding, {{"rope_type", "default"}, {"rope_theta", config.local_rope_theta}}}};
  (*json)["rope_local_base_freq"] = config.local_rope_theta;
}

}  // namespace tern
