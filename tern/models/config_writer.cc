// SPDX-License-Identifier: MIT
#include "tern/models/config_writer.h"

#include "tern/base/check.h"

namespace tern {
namespace {

using nlohmann::ordered_json;

const char* TorchName(DType dtype) {
  if (dtype == DType::kBF16) return "bfloat16";
  if (dtype == DType::kF16) return "float16";
  TERN_CHECK(dtype == DType::kF32);
  return "float32";
}

void PutTokens(const ModelConfig& config, ordered_json* json) {
  if (config.bos) (*json)["bos_token_id"] = *config.bos;
  if (config.eos.size() == 1) (*json)["eos_token_id"] = config.eos[0];
  if (config.eos.size() > 1) (*json)["eos_token_id"] = config.eos;
  if (config.pad) (*json)["pad_token_id"] = *config.pad;
}

}  // namespace

ordered_json ModelConfigJson(const ModelConfig& config, StoredWeights stored, DType float_dtype) {
  const ModelFamily& family = FindModelFamily(config.family, "config.json");
  ordered_json json;
  json["architectures"] = ordered_json::array({family.architecture});
  json["model_type"] = family.model_type;
  json["vocab_size"] = config.vocab_size;
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.layers;
  json["num_attention_heads"] = config.heads;
  json["num_key_value_heads"] = config.kv_heads;
  json["head_dim"] = config.head_dim;
  json["hidden_act"] = config.activation == Activation::kRelu2 ? "relu2" : "silu";
  json["max_position_embeddings"] = config.max_positions;
  json["rms_norm_eps"] = config.rms_norm_eps;
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", config.rope_theta}};
  json["rope_theta"] = config.rope_theta;  // for transformers before 5
  json["attention_bias"] = config.attention_bias;
  json["mlp_bias"] = config.mlp_bias;
  json["tie_word_embeddings"] = config.tie_embeddings;
  json["bos_token_id"] = nullptr;  // the families have defaults of their own
  json["eos_token_id"] = nullptr;
  json["pad_token_id"] = nullptr;
  PutTokens(config, &json);
  json["dtype"] = TorchName(float_dtype);
  json["torch_dtype"] = TorchName(float_dtype);
  if (config.weights == nn::WeightKind::kTernary) {
    json["quantization_config"] = {
        {"quant_method", "bitnet"},
        {"linear_class", stored == StoredWeights::kPackedDivides ? "bitlinear" : "autobitlinear"},
        {"quantization_mode", stored == StoredWeights::kFloat ? "online" : "offline"}};
    if (config.quantizer == TernaryQuantizer::kSign) json["tern"] = {{"quantizer", "sign"}};
  }
  return json;
}

ordered_json GenerationConfigJson(const ModelConfig& config) {
  ordered_json json;
  json["_from_model_config"] = true;
  PutTokens(config, &json);
  return json;
}

}  // namespace tern
