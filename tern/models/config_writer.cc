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

// What the weights are, for transformers and for Tern. Without quantization_config it is Tern's own
// keys that tell where the family's habit does not.
void PutWeights(const ModelConfig& config, const ModelFamily& family, const StoredAs& stored,
                ordered_json* json) {
  const bool ternary = config.weights == nn::WeightKind::kTernary;
  ordered_json own;
  if (ternary && config.quantizer == TernaryQuantizer::kSign) own["quantizer"] = "sign";
  if (ternary && stored.declared) {
    const bool divides = stored.weights == StoredWeights::kPackedDivides;
    ordered_json quantization = {
        {"quant_method", "bitnet"},
        {"linear_class", divides ? "bitlinear" : "autobitlinear"},
        {"quantization_mode", stored.weights == StoredWeights::kFloat ? "online" : "offline"}};
    if (config.projection_norms) {
      quantization["use_rms_norm"] = true;
      quantization["rms_norm_eps"] = config.projection_norm_eps;
    }
    (*json)["quantization_config"] = std::move(quantization);
  } else if (ternary != family.trains_ternary) {
    own["weights"] = ternary ? "ternary" : "float";
  }
  if (!own.empty()) (*json)["tern"] = std::move(own);
}

}  // namespace

const char* ActivationName(Activation activation) {
  if (activation == Activation::kGeluTanh) return "gelu_pytorch_tanh";
  return activation == Activation::kRelu2 ? "relu2" : "silu";
}

ordered_json ModelConfigJson(const ModelConfig& config, const StoredAs& stored) {
  const ModelFamily& family = FindModelFamily(config.family, "config.json");
  const bool body = config.embeds && !family.body.empty();
  ordered_json json;
  json["architectures"] = ordered_json::array({body ? family.body : family.architecture});
  json["model_type"] = family.model_type;
  json["vocab_size"] = config.vocab_size;
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.layers;
  json["num_attention_heads"] = config.heads;
  json["num_key_value_heads"] = config.kv_heads;
  json["head_dim"] = config.head_dim;
  json["hidden_act"] = ActivationName(config.activation);
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
  json["dtype"] = TorchName(stored.floats);
  json["torch_dtype"] = TorchName(stored.floats);
  if (family.write != nullptr) family.write(config, &json);
  PutWeights(config, family, stored, &json);
  return json;
}

ordered_json GenerationConfigJson(const ModelConfig& config) {
  ordered_json json;
  json["_from_model_config"] = true;
  PutTokens(config, &json);
  return json;
}

}  // namespace tern
