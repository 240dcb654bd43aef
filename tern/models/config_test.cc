// SPDX-License-Identifier: MIT
#include "tern/models/config.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tern/io/test_files.h"
#include "tern/models/config_writer.h"

namespace tern {
namespace {

constexpr const char* kPlace = "some/config.json";

constexpr std::string_view kBitNet = R"({
  "architectures": ["BitNetForCausalLM"], "model_type": "bitnet", "vocab_size": 256,
  "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4,
  "num_key_value_heads": 2, "hidden_act": "relu2", "max_position_embeddings": 128,
  "rms_norm_eps": 1e-05, "pad_token_id": null, "bos_token_id": 0, "eos_token_id": [1, 2],
  "tie_word_embeddings": true,
  "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
  "quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear",
                          "quantization_mode": "online"}})";

nlohmann::json BitNet() { return ParseJson(kBitNet, kPlace); }

ModelConfig Parse(const nlohmann::json& json) { return ParseModelConfig(JsonObject(json, kPlace)); }

TEST(ModelConfig, ReadsBitNet) {
  const ModelConfig config = Parse(BitNet());
  EXPECT_EQ(config.family, "bitnet");
  EXPECT_EQ(config.vocab_size, 256);
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.intermediate_size, 160);
  EXPECT_EQ(config.layers, 2);
  EXPECT_EQ(config.heads, 4);
  EXPECT_EQ(config.kv_heads, 2);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.max_positions, 128);
  EXPECT_EQ(config.rope_theta, 500000.0);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_EQ(config.activation, Activation::kRelu2);
  EXPECT_TRUE(config.sub_norms);
  EXPECT_TRUE(config.tie_embeddings);
  EXPECT_EQ(config.weights, nn::WeightKind::kTernary);
  EXPECT_EQ(config.stored, StoredWeights::kFloat);
  EXPECT_EQ(config.bos, 0);
  EXPECT_EQ(config.eos, (std::vector<int32_t>{1, 2}));
  EXPECT_FALSE(config.pad.has_value());
  EXPECT_EQ(config.float_dtype, DType::kF32);
}

TEST(ModelConfig, FamiliesHaveTheDefaultsOfTransformers) {
  nlohmann::json json = BitNet();
  for (const char* key : {"rope_parameters", "rms_norm_eps", "hidden_act", "tie_word_embeddings",
                          "max_position_embeddings", "num_key_value_heads", "architectures"}) {
    json.erase(key);
  }
  ModelConfig config = Parse(json);
  EXPECT_EQ(config.rope_theta, 500000.0);
  EXPECT_EQ(config.rms_norm_eps, 1e-5);
  EXPECT_EQ(config.activation, Activation::kRelu2);
  EXPECT_FALSE(config.tie_embeddings);
  EXPECT_EQ(config.kv_heads, 4);
  json["model_type"] = "llama";
  config = Parse(json);
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.activation, Activation::kSilu);
  EXPECT_FALSE(config.sub_norms);
}

TEST(ModelConfig, ReadsTheOlderPlaceOfRopeTheta) {
  nlohmann::json json = BitNet();
  json.erase("rope_parameters");
  json["rope_theta"] = 1000042.0;
  json["rope_scaling"] = nullptr;
  EXPECT_EQ(Parse(json).rope_theta, 1000042.0);
}

TEST(ModelConfig, TellsTheFormsOfWeightsApart) {
  nlohmann::json json = BitNet();
  json["quantization_config"]["quantization_mode"] = "offline";
  EXPECT_EQ(Parse(json).stored, StoredWeights::kPackedMultiplies);
  json["quantization_config"]["linear_class"] = "bitlinear";
  EXPECT_EQ(Parse(json).stored, StoredWeights::kPackedDivides);
  json["quantization_config"] = {{"quant_method", "bitnet"}};
  EXPECT_EQ(Parse(json).stored, StoredWeights::kPackedDivides);
  json["tern"] = {{"quantizer", "sign"}};
  EXPECT_EQ(Parse(json).quantizer, TernaryQuantizer::kSign);
}

