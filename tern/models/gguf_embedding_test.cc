// SPDX-License-Identifier: MIT
// Embedding models and Gemma 3 as GGUF files, written and read back, and as bitnet.cpp's converter
// (utils/convert-bitnet-embedding-to-gguf.py) writes them.
#include <gtest/gtest.h>

#include "tern/models/gguf_model.h"
#include "tern/models/test_gguf_model.h"

namespace tern {
namespace {

ModelConfig EmbeddingConfig(const std::string& family, bool projection_norms) {
  ModelConfig config = WideConfig(family);
  config.layers = 3;
  config.activation = FindModelFamily(family, "test").activation;
  config.head_norms = true;
  config.projection_norms = projection_norms;
  config.projection_norm_eps = config.rms_norm_eps;
  config.embeds = true;
  config.local_rope_theta = 10000.0;
  if (family == "gemma3_text") config.query_scalar = config.head_dim;
  return config;
}

ModelConfig Windowed(ModelConfig config) {
  config.window = 3;
  config.local_layers = {true, false, true};
  config.local_rope_theta = 500.0;
  return config;
}

TEST(GgufNames, OfFamilies) {
  const ModelFamily& gemma = FindModelFamily("gemma3_text", "test");
  const ModelFamily& qwen = FindModelFamily("qwen3", "test");
  const auto name = [](const ModelFamily& family, const std::string& part) {
    return GgufTensorName(family, "model.layers.3." + part + ".weight");
  };
  EXPECT_EQ(name(qwen, "post_attention_layernorm"), "blk.3.ffn_norm.weight");
  EXPECT_EQ(name(gemma, "post_attention_layernorm"), "blk.3.post_attention_norm.weight");
  EXPECT_EQ(name(gemma, "pre_feedforward_layernorm"), "blk.3.ffn_norm.weight");
  EXPECT_EQ(name(gemma, "post_feedforward_layernorm"), "blk.3.post_ffw_norm.weight");
  for (const ModelFamily* family : {&gemma, &qwen}) {
    EXPECT_EQ(name(*family, "input_layernorm"), "blk.3.attn_norm.weight");
    EXPECT_EQ(name(*family, "self_attn.q_proj.rms_norm"), "blk.3.attn_q_norm_in.weight");
    EXPECT_EQ(name(*family, "self_attn.k_proj.rms_norm"), "blk.3.attn_k_norm_in.weight");
    EXPECT_EQ(name(*family, "self_attn.v_proj.rms_norm"), "blk.3.attn_v_norm_in.weight");
    EXPECT_EQ(name(*family, "self_attn.o_proj.rms_norm"), "blk.3.attn_output_norm_in.weight");
    EXPECT_EQ(name(*family, "mlp.gate_proj.rms_norm"), "blk.3.ffn_gate_norm_in.weight");
    EXPECT_EQ(name(*family, "mlp.up_proj.rms_norm"), "blk.3.ffn_up_norm_in.weight");
    EXPECT_EQ(name(*family, "mlp.down_proj.rms_norm"), "blk.3.ffn_down_norm_in.weight");
    EXPECT_EQ(GgufTensorName(*family, "model.norm.weight"), "output_norm.weight");
  }
}

using GgufEmbeddingTest = GgufModelTest;

TEST_F(GgufEmbeddingTest, ComeBack) {
  for (const ModelConfig& config :
       {EmbeddingConfig("qwen3", true), EmbeddingConfig("qwen3", false),
        EmbeddingConfig("gemma3_text", true), EmbeddingConfig("gemma3_text", false),
        Windowed(EmbeddingConfig("gemma3_text", true))}) {
    SCOPED_TRACE(fmt::format("{} {} {}", config.family, config.projection_norms, config.window));
    const auto model = MakeModel(*ctx_, config);
    for (const char* trits : {"i2_s", "tq1_0"}) {
      const std::string path = directory_.File("model.gguf");
      const GgufOptions options = {.trits = trits, .floats = "F32", .replace = true};
      EXPECT_TRUE(SaveGguf(*ctx_, *model, path, options).empty());
      EXPECT_EQ(LogitsOf(path), Logits(*ctx_, *model, 1, ids_));
    }
    const ModelConfig back = LoadModel(*ctx_, directory_.File("model.gguf")).model->config();
    EXPECT_TRUE(back.embeds);
    EXPECT_EQ(back.family, config.family);
    EXPECT_EQ(back.activation, config.activation);
    EXPECT_EQ(back.projection_norms, config.projection_norms);
    EXPECT_EQ(back.window, config.window);
    EXPECT_EQ(back.local_layers, config.local_layers);
    EXPECT_EQ(back.weights, nn::WeightKind::kTernary);
  }
}

// I2_S, and masters in f16, of which the mean is taken anew.
TEST_F(GgufEmbeddingTest, AreReadAsBitnetCppWritesThem) {
  for (const auto& [family, arch] :
       {std::pair<const char*, const char*>{"qwen3", "qwen3"}, {"gemma3_text", "gemma3"}}) {
    SCOPED_TRACE(family);
    const auto model = MakeModel(*ctx_, EmbeddingConfig(family, true));
    GgufImage image = ImageOf(*ctx_, *model, arch, 36, EncodeI2S);
    image.U32(std::string(arch) + ".pooling_type", 3);
    const std::string path = Write(image);
    EXPECT_EQ(LogitsOf(path), Logits(*ctx_, *model, 1, ids_));
    EXPECT_TRUE(LoadModel(*ctx_, path).model->config().embeds);
  }
}

TEST_F(GgufEmbeddingTest, WhatTernDoesNotHaveIsRefused) {
  const auto model = MakeModel(*ctx_, EmbeddingConfig("gemma3_text", true));
  const auto refuse = [&](const std::function<void(GgufImage*)>& change,
                          std::initializer_list<std::string_view> texts) {
    GgufImage image = ImageOf(*ctx_, *model, "gemma3", 36, EncodeI2S);
    change(&image);
    ExpectError([&] { LogitsOf(Write(image)); }, ErrorKind::kUnsupported, texts);
  };
  refuse([](GgufImage* image) { image->U32("gemma3.pooling_type", 1); },
         {"pooling_type", "mean", "Hugging Face"});
  refuse([](GgufImage* image) { image->U32("gemma3.pooling_type", 4); }, {"pooling_type", "rank"});
  refuse([](GgufImage* image) { image->F32("gemma3.final_logit_softcapping", 30.0f); },
         {"final_logit_softcapping"});
  refuse([](GgufImage* image) { image->Tensor("dense_2.weight", {1}, 0, "1234"); },
         {"dense_2.weight"});
}

TEST_F(GgufEmbeddingTest, WhatGgufHasNoPlaceForIsRefused) {
  const auto refuse = [&](const ModelConfig& config, std::string_view text) {
    const auto model = Model::Create(*ctx_, config, 1);
    model->Pack(*ctx_);
    ExpectError([&] { SaveGguf(*ctx_, *model, directory_.File("none.gguf"), {}); },
                ErrorKind::kUnsupported, {text, "Hugging Face directory"});
  };
  ModelConfig config = EmbeddingConfig("gemma3_text", true);
  config.query_scalar = 10;
  refuse(config, "query_pre_attn_scalar is 10");
  config = EmbeddingConfig("gemma3_text", true);
  config.projection_norm_eps = 0.5;
  refuse(config, "epsilon of their own, 0.5");
  config = Windowed(EmbeddingConfig("gemma3_text", true));
  config.local_layers = {false, true, true};
  refuse(config, "every n-th");
}

}  // namespace
}  // namespace tern
