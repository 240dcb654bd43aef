// SPDX-License-Identifier: MIT
#include "tern/models/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tern/base/float16.h"
#include "tern/io/safetensors_writer.h"
#include "tern/io/tensor_directory.h"
#include "tern/io/test_files.h"
#include "tern/models/test_model.h"
#include "tern/text/tokenizer_trainer.h"

namespace tern {
namespace {

constexpr uint64_t kSeed = 7;
constexpr const char* kQ = "model.layers.1.self_attn.q_proj.weight";

// Dimensions whose rows come in fours, as the packed form needs.
ModelConfig PackableConfig() {
  ModelConfig config = SmallConfig();
  config.vocab_size = 61;
  return config;
}

ModelConfig LlamaConfig() {
  ModelConfig config = PackableConfig();
  config.family = "llama";
  config.sub_norms = false;
  config.activation = Activation::kSilu;
  config.tie_embeddings = false;
  return config;
}

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() : ctx_(CpuContext({}, 2)) {}

  std::unique_ptr<Model> Make(const ModelConfig& config) {
    std::unique_ptr<Model> model = Model::Create(*ctx_, config, kSeed);
    Enliven(*model, kSeed);
    return model;
  }
  std::vector<float> LogitsOf(const Model& model) {
    return Logits(*ctx_, model, 1, RandomIds(13, model.config().vocab_size, kSeed));
  }
  std::string Path(const std::string& name) { return directory_.File(name); }

  std::string Save(const Model& model, const std::string& name, const SaveOptions& options) {
    SaveModel(*ctx_, model, Path(name), options);
    return Path(name);
  }
  std::vector<float> LogitsOf(const std::string& path, const LoadOptions& options = {}) {
    return LogitsOf(*LoadModel(*ctx_, path, options).model);
  }

  TestDirectory directory_;
  std::unique_ptr<Context> ctx_;
};

TEST_F(CheckpointTest, MastersAndPackedGiveTheSameBits) {
  ModelConfig sign = PackableConfig();
  sign.quantizer = TernaryQuantizer::kSign;
  ModelConfig narrow = PackableConfig();
  narrow.float_dtype = DType::kBF16;
  int number = 0;
  for (const ModelConfig& config : {PackableConfig(), LlamaConfig(), sign, narrow}) {
    const std::string suffix = std::to_string(number++);
    SCOPED_TRACE(suffix);
    const std::unique_ptr<Model> model = Make(config);
    const std::vector<float> wanted = LogitsOf(*model);
    const std::string masters = Save(*model, "masters" + suffix, {});
    const std::string packed = Save(*model, "packed" + suffix, {.form = CheckpointForm::kPacked});
    EXPECT_EQ(LogitsOf(masters), wanted);
    EXPECT_EQ(LogitsOf(masters, {.keep_masters = true}), wanted);
    EXPECT_EQ(LogitsOf(packed), wanted);
    // And what is packed from the masters' file, or written again from the packed one.
    const LoadedModel loaded = LoadModel(*ctx_, masters);
    EXPECT_EQ(LogitsOf(Save(*loaded.model, "again" + suffix, {.form = CheckpointForm::kPacked})),
              wanted);
    const LoadedModel twice = LoadModel(*ctx_, packed);
    EXPECT_EQ(LogitsOf(Save(*twice.model, "twice" + suffix, {.form = CheckpointForm::kPacked})),
              wanted);
  }
}

TEST_F(CheckpointTest, PlainWeightsAndBiases) {
  ModelConfig plain = PackableConfig();
  plain.weights = nn::WeightKind::kF32;
  ModelConfig biased = LlamaConfig();
  biased.attention_bias = biased.mlp_bias = true;
  int number = 0;
  for (const ModelConfig& config : {plain, biased}) {
    const std::unique_ptr<Model> model = Make(config);
    const std::string path = Save(*model, std::to_string(number++), {});
    EXPECT_EQ(LogitsOf(path), LogitsOf(*model));
    const ModelConfig read = ReadModelConfig(path + "/config.json");
    EXPECT_EQ(read.weights, config.weights);
    EXPECT_EQ(read.attention_bias, config.attention_bias);
  }
}

TEST_F(CheckpointTest, NarrowFilesHoldWhatTheForwardPassUses) {
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    ModelConfig config = LlamaConfig();
    config.float_dtype = dtype;
    const std::unique_ptr<Model> model = Make(config);
    const std::string path = Save(*model, DTypeName(dtype), {});
    const TensorDirectory files(path);
    for (const TensorInfo* tensor : files.tensors()) {
      EXPECT_EQ(tensor->dtype, dtype) << tensor->name;
    }
    EXPECT_EQ(LogitsOf(path), LogitsOf(*model));
    EXPECT_EQ(LogitsOf(path, {.keep_masters = true, .float_dtype = dtype}), LogitsOf(*model));
  }
}