TEST(ModelConfig, TellsMastersFromPlainFloats) {
  nlohmann::json json = BitNet();
  json.erase("quantization_config");
  EXPECT_EQ(Parse(json).weights, nn::WeightKind::kTernary);
  EXPECT_FALSE(Parse(json).declares_weights);
  json["tern"] = {{"weights", "float"}};
  EXPECT_EQ(Parse(json).weights, nn::WeightKind::kF32);
  json.erase("tern");
  json["model_type"] = "llama";
  json["architectures"] = {"BitnetForCausalLM"};
  json["hidden_act"] = "silu";
  EXPECT_EQ(Parse(json).weights, nn::WeightKind::kTernary);
  EXPECT_EQ(Parse(json).family, "bitnet-1bitllm");
  EXPECT_TRUE(Parse(json).sub_norms);
  json["architectures"] = {"LlamaForCausalLM"};
  EXPECT_EQ(Parse(json).weights, nn::WeightKind::kF32);
  EXPECT_FALSE(Parse(json).sub_norms);
  json["tern"] = {{"weights", "ternary"}};
  EXPECT_EQ(Parse(json).weights, nn::WeightKind::kTernary);
}

TEST(ModelConfig, ReadsQwen3) {
  nlohmann::json json = BitNet();
  json["model_type"] = "qwen3";
  json["architectures"] = {"Qwen3ForCausalLM"};
  json["hidden_act"] = "silu";
  json["quantization_config"]["use_rms_norm"] = true;
  ModelConfig config = Parse(json);
  EXPECT_EQ(config.head_dim, 128);
  EXPECT_TRUE(config.head_norms);
  EXPECT_TRUE(config.projection_norms);
  EXPECT_EQ(config.projection_norm_eps, 1e-6);
  EXPECT_FALSE(config.embeds);
  json["architectures"] = {"Qwen3Model"};
  EXPECT_TRUE(Parse(json).embeds);
}

TEST(ModelConfig, ReadsGemma3) {
  nlohmann::json json = BitNet();
  json["model_type"] = "gemma3_text";
  json["architectures"] = {"Gemma3TextModel"};
  json.erase("hidden_act");
  json.erase("rope_parameters");
  json.erase("tie_word_embeddings");
  json["hidden_activation"] = "gelu_pytorch_tanh";
  json["num_hidden_layers"] = 7;
  json["sliding_window"] = 512;
  json["rope_theta"] = 20000.0;
  json["rope_local_base_freq"] = 300.0;
  ModelConfig config = Parse(json);
  EXPECT_EQ(config.activation, Activation::kGeluTanh);
  EXPECT_EQ(config.head_dim, 256);
  EXPECT_EQ(config.query_scalar, 256);
  EXPECT_EQ(config.rope_theta, 20000.0);
  EXPECT_EQ(config.local_rope_theta, 300.0);
  EXPECT_EQ(config.window, 512);
  EXPECT_TRUE(config.tie_embeddings);
  EXPECT_TRUE(config.embeds);
  EXPECT_EQ(config.local_layers, (std::vector<bool>{1, 1, 1, 1, 1, 0, 1}));
  json["layer_types"] = std::vector<std::string>(7, "full_attention");
  json["layer_types"][2] = "sliding_attention";
  json["rope_parameters"] = {{"full_attention", {{"rope_theta", 7.0}}},
                             {"sliding_attention", {{"rope_theta", 5.0}}}};
  config = Parse(json);
  EXPECT_EQ(config.local_layers, (std::vector<bool>{0, 0, 1, 0, 0, 0, 0}));
  EXPECT_TRUE(config.IsLocal(2));
  EXPECT_EQ(config.rope_theta, 7.0);
  EXPECT_EQ(config.local_rope_theta, 5.0);
}

struct Wrong {
  const char* patch;  // merged into kBitNet; null removes a key
  ErrorKind kind;
  std::vector<std::string_view> texts;
};

