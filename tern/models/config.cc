// SPDX-License-Identifier: MIT
#include "tern/models/config.h"

#include <fmt/ranges.h>

#include <array>
#include <limits>

#include "tern/base/error.h"
#include "tern/models/families.h"

namespace tern {
namespace {

constexpr std::array kFamilies = {
#define TERN_MODEL_FAMILY(...) ModelFamily{__VA_ARGS__},
#include "tern/models/models.inc"
#undef TERN_MODEL_FAMILY
};

// Far above every model. With heads times head_dim a width too, no count of parameters overflows:
// a block has less than 2^43, and all blocks less than 2^57.
constexpr int64_t kMaxVocab = int64_t{1} << 24;
constexpr int64_t kMaxWidth = int64_t{1} << 20;
constexpr int64_t kMaxLayers = 1 << 14;
constexpr int64_t kMaxPositions = int64_t{1} << 24;

struct Dimension {
  std::string_view key;
  int64_t value;
  int64_t max;
};

int64_t Dim(const JsonObject& json, std::string_view key, int64_t max) {
  return json.GetInt(key, 1, max);
}

// Positions that are scaled, or that turn a part of a head alone, would give a model that runs and
// is wrong.
void RequirePlainRope(const JsonObject& rope) {
  std::optional<std::string> type = rope.FindString("rope_type");
  if (!type) type = rope.FindString("type");
  if (type && *type != "default") {
    Fail(ErrorKind::kUnsupported, "{}: rope_type {} is not supported; only \"default\" is",
         rope.place(), Quoted(*type));
  }
  if (!type && rope.Has("factor")) {
    Fail(ErrorKind::kInvalidFile, "{}: has a \"factor\" but no \"rope_type\" that says what for",
         rope.place());
  }
  for (const auto& item : rope.value().items()) {
    if (item.value().is_object()) {
      Fail(ErrorKind::kUnsupported, "{}: positions of their own for {} are not supported",
           rope.place(), Quoted(item.key()));
    }
  }
}

// rope_parameters, or rope_theta beside rope_scaling as files before transformers 5 have it.
double ReadRope(const JsonObject& json, double family_theta) {
  constexpr double kMax = 1e12;
  std::optional<double> theta;
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const std::optional<JsonObject> rope = json.FindObject(key);
    if (!rope) continue;
    RequirePlainRope(*rope);
    if (!theta) theta = rope->FindFloat("rope_theta", 1.0, kMax);
  }
  if (!theta) theta = json.FindFloat("rope_theta", 1.0, kMax);
  return theta.value_or(family_theta);
}

Activation ReadActivation(const JsonObject& json, Activation family_activation) {
  std::optional<std::string> name = json.FindString("hidden_activation");  // Gemma's key
  if (!name) name = json.FindString("hidden_act");
  if (!name) return family_activation;
  if (*name == "relu2") return Activation::kRelu2;
  if (*name == "silu") return Activation::kSilu;
  if (*name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
  Fail(ErrorKind::kUnsupported,
       "{}: hidden_act {} is not supported; \"relu2\", \"silu\" and \"gelu_pytorch_tanh\" are",
       json.place(), Quoted(*name));
}

void ReadDimensions(const JsonObject& json, const ModelFamily& family, ModelConfig* config) {
  config->vocab_size = Dim(json, "vocab_size", kMaxVocab);
  config->hidden_size = Dim(json, "hidden_size", kMaxWidth);
  config->intermediate_size = Dim(json, "intermediate_size", kMaxWidth);
  config->layers = Dim(json, "num_hidden_layers", kMaxLayers);
  config->heads = Dim(json, "num_attention_heads", kMaxWidth);
  config->kv_heads = json.FindInt("num_key_value_heads", 1, kMaxWidth).value_or(config->heads);
  if (const std::optional<int64_t> head_dim = json.FindInt("head_dim", 1, kMaxWidth)) {
    config->head_dim = *head_dim;
  } else if (family.head_dim != 0) {
    config->head_dim = family.head_dim;
  } else {
    if (config->hidden_size % config->heads != 0) {
      Fail(ErrorKind::kInvalidFile,
           "{}: \"hidden_size\" {} is not a multiple of \"num_attention_heads\" {}; mend one or "
           "give \"head_dim\"",
           json.place(), config->hidden_size, config->heads);
    }
    config->head_dim = config->hidden_size / config->heads;
  }
  config->max_positions =
      json.FindInt("max_position_embeddings", 1, kMaxPositions).value_or(family.max_positions);
}

// Those that `json` has; the others stay.
void ReadTokens(const JsonObject& json, ModelConfig* config) {
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  if (const auto bos = json.FindInt("bos_token_id", 0, kMax)) {
    config->bos = static_cast<int32_t>(*bos);
  }
  // Some files say "none" by -1.
  if (const auto pad = json.FindInt("pad_token_id", -1, kMax); pad && *pad >= 0) {
    config->pad = static_cast<int32_t>(*pad);
  }
  if (const auto eos = json.FindInts("eos_token_id", 0, kMax)) {
    config->eos.assign(eos->begin(), eos->end());
  }
}

void CheckConverted(const JsonObject& quantization) {
  const auto kept = quantization.FindStrings("modules_to_not_convert");
  if (!kept) return;
  for (const std::string& module : *kept) {
    if (module != "lm_head") {
      Fail(ErrorKind::kUnsupported,
           "{}: modules_to_not_convert names {}; only \"lm_head\" may stay unconverted",
           quantization.place(), Quoted(module));
    }
  }
}

// What BitNetQuantConfig of transformers reads, with its defaults.
StoredWeights ReadQuantization(const JsonObject& quantization) {
  const std::string& place = quantization.place();
  const std::string method = quantization.GetString("quant_method");
  if (method != "bitnet") {
    Fail(ErrorKind::kUnsupported, "{}: quant_method {} is not supported; only \"bitnet\" is", place,
         Quoted(method));
  }
  const std::string linear = quantization.FindString("linear_class").value_or("bitlinear");
  if (linear != "bitlinear" && linear != "autobitlinear") {
    Fail(ErrorKind::kUnsupported,
         "{}: linear_class {} is not known; \"bitlinear\" and \"autobitlinear\" are", place,
         Quoted(linear));
  }
  const std::string mode = quantization.FindString("quantization_mode").value_or("offline");
  if (mode != "online" && mode != "offline") {
    Fail(ErrorKind::kUnsupported,
         "{}: quantization_mode {} is not known; \"online\" and \"offline\" are", place,
         Quoted(mode));
  }
  CheckConverted(quantization);
  if (linear == "autobitlinear") {
    return mode == "online" ? StoredWeights::kFloat : StoredWeights::kPackedMultiplies;
  }
  if (mode == "online") {
    Fail(ErrorKind::kInvalidFile,
         "{}: linear_class \"bitlinear\" holds packed weights and contradicts quantization_mode "
         "\"online\"; masters are \"autobitlinear\"",
         place);
  }
  return StoredWeights::kPackedDivides;
}

// The key's value if it is one of the two; nothing without the key.
std::optional<std::string> FindEither(const JsonObject& json, const char* key, const char* one,
                                      const char* other) {
  std::optional<std::string> value = json.FindString(key);
  if (value && *value != one && *value != other) {
    Fail(ErrorKind::kInvalidFile, "{}: {} {} is not known; \"{}\" and \"{}\" are", json.place(),
         key, Quoted(*value), one, other);
  }
  return value;
}

// What the weights are: quantization_config, Tern's own keys, or the family's habit.
void ReadWeights(const JsonObject& json, const ModelFamily& family, ModelConfig* config) {
  std::optional<std::string> kind;
  if (const std::optional<JsonObject> own = json.FindObject("tern")) {
    own->RefuseOtherKeys({"quantizer", "weights"});
    if (FindEither(*own, "quantizer", "absmean", "sign") == "sign") {
      config->quantizer = TernaryQuantizer::kSign;
    }
    kind = FindEither(*own, "weights", "ternary", "float");
  }
  if (const std::optional<JsonObject> quantization = json.FindObject("quantization_config")) {
    config->stored = ReadQuantization(*quantization);
    config->projection_norms = quantization->FindBool("use_rms_norm").value_or(false);
    config->projection_norm_eps = quantization->FindFloat("rms_norm_eps", 0.0, 1.0).value_or(1e-6);
    return;
  }
  config->declares_weights = false;
  const bool ternary = kind ? *kind == "ternary" : family.trains_ternary;
  config->weights = ternary ? nn::WeightKind::kTernary : nn::WeightKind::kF32;
}

// The family of a model_type and the architecture, if one is named. 1bitLLM's BitNet calls itself
// a "llama" with an architecture of its own.
const ModelFamily& FamilyOf(const JsonObject& json, ModelConfig* config) {
  const std::string type = json.GetString("model_type");
  const std::optional<std::vector<std::string>> names = json.FindStrings("architectures");
  const bool named = names && !names->empty();
  std::vector<std::string_view> types, architectures;
  for (const ModelFamily& family : kFamilies) {
    if (std::ranges::find(types, family.model_type) == types.end()) {
      types.push_back(family.model_type);
    }
    if (family.model_type != type) continue;
    architectures.push_back(family.architecture);
    config->embeds = named && !family.body.empty() && names->front() == family.body;
    const bool general = family.name == family.model_type;
    if (named ? names->front() == family.architecture || config->embeds : general) return family;
  }
  if (architectures.empty()) {
    Fail(ErrorKind::kUnsupported, "{}: model_type {} is not supported; known are: {}", json.place(),
         Quoted(type), fmt::join(types, ", "));
  }
  Fail(ErrorKind::kUnsupported, "{}: architecture {} is not supported; {} has {}", json.place(),
       Quoted(names->front()), type, fmt::join(architectures, ", "));
}

void CheckTokens(const ModelConfig& config, const std::string& place) {
  const auto check = [&](std::string_view key, int32_t id) {
    if (id < 0 || id >= config.vocab_size) {
      Fail(ErrorKind::kInvalidFile, "{}: \"{}\" {} is not below \"vocab_size\" {}", place, key, id,
           config.vocab_size);
    }
  };
  if (config.bos) check("bos_token_id", *config.bos);
  for (const int32_t id : config.eos) check("eos_token_id", id);
}

}  // namespace

void Read1BitLlm(const JsonObject& json, ModelConfig* /*config*/) {
  for (const auto& [key, only] : {std::pair{"input_bits", 8}, std::pair{"weight_bits", 1}}) {
    const std::optional<int64_t> bits = json.FindInt(key, 1, 64);
    if (bits && *bits != only) {
      Fail(ErrorKind::kUnsupported, "{}: {} {} is not supported; only {} is", json.place(), key,
           *bits, only);
    }
  }
}

void ReadQwen3(const JsonObject& json, ModelConfig* /*config*/) {
  if (json.FindBool("use_sliding_window").value_or(false)) {
    Fail(ErrorKind::kUnsupported, "{}: use_sliding_window is not supported for qwen3",
         json.place());
  }
}

std::span<const ModelFamily> ModelFamilies() { return kFamilies; }

const ModelFamily& FindModelFamily(std::string_view name, std::string_view place) {
  for (const ModelFamily& family : kFamilies) {
    if (family.name == name) return family;
  }
  std::vector<std::string_view> names;
  names.reserve(std::size(kFamilies));
  for (const ModelFamily& family : kFamilies) names.push_back(family.name);
  Fail(ErrorKind::kUnsupported, "{}: the family {} is not supported; known are: {}", place,
       Quoted(name), fmt::join(names, ", "));
}

void CheckModelConfig(const ModelConfig& config, const std::string& place) {
  FindModelFamily(config.family, place);
  for (const auto& [key, value, max] :
       {Dimension{"vocab_size", config.vocab_size, kMaxVocab},
        Dimension{"hidden_size", config.hidden_size, kMaxWidth},
        Dimension{"intermediate_size", config.intermediate_size, kMaxWidth},
        Dimension{"num_hidden_layers", config.layers, kMaxLayers},
        Dimension{"num_attention_heads", config.heads, kMaxWidth},
        Dimension{"num_key_value_heads", config.kv_heads, kMaxWidth},
        Dimension{"head_dim", config.head_dim, kMaxWidth},
        Dimension{"max_position_embeddings", config.max_positions, kMaxPositions}}) {
    if (value < 1 || value > max) {
      Fail(ErrorKind::kInvalidFile, "{}: \"{}\" is {}, must be from 1 to {}", place, key, value,
           max);
    }
  }
  if (config.heads % config.kv_heads != 0) {
    Fail(ErrorKind::kInvalidFile,
         "{}: \"num_attention_heads\" {} is not a multiple of \"num_key_value_heads\" {}", place,
         config.heads, config.kv_heads);
  }
  if (config.heads * config.head_dim > kMaxWidth) {
    Fail(ErrorKind::kInvalidFile,
         "{}: \"num_attention_heads\" {} times \"head_dim\" {} is more than {}", place,
         config.heads, config.head_dim, kMaxWidth);
  }
  if (config.head_dim % 2 != 0) {
    Fail(ErrorKind::kInvalidFile,
         "{}: heads of size {} cannot be rotated; \"head_dim\" must be even", place,
         config.head_dim);
  }
  if (config.sub_norms && config.heads * config.head_dim != config.hidden_size) {
    Fail(ErrorKind::kInvalidFile,
         "{}: \"num_attention_heads\" {} times \"head_dim\" {} is not \"hidden_size\" {}, which a "
         "model with sub-norms needs",
         place, config.heads, config.head_dim, config.hidden_size);
  }
  CheckTokens(config, place);
}

ModelConfig ReadModelConfig(const std::string& path) {
  const nlohmann::json document = ReadJsonFile(path);
  return ParseModelConfig(JsonObject(document, path));
}

void ReadGenerationConfig(const std::string& path, ModelConfig* config) {
  const nlohmann::json document = ReadJsonFile(path);
  ReadTokens(JsonObject(document, path), config);
  CheckTokens(*config, path);
}

ModelConfig ParseModelConfig(const JsonObject& json) {
  ModelConfig config;
  const ModelFamily& family = FamilyOf(json, &config);
  config.family = family.name;
  ReadDimensions(json, family, &config);
  ReadTokens(json, &config);
  config.sub_norms = !family.attention_sub_norm.empty();
  config.head_norms = family.head_norms;
  config.activation = ReadActivation(json, family.activation);
  config.rope_theta = family.own_ropes ? family.rope_theta : ReadRope(json, family.rope_theta);
  config.rms_norm_eps = json.FindFloat("rms_norm_eps", 0.0, 1.0).value_or(family.rms_norm_eps);
  config.tie_embeddings = json.FindBool("tie_word_embeddings").value_or(family.ties_embeddings);
  config.attention_bias = json.FindBool("attention_bias").value_or(false);
  config.mlp_bias = json.FindBool("mlp_bias").value_or(false);
  ReadWeights(json, family, &config);
  if (family.read != nullptr) family.read(json, &config);
  CheckModelConfig(config, json.place());
  return config;
}

void CheckTokenIds(std::span<const int32_t> ids, const ModelConfig& config) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < config.vocab_size) continue;
    Fail(ErrorKind::kInvalidArgument,
         "token id {} at position {} is outside of the model's vocabulary, 0 to {}; was it made "
         "with another tokenizer?",
         ids[i], i, config.vocab_size - 1);
  }
}

int64_t ParameterCount(const ModelConfig& config) {
  const int64_t q = config.heads * config.head_dim;
  const int64_t kv = config.kv_heads * config.head_dim;
  const int64_t hidden = config.hidden_size;
  const int64_t ffn = config.intermediate_size;
  int64_t block = 2 * hidden * q + 2 * hidden * kv + 3 * hidden * ffn + 2 * hidden;
  if (config.sub_norms) block += q + ffn;
  if (config.head_norms) block += 2 * config.head_dim;
  if (FindModelFamily(config.family, "model configuration").post_norms) block += 2 * hidden;
  if (config.projection_norms) block += 5 * hidden + q + ffn;
  if (config.attention_bias) block += q + 2 * kv + hidden;
  if (config.mlp_bias) block += 2 * ffn + hidden;
  const int64_t tables = config.tie_embeddings ? 1 : 2;
  return config.layers * block + tables * config.vocab_size * hidden + hidden;
}

}  // namespace tern