TEST_F(CheckpointTest, ShardsHoldTheSame) {
  const std::unique_ptr<Model> model = Make(LlamaConfig());
  const std::string path = Save(*model, "shards", {.max_shard_bytes = 64 << 10});
  EXPECT_GT(TensorDirectory(path).shards().size(), 2u);
  EXPECT_EQ(LogitsOf(path), LogitsOf(*model));
}

TEST_F(CheckpointTest, PackedFilesHoldTheMultiplierOfTheForwardPass) {
  ModelConfig config = PackableConfig();
  config.float_dtype = DType::kBF16;
  const std::unique_ptr<Model> model = Make(config);
  const TensorDirectory files(Save(*model, "packed", {.form = CheckpointForm::kPacked}));
  int packed = 0;
  for (const NamedWeight& weight : model->NamedWeights()) {
    if (weight.ternary == nullptr) {
      EXPECT_EQ(files.Get(weight.name).dtype, DType::kF32) << weight.name;
      continue;
    }
    float scale = 0;
    CopyTo(files.Get(weight.name + "_scale"), DType::kF32, std::span(&scale, 1));
    EXPECT_EQ(scale, weight.ternary->Ternary(*ctx_).multiplier.item<float>()) << weight.name;
    EXPECT_EQ(files.Get(weight.name).dtype, DType::kU8);
    ++packed;
  }
  EXPECT_EQ(packed, 14);
}

// A checkpoint's tensors in memory, to be changed and written again.
struct Stored {
  TensorSpec spec;
  std::vector<std::byte> bytes;
};

class HostileCheckpointTest : public CheckpointTest {
 protected:
  // Writes `path` with its tensors changed; returns the new directory.
  std::string Change(const std::string& path,
                     const std::function<void(std::vector<Stored>*)>& how) {
    std::vector<Stored> tensors;
    const TensorDirectory files(path);
    for (const TensorInfo* info : files.tensors()) {
      tensors.push_back(
          {{info->name, *info->dtype, info->shape}, {info->bytes.begin(), info->bytes.end()}});
    }
    how(&tensors);
    const std::string changed = Path("changed" + std::to_string(++changes_));
    std::filesystem::create_directory(changed);
    std::filesystem::copy(path + "/config.json", changed + "/config.json");
    std::vector<TensorSpec> specs;
    for (const Stored& tensor : tensors) specs.push_back(tensor.spec);
    SafetensorsWriter writer(changed + "/model.safetensors", specs);
    for (const Stored& tensor : tensors) writer.Append(tensor.spec.name, tensor.bytes);
    writer.Commit();
    return changed;
  }

  static Stored& Named(std::vector<Stored>* tensors, const std::string& name) {
    for (Stored& tensor : *tensors) {
      if (tensor.spec.name == name) return tensor;
    }
    throw std::runtime_error("no tensor " + name);
  }

  void ExpectRefused(const std::string& path, ErrorKind kind,
                     std::initializer_list<std::string_view> texts) {
    testing::ExpectError([&] { LoadModel(*ctx_, path); }, kind, texts);
  }

  int changes_ = 0;
};