TEST(ModelConfig, RefusesWhatIsMissingOrContradictory) {
  constexpr ErrorKind kFile = ErrorKind::kInvalidFile;
  constexpr ErrorKind kUnsupported = ErrorKind::kUnsupported;
  const Wrong cases[] = {
      {R"({"hidden_size": null})", kFile, {"\"hidden_size\"", "missing"}},
      {R"({"vocab_size": null})", kFile, {"\"vocab_size\"", "missing"}},
      {R"({"model_type": null})", kFile, {"\"model_type\"", "missing"}},
      {R"({"num_hidden_layers": -2})", kFile, {"\"num_hidden_layers\"", "-2"}},
      {R"({"num_hidden_layers": 0})", kFile, {"\"num_hidden_layers\"", "from 1"}},
      {R"({"intermediate_size": 1e3})", kFile, {"\"intermediate_size\"", "integer"}},
      {R"({"hidden_size": "64"})", kFile, {"\"hidden_size\"", "integer"}},
      {R"({"vocab_size": 99999999999})", kFile, {"\"vocab_size\"", "99999999999"}},
      {R"({"num_attention_heads": 3})", kFile, {"\"hidden_size\"", "\"num_attention_heads\" 3"}},
      {R"({"num_key_value_heads": 3})", kFile, {"\"num_key_value_heads\" 3", "multiple"}},
      {R"({"head_dim": 15})", kFile, {"\"head_dim\"", "even"}},
      {R"({"head_dim": 32})", kFile, {"\"head_dim\" 32", "\"hidden_size\" 64"}},
      {R"({"bos_token_id": 256})", kFile, {"\"bos_token_id\" 256", "\"vocab_size\" 256"}},
      {R"({"eos_token_id": [1, 300]})", kFile, {"\"eos_token_id\" 300"}},
      {R"({"eos_token_id": -1})", kFile, {"\"eos_token_id\""}},
      {R"({"rms_norm_eps": -1e-5})", kFile, {"\"rms_norm_eps\""}},
      {R"({"rope_parameters": {"rope_theta": 0}})", kFile, {"rope_parameters", "\"rope_theta\""}},
      {R"({"hidden_act": "gelu"})", kUnsupported, {"\"gelu\"", "\"relu2\""}},
      {R"({"model_type": "gpt2"})", kUnsupported, {"\"gpt2\"", "bitnet, llama"}},
      {R"({"architectures": ["BitnetForCausalLM"]})", kUnsupported, {"\"BitnetForCausalLM\""}},
      {R"({"model_type": "llama", "architectures": [""]})", kUnsupported, {"architecture \"\""}},
      {R"({"model_type": "llama", "architectures": ["BitnetForCausalLM"], "weight_bits": 2})",
       kUnsupported,
       {"weight_bits 2"}},
      {R"({"model_type": "qwen3", "architectures": null, "use_sliding_window": true})",
       kUnsupported,
       {"use_sliding_window"}},
      {R"({"rope_parameters": {"rope_type": "yarn"}})", kUnsupported, {"\"yarn\""}},
      {R"({"rope_scaling": {"type": "linear", "factor": 2.0}})",
       kUnsupported,
       {"rope_scaling", "\"linear\""}},
      {R"({"rope_scaling": {"factor": 2.0}})", kFile, {"rope_scaling", "\"factor\""}},
      {R"({"rope_parameters": {"full_attention": {"rope_theta": 7.0}}})",
       kUnsupported,
       {"\"full_attention\""}},
      {R"({"quantization_config": {"quant_method": "gptq"}})", kUnsupported, {"\"gptq\""}},
      {R"({"quantization_config": {"quant_method": null}})", kFile, {"\"quant_method\""}},
      {R"({"quantization_config": {"linear_class": "b"}})", kUnsupported, {"linear_class \"b\""}},
      {R"({"quantization_config": {"quantization_mode": "x"}})", kUnsupported, {"\"x\""}},
      {R"({"quantization_config": {"linear_class": "bitlinear"}})", kFile, {"contradicts"}},
      {R"({"quantization_config": {"modules_to_not_convert": ["lm_head", "mlp"]}})",
       kUnsupported,
       {"\"mlp\""}},
      {R"({"model_type": "gemma3_text", "architectures": null, "final_logit_softcapping": 30.0})",
       kUnsupported,
       {"final_logit_softcapping"}},
      {R"({"model_type": "gemma3_text", "architectures": null,
           "layer_types": ["full_attention"]})",
       kFile,
       {"1 layer_types for 2 layers"}},
      {R"({"model_type": "gemma3_text", "architectures": null,
           "rope_scaling": {"rope_type": "linear", "factor": 8.0}})",
       kUnsupported,
       {"rope_scaling", "scaled positions"}},
      {R"({"tern": {"quantizer": "best"}})", kFile, {"\"best\"", "\"sign\""}},
      {R"({"tern": {"quantiser": "sign"}})", kFile, {"\"quantiser\""}},
      {R"({"tern": {"weights": "f32"}})", kFile, {"\"f32\"", "\"ternary\""}},
  };
  for (const Wrong& wrong : cases) {
    SCOPED_TRACE(wrong.patch);
    nlohmann::json json = BitNet();
    json.merge_patch(nlohmann::json::parse(wrong.patch));
    const Error error = testing::ErrorOf([&] { Parse(json); });
    EXPECT_EQ(error.kind(), wrong.kind) << error.what();
    EXPECT_TRUE(std::string_view(error.what()).starts_with(kPlace)) << error.what();
    for (const std::string_view text : wrong.texts) {
      EXPECT_NE(std::string_view(error.what()).find(text), std::string_view::npos) << error.what();
    }
  }
}

