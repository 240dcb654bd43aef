// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "tern/base/error.h"
#include "tern/io/json_file.h"
#include "tern/models/gguf_model.h"
#include "tern/models/gguf_names.h"

namespace tern {
namespace {

constexpr int64_t kMaxDimension = int64_t{1} << 31;

const GgufArchitecture& FindArchitecture(const GgufMetadata& metadata) {
  const std::string_view name = metadata.GetString("general.architecture");
  std::vector<std::string_view> known;
  for (const GgufArchitecture& architecture : GgufArchitectures()) {
    if (architecture.name == name) return architecture;
    known.push_back(architecture.name);
  }
  Fail(ErrorKind::kUnsupported, "{}: the architecture {} is not supported; known are: {}",
       metadata.place(), Quoted(name), fmt::join(known, ", "));
}

// The double of the shortest decimal that gives the file's f32: 1e-05 and not 9.99999974e-06, as
// in the config.json that it came from.
double Decimal(double stored) {
  const std::string text = fmt::format("{}", static_cast<float>(stored));
  double value = stored;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// What the file says, else what its shapes tell of two known models whose files carry a misleading
// name, else what the architecture's name stands for.
Activation FindActivation(const GgufMetadata& metadata, const GgufArchitecture& architecture,
                          const ModelConfig& config) {
  const std::string key = fmt::format("{}.hidden_activation", architecture.name);
  if (const std::optional<std::string_view> name = metadata.FindString(key)) {
    if (*name == "silu") return Activation::kSilu;
    if (*name == "relu2" || *name == "relu_sqr") return Activation::kRelu2;
    if (*name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
    Fail(ErrorKind::kUnsupported,
         "{}: metadata {} is {}; \"silu\", \"relu2\" and \"gelu_pytorch_tanh\" are known",
         metadata.place(), Quoted(key), Quoted(*name));
  }
  if (architecture.ternary && config.hidden_size == 2560 && config.intermediate_size == 6912 &&
      config.layers == 30) {
    return Activation::kRelu2;  // bitnet-b1.58-2B-4T
  }
  if (architecture.ternary && config.vocab_size == 32002) return Activation::kSilu;  // 1bitLLM's
  return architecture.activation;
}

// What projections multiply: int8 rows, or float ones.
nn::WeightKind FindWeights(const GgufFile& file, const GgufArchitecture& architecture,
                           bool projection_norms) {
  constexpr std::string_view kOwn = "tern.weights";
  if (const std::optional<std::string_view> own = file.metadata().FindString(kOwn)) {
    if (*own == "float") return nn::WeightKind::kF32;
    if (*own == "ternary") return nn::WeightKind::kTernary;
    Fail(ErrorKind::kUnsupported, "{}: metadata {} is {}; \"ternary\" and \"float\" are known",
         file.path(), Quoted(kOwn), Quoted(*own));
  }
  // Q2_0 is what models come in that take float activations (Ternary Bonsai).
  const GgmlType& type = *file.Get("blk.0.attn_q.weight").type;
  // Only what was trained for int8 has a norm in each projection.
  const bool ternary =
      architecture.ternary || projection_norms || (type.ternary && !type.name.starts_with("Q2_0"));
  return ternary ? nn::WeightKind::kTernary : nn::WeightKind::kF32;
}

// Whether the model embeds texts, by its last token: others pool in ways that Tern does not have.
bool Embeds(const GgufMetadata& metadata, const std::string& prefix) {
  constexpr int64_t kNone = 0, kLast = 3;
  const std::string key = prefix + "pooling_type";
  const int64_t type = metadata.FindInt(key, INT32_MIN, INT32_MAX).value_or(kNone);
  if (type <= kNone) return false;  // -1: unspecified
  if (type != kLast) {
    Fail(ErrorKind::kUnsupported,
         "{}: metadata {} is {} ({}); Tern takes the last token (3) as the text's embedding. If "
         "the model is trained for it and its converter knew no better, take its Hugging Face "
         "directory",
         metadata.place(), Quoted(key), type,
         type == 1   ? "mean"
         : type == 2 ? "first token"
         : type == 4 ? "rank"
                     : "unknown");
  }
  return true;
}

// Layers that see a window of keys: all but every n-th. What no key says is as other programs take
// it.
void ReadGemma3(const GgufFile& file, const std::string& prefix, ModelConfig* config) {
  const GgufMetadata& metadata = file.metadata();
  for (const char* key : {"final_logit_softcapping", "attn_logit_softcapping"}) {
    if (metadata.FindFloat(prefix + key, -1e30, 1e30).value_or(0) != 0) {
      Fail(ErrorKind::kUnsupported, "{}: {} is not supported", file.path(), prefix + key);
    }
  }
  if (file.Find("dense_2.weight") != nullptr) {
    Fail(ErrorKind::kUnsupported,
         "{}: layers behind the pooling (\"dense_2.weight\") are not supported", file.path());
  }
  config->query_scalar = GgufQueryScalar(*config);
  const int64_t window =
      metadata.FindInt(prefix + "attention.sliding_window", 0, kMaxDimension).value_or(0);
  const int64_t period =
      metadata.FindInt(prefix + "attention.sliding_window_pattern", 1, kMaxDimension).value_or(6);
  config->local_rope_theta =
      Decimal(metadata.FindFloat(prefix + "rope.freq_base_swa", 1.0, 1e12).value_or(10000.0));
  if (window == 0) return;
  config->window = window;
  for (int64_t i = 0; i < config->layers; ++i) {
    config->local_layers.push_back((i + 1) % period != 0);
  }
}

void RefuseWhatIsNotRead(const GgufFile& file, const std::string& prefix, int64_t head_dim) {
  const GgufMetadata& metadata = file.metadata();
  for (const auto& [key, value] : metadata.values()) {
    if (key.starts_with("prism.hadamard")) {
      Fail(ErrorKind::kUnsupported,
           "{}: metadata {}: the weights are rotated (Hadamard), which Tern does not undo; take "
           "the model's unrotated files or its Hugging Face checkpoint",
           file.path(), Quoted(key));
    }
  }
  const std::string scaling = prefix + "rope.scaling.type";
  const std::string_view kind = metadata.FindString(scaling).value_or("none");
  if (kind != "none" || file.Find("rope_freqs.weight") != nullptr) {
    Fail(ErrorKind::kUnsupported, "{}: scaled RoPE ({}) is not supported", file.path(),
         kind != "none" ? Quoted(kind) : "rope_freqs.weight");
  }
  const int64_t rotated =
      metadata.FindInt(prefix + "rope.dimension_count", 1, kMaxDimension).value_or(head_dim);
  if (rotated != head_dim) {
    Fail(ErrorKind::kUnsupported, "{}: RoPE on {} of {} elements of a head is not supported",
         file.path(), rotated, head_dim);
  }
}

// End of sequence, and the tokens that end a turn: other tools stop on them, too.
void ReadTokenIds(const GgufMetadata& metadata, ModelConfig* config) {
  const auto find = [&](const char* key) -> std::optional<int32_t> {
    const std::optional<int64_t> id = metadata.FindInt(key, -1, INT32_MAX);
    if (!id || *id < 0) return std::nullopt;
    return static_cast<int32_t>(*id);
  };
  const auto add_end = [&](int32_t id) {
    if (std::find(config->eos.begin(), config->eos.end(), id) == config->eos.end()) {
      config->eos.push_back(id);
    }
  };
  config->bos = find("tokenizer.ggml.bos_token_id");
  config->pad = find("tokenizer.ggml.padding_token_id");
  for (const char* key : {"eos", "eot", "eom"}) {
    if (const auto id = find(fmt::format("tokenizer.ggml.{}_token_id", key).c_str())) add_end(*id);
  }
  const auto tokens = metadata.FindStrings("tokenizer.ggml.tokens");
  if (!tokens) return;
  for (size_t i = 0; i < tokens->size(); ++i) {
    for (const char* end : {"<|eot_id|>", "<|im_end|>", "<end_of_turn>"}) {
      if ((*tokens)[i] == end) add_end(static_cast<int32_t>(i));
    }
  }
}

}  // namespace

ModelConfig ReadGgufConfig(const GgufFile& file) {
  const GgufMetadata& metadata = file.metadata();
  const GgufArchitecture& architecture = FindArchitecture(metadata);
  const std::string prefix = fmt::format("{}.", architecture.name);
  const auto dim = [&](const char* key) { return metadata.GetInt(prefix + key, 1, kMaxDimension); };
  ModelConfig config;
  config.family = architecture.family;
  config.vocab_size = file.Get("token_embd.weight").rows();
  config.hidden_size = dim("embedding_length");
  config.intermediate_size = dim("feed_forward_length");
  config.layers = dim("block_count");
  config.heads = dim("attention.head_count");
  config.kv_heads =
      metadata.FindInt(prefix + "attention.head_count_kv", 1, kMaxDimension).value_or(config.heads);
  const std::optional<int64_t> head_dim =
      metadata.FindInt(prefix + "attention.key_length", 1, kMaxDimension);
  config.head_dim = head_dim.value_or(config.hidden_size / config.heads);
  config.max_positions = dim("context_length");
  config.rope_theta =
      Decimal(metadata.FindFloat(prefix + "rope.freq_base", 1.0, 1e12).value_or(10000.0));
  config.rms_norm_eps =
      Decimal(metadata.GetFloat(prefix + "attention.layer_norm_rms_epsilon", 0.0, 1.0));
  config.activation = FindActivation(metadata, architecture, config);
  config.sub_norms = file.Find("blk.0.attn_sub_norm.weight") != nullptr;
  config.attention_bias = file.Find("blk.0.attn_q.bias") != nullptr;
  config.mlp_bias = file.Find("blk.0.ffn_gate.bias") != nullptr;
  if (architecture.ternary) {
    config.family = config.activation == Activation::kRelu2 ? "bitnet" : "bitnet-1bitllm";
  }
  config.head_norms = file.Find("blk.0.attn_q_norm.weight") != nullptr;
  config.projection_norms = file.Find("blk.0.attn_q_norm_in.weight") != nullptr;
  config.projection_norm_eps = config.rms_norm_eps;
  config.weights = FindWeights(file, architecture, config.projection_norms);
  config.embeds = Embeds(metadata, prefix);
  ReadTokenIds(metadata, &config);
  RefuseWhatIsNotRead(file, prefix, config.head_dim);
  CheckModelConfig(config, file.path());
  if (config.family == "gemma3_text") ReadGemma3(file, prefix, &config);
  return config;
}

}  // namespace tern
