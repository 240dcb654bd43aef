// SPDX-License-Identifier: MIT
// What a model is: its family, dimensions and kind of weights. Read from a Hugging Face config.json
// and written as one that transformers loads. Every value is checked when it is read; an Error
// names the file, the key and what would mend it.
//
// Tern's own keys stand in an object "tern", which transformers ignores:
//   "tern": {"quantizer": "absmean" | "sign",   of masters; absmean when missing
//            "weights": "ternary" | "float"}    of a configuration without quantization_config
// Without either, the family decides: a BitNet's weights are masters, or ternary already, and the
// other families' are plain floats, as transformers runs them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/core/backend.h"
#include "tern/core/dtype.h"
#include "tern/io/json_file.h"
#include "tern/nn/linear.h"

namespace tern {

struct ModelConfig;

// A line of models.inc.
struct ModelFamily {
  std::string_view name;
  std::string_view model_type;    // config.json's model_type
  std::string_view architecture;  // and its architectures[0]
  std::string_view body = {};     // that of the model without a head, which embeds texts
  bool trains_ternary = false;    // floats of unknown purpose are masters
  // Names of the norms in front of o_proj and down_proj, if there are such.
  std::string_view attention_sub_norm = {};
  std::string_view mlp_sub_norm = {};
  bool head_norms = false;         // q_norm and k_norm
  bool norms_add_one = false;      // to their weights; not those of projections
  bool post_norms = false;         // behind attention and MLP
  bool scales_embeddings = false;  // by the root of hidden_size
  bool ties_embeddings = false;
  Activation activation = Activation::kSilu;
  double rope_theta = 10000.0;
  bool own_ropes = false;  // which `read` reads
  double rms_norm_eps = 1e-6;
  int64_t head_dim = 0;  // 0: hidden_size / num_attention_heads
  int64_t max_positions = 2048;
  // Reads, or refuses, the keys of config.json that the family alone has; writes them.
  void (*read)(const JsonObject& json, ModelConfig* config) = nullptr;
  void (*write)(const ModelConfig& config, nlohmann::ordered_json* json) = nullptr;
};

std::span<const ModelFamily> ModelFamilies();
// By name. Error(kUnsupported) that lists the families when there is none; `place` is what the
// message calls the file.
const ModelFamily& FindModelFamily(std::string_view name, std::string_view place);

// How the projections' weights lie in a checkpoint's files.
enum class StoredWeights : uint8_t {
  kFloat,             // masters or plain weights
  kPackedMultiplies,  // uint8, weight_scale is the multiplier (autobitlinear, offline)
  kPackedDivides,     // uint8, weight_scale is 1 / multiplier (bitlinear)
};

struct ModelConfig {
  std::string family = "bitnet";  // its name
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t max_positions = 2048;
  double rope_theta = 500000.0;
  double rms_norm_eps = 1e-5;
  // Layers that see a window of keys alone, its own included, and turn by an angle of their own.
  std::vector<bool> local_layers;  // by layer; empty: none
  int64_t window = 0;
  double local_rope_theta = 0;
  bool IsLocal(int64_t layer) const {
    return layer < static_cast<int64_t>(local_layers.size()) &&
           local_layers[static_cast<size_t>(layer)];
  }
  // Dot products of attention are divided by its root; 0: by that of head_dim.
  int64_t query_scalar = 0;
  Activation activation = Activation::kRelu2;
  bool sub_norms = true;
  bool head_norms = false;
  // A norm in front of each projection, in addition to the block's.
  bool projection_norms = false;
  double projection_norm_eps = 1e-6;
  bool embeds = false;  // an embedding model: its last hidden state is the result
  bool tie_embeddings = true;
  bool attention_bias = false;
  bool mlp_bias = false;
  nn::WeightKind weights = nn::WeightKind::kTernary;
  TernaryQuantizer quantizer = TernaryQuantizer::kAbsMean;
  // The type that masters and floats are rounded to before each use, and then written in. Not read
  // from config.json: a checkpoint of narrow floats is exact in f32.
  DType float_dtype = DType::kF32;
  std::optional<int32_t> bos;
  std::vector<int32_t> eos;  // each ends a text
  std::optional<int32_t> pad;

  // Of the file that was read; a model made afresh has masters.
  StoredWeights stored = StoredWeights::kFloat;
  // Whether the file says what its floats are. Those of others may be ternary already.
  bool declares_weights = true;
};

// Error(kInvalidFile) that names `place` and the key for dimensions that are missing, not positive
// or contradict each other. The readers below have called it.
void CheckModelConfig(const ModelConfig& config, const std::string& place);

ModelConfig ReadModelConfig(const std::string& path);  // of a config.json
// The token ids of a generation_config.json, which go before config.json's, as in transformers.
void ReadGenerationConfig(const std::string& path, ModelConfig* config);
// From a JSON object with config.json's keys, alone or inside another configuration.
ModelConfig ParseModelConfig(const JsonObject& json);

// Error(kInvalidArgument) that names the first id outside of the vocabulary and its position.
void CheckTokenIds(std::span<const int32_t> ids, const ModelConfig& config);

// Trainable elements: projections (of which ternary, if the model is), embeddings, norms, biases.
int64_t ParameterCount(const ModelConfig& config);

}  // namespace tern