TEST(ModelConfig, ReadsBackWhatItWrites) {
  for (const std::string_view patch :
       {R"({})", R"({"quantization_config": {"quantization_mode": "offline"}})",
        R"({"model_type": "llama", "architectures": null, "hidden_act": "silu", "head_dim": 32,
            "mlp_bias": true, "attention_bias": true, "tie_word_embeddings": false,
            "eos_token_id": null, "bos_token_id": null, "pad_token_id": 3})",
        R"({"quantization_config": null})", R"({"tern": {"quantizer": "sign"}})",
        R"({"quantization_config": null, "tern": {"weights": "float"}})",
        R"({"quantization_config": {"use_rms_norm": true, "rms_norm_eps": 1e-4}})",
        R"({"model_type": "llama", "architectures": ["BitnetForCausalLM"]})",
        R"({"model_type": "qwen3", "architectures": ["Qwen3Model"]})",
        R"({"model_type": "gemma3_text", "architectures": null, "sliding_window": 9,
            "layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 7,
            "hidden_act": "gelu_pytorch_tanh", "rope_parameters": null, "rope_theta": 30.0})",
        R"({"model_type": "llama", "architectures": null, "quantization_config": null,
            "tern": {"weights": "ternary"}})"}) {
    SCOPED_TRACE(patch);
    nlohmann::json json = BitNet();
    json.merge_patch(nlohmann::json::parse(patch));
    const ModelConfig config = Parse(json);
    const auto write = [](const ModelConfig& of) {
      return ModelConfigJson(of, {of.stored, DType::kBF16, of.declares_weights}).dump();
    };
    const std::string written = write(config);
    const ModelConfig again = Parse(nlohmann::json::parse(written));
    EXPECT_EQ(write(again), written);
    EXPECT_NE(written.find(R"("dtype":"bfloat16")"), std::string::npos);
    EXPECT_EQ(again.head_dim, config.head_dim);
    EXPECT_EQ(again.eos, config.eos);
    EXPECT_EQ(again.weights, config.weights);
    EXPECT_EQ(again.quantizer, config.quantizer);
    EXPECT_EQ(again.stored, config.stored);
    EXPECT_EQ(again.family, config.family);
    EXPECT_EQ(again.embeds, config.embeds);
    EXPECT_EQ(again.local_layers, config.local_layers);
    EXPECT_EQ(again.window, config.window);
    EXPECT_EQ(again.rope_theta, config.rope_theta);
    EXPECT_EQ(again.local_rope_theta, config.local_rope_theta);
    EXPECT_EQ(again.query_scalar, config.query_scalar);
    EXPECT_EQ(again.activation, config.activation);
    EXPECT_EQ(again.projection_norms, config.projection_norms);
    EXPECT_EQ(again.projection_norm_eps, config.projection_norm_eps);
    EXPECT_EQ(again.declares_weights, config.declares_weights);
  }
}

TEST(ModelConfig, CountsParameters) {
  // The plain llama of the same dimensions: projections, two norms a block, table, norm.
  nlohmann::json json = BitNet();
  json.merge_patch(nlohmann::json::parse(R"({"model_type": "llama", "architectures": null})"));
  constexpr int64_t kBlock = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 160 + 2 * 64;
  EXPECT_EQ(ParameterCount(Parse(json)), 2 * kBlock + 256 * 64 + 64);
  EXPECT_EQ(ParameterCount(Parse(BitNet())), 2 * (kBlock + 64 + 160) + 256 * 64 + 64);
}

}  // namespace
}  // namespace tern