TEST_F(HostileCheckpointTest, Masters) {
  const std::string good = Save(*Make(LlamaConfig()), "good", {});
  constexpr ErrorKind kFile = ErrorKind::kInvalidFile;
  const auto set = [](const char* name, float value) {
    return [=](std::vector<Stored>* tensors) {
      std::memcpy(Named(tensors, name).bytes.data() + 8, &value, sizeof(value));
    };
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  ExpectRefused(Change(good, set(kQ, nan)), ErrorKind::kNumeric, {"changed1", kQ, "element 2"});
  ExpectRefused(Change(good, set("model.norm.weight", infinity)), ErrorKind::kNumeric,
                {"model.norm.weight", "inf"});
  ExpectRefused(Change(good, set("model.embed_tokens.weight", -infinity)), ErrorKind::kNumeric,
                {"model.embed_tokens.weight"});
  ExpectRefused(Change(good,
                       [](auto* tensors) {
                         std::erase_if(*tensors, [](const Stored& t) {
                           return t.spec.name == "lm_head.weight";
                         });
                       }),
                kFile, {"lm_head.weight"});
  ExpectRefused(Change(good,
                       [](auto* tensors) {
                         Stored& tensor = Named(tensors, kQ);
                         tensor.spec.shape = {32, 128};
                       }),
                kFile, {kQ, "[32, 128]", "[64, 64]"});
  ExpectRefused(Change(good,
                       [](auto* tensors) {
                         Stored& tensor = Named(tensors, kQ);
                         tensor.spec.dtype = DType::kI32;
                       }),
                kFile, {kQ, "I32", "quantization_config"});
}

TEST_F(HostileCheckpointTest, Packed) {
  const std::string good = Save(*Make(PackableConfig()), "good", {.form = CheckpointForm::kPacked});
  constexpr ErrorKind kFile = ErrorKind::kInvalidFile;
  const std::string scale = std::string(kQ) + "_scale";
  ExpectRefused(Change(good,
                       [&](auto* tensors) {
                         std::erase_if(*tensors,
                                       [&](const Stored& t) { return t.spec.name == scale; });
                       }),
                kFile, {kQ, "without their scale", scale});
  ExpectRefused(Change(good,
                       [&](auto* tensors) {
                         const float wrong = -1.0f;
                         std::memcpy(Named(tensors, scale).bytes.data(), &wrong, sizeof(wrong));
                       }),
                kFile, {scale, "-1"});
  ExpectRefused(Change(good, [](auto* tensors) { Named(tensors, kQ).bytes[5] = std::byte{0x3f}; }),
                kFile, {kQ, "byte 5", "no trit"});
  ExpectRefused(Change(good,
                       [](auto* tensors) {
                         Stored& tensor = Named(tensors, kQ);
                         tensor.spec = {kQ, DType::kF32, {64, 64}};
                         tensor.bytes.resize(64 * 64 * 4);
                       }),
                kFile, {kQ, "[64, 64]", "[16, 64]"});
  EXPECT_EQ(LogitsOf(Change(good, [](auto*) {})), LogitsOf(good));
}

TEST_F(HostileCheckpointTest, ScaleThatDividesMustBePositive) {
  const std::string good = Save(*Make(PackableConfig()), "good", {.form = CheckpointForm::kPacked});
  std::string text = TestDirectory::Read(good + "/config.json");
  text.replace(text.find("autobitlinear"), 13, "bitlinear");
  directory_.Write("good/config.json", text);
  // Inverted, the scales give the same multipliers up to a rounding.
  const std::string scale = std::string(kQ) + "_scale";
  const std::string inverted = Change(good, [](auto* tensors) {
    for (Stored& tensor : *tensors) {
      if (!tensor.spec.name.ends_with("_scale")) continue;
      float value;
      std::memcpy(&value, tensor.bytes.data(), sizeof(value));
      value = 1.0f / value;
      std::memcpy(tensor.bytes.data(), &value, sizeof(value));
    }
  });
  const LoadedModel loaded = LoadModel(*ctx_, inverted);
  for (const NamedWeight& weight : loaded.model->NamedWeights()) {
    if (weight.ternary == nullptr) continue;
    float value = 0;
    CopyTo(TensorDirectory(inverted).Get(weight.name + "_scale"), DType::kF32,
           std::span(&value, 1));
    EXPECT_EQ(weight.ternary->Ternary(*ctx_).multiplier.item<float>(), 1.0f / value);
  }
  const std::string zero = Change(good, [&](auto* tensors) {
    std::fill_n(Named(tensors, scale).bytes.data(), 4, std::byte{});
  });
  ExpectRefused(zero, ErrorKind::kInvalidFile, {scale, "positive"});
}

TEST_F(HostileCheckpointTest, WhatCannotBeSaved) {
  const std::unique_ptr<Model> model = Make(PackableConfig());
  model->Pack(*ctx_);
  constexpr ErrorKind kArgument = ErrorKind::kInvalidArgument;
  testing::ExpectError([&] { Save(*model, "out", {}); }, kArgument, {"masters"});
  ModelConfig plain = PackableConfig();
  plain.weights = nn::WeightKind::kF32;
  const SaveOptions packed = {.form = CheckpointForm::kPacked};
  testing::ExpectError([&] { Save(*Make(plain), "out", packed); }, kArgument, {"packed"});
  ModelConfig odd = PackableConfig();
  odd.intermediate_size = 102;
  testing::ExpectError([&] { Save(*Make(odd), "out", packed); }, ErrorKind::kUnsupported,
                       {"gate_proj", "102"});
  ModelConfig biased = LlamaConfig();
  biased.attention_bias = true;
  testing::ExpectError([&] { Save(*Make(biased), "out", packed); }, ErrorKind::kUnsupported,
                       {"q_proj", "bias"});
  EXPECT_FALSE(std::filesystem::exists(Path("out")));

  Save(*model, "out", packed);
  testing::ExpectError([&] { Save(*model, "out", packed); }, ErrorKind::kIo, {"out"});
  SaveOptions replace = packed;
  replace.replace = true;
  Save(*model, "out", replace);
  EXPECT_EQ(LogitsOf(Path("out")), LogitsOf(*model));
}

TEST_F(HostileCheckpointTest, MoreMemoryThanAllowed) {
  const std::string good = Save(*Make(PackableConfig()), "good", {});
  Context small(ContextOptions{});
  small.AddBackend(std::make_unique<CpuBackend>("", MemoryPoolOptions{.byte_limit = 64 << 10}));
  testing::ExpectError([&] { LoadModel(small, good); }, ErrorKind::kOutOfMemory, {"65536"});
}

TEST_F(HostileCheckpointTest, DirectoriesThatAreNone) {
  ExpectRefused(Path("nowhere"), ErrorKind::kIo, {"nowhere/config.json"});
  const std::string good = Save(*Make(PackableConfig()), "good", {});
  std::filesystem::remove(good + "/model.safetensors");
  ExpectRefused(good, ErrorKind::kIo, {"good", "model.safetensors"});
}

Tokenizer BytesTokenizer(const std::vector<std::string>& special_tokens) {
  TokenizerTrainerOptions options;
  options.vocab_size = 256 + static_cast<int32_t>(special_tokens.size());
  options.special_tokens = special_tokens;
  return TokenizerTrainer(options).Train();
}

TEST_F(CheckpointTest, TokenizersComeAlong) {
  ModelConfig config = PackableConfig();
  config.vocab_size = 260;
  config.bos = 256;
  config.eos = {257};
  const Tokenizer tokenizer = BytesTokenizer({"<s>", "</s>"});
  const std::string path = Save(*Make(config), "model", {.tokenizer = &tokenizer});
  const LoadedModel loaded = LoadModel(*ctx_, path);
  ASSERT_TRUE(loaded.tokenizer.has_value());
  EXPECT_EQ(loaded.tokenizer->ToJson(), tokenizer.ToJson());
  const std::string text = TestDirectory::Read(path + "/tokenizer_config.json");
  EXPECT_NE(text.find(R"("bos_token": "<s>")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("eos_token": "</s>")"), std::string::npos) << text;

  const Tokenizer large = BytesTokenizer({"<1>", "<2>", "<3>", "<4>", "<5>"});
  directory_.Write("model/tokenizer.json", large.ToJson());
  testing::ExpectError([&] { LoadModel(*ctx_, path); }, ErrorKind::kInvalidFile,
                       {"tokenizer.json", "261", "\"vocab_size\" 260"});
  testing::ExpectError([&] { Save(*Make(config), "other", {.tokenizer = &large}); },
                       ErrorKind::kInvalidArgument, {"261", "260"});
}

TEST_F(CheckpointTest, GenerationConfigGoesFirst) {
  const std::string path = Save(*Make(PackableConfig()), "model", {});
  directory_.Write("model/generation_config.json",
                   R"({"eos_token_id": [5, 7], "bos_token_id": null, "temperature": 0.6})");
  const ModelConfig config = LoadModel(*ctx_, path).model->config();
  EXPECT_EQ(config.eos, (std::vector<int32_t>{5, 7}));
  EXPECT_EQ(config.bos, PackableConfig().bos);
  directory_.Write("model/generation_config.json", R"({"eos_token_id": [5, 7000]})");
  testing::ExpectError([&] { LoadModel(*ctx_, path); }, ErrorKind::kInvalidFile,
                       {"generation_config.json", "\"eos_token_id\" 7000"});
}

TEST_F(CheckpointTest, CompanionsComeAlongAsTheyAre) {
  ModelConfig config = PackableConfig();
  config.vocab_size = 260;
  const Tokenizer tokenizer = BytesTokenizer({"<s>"});
  const auto model = Make(config);
  const std::string from = Save(*model, "from", {.tokenizer = &tokenizer});
  const std::map<std::string, std::string> companions = {
      {"generation_config.json", R"({"eos_token_id": [5, 7], "top_p": 0.9})"},
      {"tokenizer_config.json", R"({"chat_template": "{{ messages }}"})"},
      {"chat_template.jinja", "{{ messages }}"}};
  for (const auto& [name, text] : companions) directory_.Write("from/" + name, text);
  const std::string to = Save(*model, "to", {.tokenizer = &tokenizer, .companions = from});
  for (const auto& [name, text] : companions) {
    EXPECT_EQ(TestDirectory::Read(to + "/" + name), text) << name;
  }
}

TEST_F(CheckpointTest, TokenIdsNeedNoTokenizer) {
  const std::string path = Save(*Make(PackableConfig()), "model", {});
  directory_.Write("model/tokenizer.json", "{broken");
  testing::ExpectError([&] { LoadModel(*ctx_, path); }, ErrorKind::kInvalidFile,
                       {"tokenizer.json"});
  EXPECT_FALSE(LoadModel(*ctx_, path, {.tokenizer = false}).tokenizer.has_value());
}

TEST_F(CheckpointTest, ReportsTensorsThatNobodyAskedFor) {
  std::string log;
  Context ctx(
      ContextOptions{.threads = 1, .log = [&](LogLevel, std::string_view text) { log += text; }});
  ctx.AddBackend(std::make_unique<CpuBackend>());
  ModelConfig biased = LlamaConfig();
  biased.attention_bias = true;
  const std::string path = Save(*Make(biased), "biased", {});
  LoadModel(ctx, path);
  EXPECT_EQ(log, "");
  std::string text = TestDirectory::Read(path + "/config.json");
  text.replace(text.find("\"attention_bias\": true"), 22, "\"attention_bias\": false");
  directory_.Write("biased/config.json", text);
  LoadModel(ctx, path);
  EXPECT_NE(log.find("_proj.bias\" and 7 more are not part"), std::string::npos) << log;
}

}  // namespace
}  // namespace tern
