// SPDX-License-Identifier: MIT
// The forms of weights: each family through each form that can hold it, with the same bits and the
// same trits.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tern/io/safetensors_writer.h"
#include "tern/io/tensor_directory.h"
#include "tern/io/test_files.h"
#include "tern/models/checkpoint.h"
#include "tern/models/test_model.h"
#include "tern/ops/transformer.h"

namespace tern {
namespace {

constexpr uint64_t kSeed = 23;

ModelConfig ConfigOf(const std::string& family) {
  const ModelFamily& of = FindModelFamily(family, "test");
  ModelConfig config = SmallConfig();
  config.family = family;
  config.vocab_size = 61;
  config.activation = of.activation;
  config.sub_norms = !of.attention_sub_norm.empty();
  config.head_norms = of.head_norms;
  config.rms_norm_eps = of.rms_norm_eps;
  if (family == "gemma3_text") {
    config.window = 5;
    config.local_layers = {true, false};
    config.local_rope_theta = 100.0;
    config.query_scalar = 11;
  }
  return config;
}

class FormsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Model> Make(const ModelConfig& config) {
    std::unique_ptr<Model> model = Model::Create(*ctx_, config, kSeed);
    Enliven(*model, kSeed);
    return model;
  }
  std::vector<float> LogitsOf(const Model& model) {
    return Logits(*ctx_, model, 1, RandomIds(13, model.config().vocab_size, kSeed));
  }
  std::vector<float> LogitsOf(const std::string& path, const LoadOptions& options = {}) {
    return LogitsOf(*LoadModel(*ctx_, path, options).model);
  }
  std::map<std::string, std::vector<int8_t>> TritsOf(const Model& model) {
    std::map<std::string, std::vector<int8_t>> trits;
    for (const NamedWeight& weight : model.NamedWeights()) {
      if (weight.ternary == nullptr) continue;
      const Tensor values = ops::UnpackTernary(*ctx_, weight.ternary->Ternary(*ctx_));
      trits[weight.name].assign(values.span<int8_t>().begin(), values.span<int8_t>().end());
    }
    return trits;
  }
  std::string Save(const Model& model, const SaveOptions& options, SaveReport* report = nullptr) {
    const std::string path = directory_.File("model" + std::to_string(++saved_));
    const SaveReport made = SaveModel(*ctx_, model, path, options);
    if (report != nullptr) *report = made;
    return path;
  }

  // A plain model saved with the projections' weights replaced by trit * scale, with `groups`
  // scales a row, all of them different or all of a row or matrix alike.
  std::string SaveTernaryFloats(const Model& plain, int64_t groups, bool by_row) {
    Random random(kSeed);
    for (const Parameter& parameter : const_cast<Model&>(plain).Parameters()) {
      if (parameter.name.find("proj") == std::string::npos) continue;
      const int64_t n = parameter.value->dim(0), k = parameter.value->dim(1);
      float* w = parameter.value->data<float>();
      float scale = 0.125f;
      for (int64_t i = 0; i < n * k; ++i) {
        if (by_row && i % (k / groups) == 0) scale = static_cast<float>(0.1 + random.Uniform());
        w[i] = scale * static_cast<float>(static_cast<int>(random.Below(3)) - 1);
      }
    }
    return Save(plain, {});
  }

  TestDirectory directory_;
  std::unique_ptr<Context> ctx_ = CpuContext({}, 2);
  int saved_ = 0;
};

TEST_F(FormsTest, KeepBitsAndTrits) {
  for (const auto& [family, projection_norms] :
       {std::pair{"bitnet", false}, std::pair{"bitnet-1bitllm", false}, std::pair{"llama", true},
        std::pair{"qwen3", true}, std::pair{"gemma3_text", true}}) {
    SCOPED_TRACE(family);
    ModelConfig config = ConfigOf(family);
    config.projection_norms = projection_norms;
    config.projection_norm_eps = config.rms_norm_eps;
    const std::unique_ptr<Model> model = Make(config);
    const std::vector<float> wanted = LogitsOf(*model);
    const auto trits = TritsOf(*model);
    std::unique_ptr<Model> from;
    for (const CheckpointForm form : {CheckpointForm::kMasters, CheckpointForm::kPackedDivides,
                                      CheckpointForm::kFloats, CheckpointForm::kPacked}) {
      SaveReport report;
      // Each from the form before.
      const std::string path = Save(from ? *from : *model, {.form = form}, &report);
      EXPECT_EQ(report.rounded, std::vector<std::string>());
      from = LoadModel(*ctx_, path).model;
      EXPECT_EQ(from->config().family, family);
      EXPECT_EQ(LogitsOf(*from), wanted);
      EXPECT_EQ(TritsOf(*from), trits);
      EXPECT_EQ(LogitsOf(path, {.keep_masters = true}), wanted);
    }
  }
}

TEST_F(FormsTest, NameWhatTheyRounded) {
  const std::unique_ptr<Model> model = Make(ConfigOf("bitnet"));
  SaveReport report;
  const std::string path =
      Save(*model, {.form = CheckpointForm::kFloats, .float_dtype = DType::kBF16}, &report);
  EXPECT_TRUE(std::ranges::count(report.rounded, "model.layers.1.mlp.up_proj.weight") == 1);
  EXPECT_TRUE(std::ranges::count(report.rounded, "model.norm.weight") == 1);
  const std::unique_ptr<Model> read = LoadModel(*ctx_, path).model;
  EXPECT_EQ(TritsOf(*read), TritsOf(*model));
  Save(*read, {.form = CheckpointForm::kFloats, .float_dtype = DType::kBF16}, &report);
  EXPECT_EQ(report.rounded, std::vector<std::string>());
}

// A BitNet without quantization_config: masters, but never averaged when they are ternary.
TEST_F(FormsTest, FloatsOfABitNetAreMastersOrTernary) {
  const std::unique_ptr<Model> model = Make(ConfigOf("bitnet"));
  const std::string masters = Save(*model, {});
  nlohmann::json config = nlohmann::json::parse(TestDirectory::Read(masters + "/config.json"));
  config.erase("quantization_config");
  const std::string file = masters.substr(masters.rfind('/') + 1) + "/config.json";
  directory_.Write(file, config.dump());
  EXPECT_EQ(LogitsOf(masters), LogitsOf(*model));
  EXPECT_TRUE(LoadModel(*ctx_, masters, {.keep_masters = true}).model->has_masters());
  const std::string ternary = Save(*model, {.form = CheckpointForm::kFloats});
  EXPECT_FALSE(LoadModel(*ctx_, ternary, {.keep_masters = true}).model->has_masters());
  EXPECT_EQ(LogitsOf(ternary), LogitsOf(*model));
}

// Ternary floats of a plain model run on trits, with the bits of the floats.
TEST_F(FormsTest, PlainTernaryFloatsKeepTheirScales) {
  struct Scales {
    int64_t groups;
    bool by_row;
    Shape shape;  // of q_proj's [64, 64]
  };
  for (const Scales& scales :
       {Scales{1, false, {1}}, Scales{1, true, {64, 1}}, Scales{2, true, {64, 2}}}) {
    ModelConfig config = ConfigOf("llama");
    config.weights = nn::WeightKind::kF32;
    config.intermediate_size = 128;
    const std::unique_ptr<Model> plain = Make(config);
    const std::string path = SaveTernaryFloats(*plain, scales.groups, scales.by_row);
    const std::vector<float> wanted = LogitsOf(*plain);
    const std::unique_ptr<Model> read = LoadModel(*ctx_, path).model;
    int found = 0;
    for (const NamedWeight& weight : read->NamedWeights()) {
      if (weight.name == "model.layers.0.self_attn.q_proj.weight") {
        ASSERT_NE(weight.ternary, nullptr);
        EXPECT_EQ(weight.ternary->Ternary(*ctx_).multiplier.shape(), scales.shape);
      }
      found += weight.ternary != nullptr;
    }
    EXPECT_EQ(found, 14);
    EXPECT_EQ(LogitsOf(*read), wanted);
    EXPECT_EQ(LogitsOf(path, {.keep_masters = true}), wanted);
    for (const CheckpointForm form : {CheckpointForm::kMasters, CheckpointForm::kFloats}) {
      EXPECT_EQ(LogitsOf(Save(*read, {.form = form})), wanted);
    }
    testing::ExpectError([&] { Save(*read, {.form = CheckpointForm::kPacked}); },
                         ErrorKind::kInvalidArgument, {"8-bit"});
    // Taken for masters they keep their scales too, and the activations become int8.
    const std::unique_ptr<Model> int8 =
        LoadModel(*ctx_, path, {.weights = FloatWeights::kMasters}).model;
    EXPECT_EQ(TritsOf(*int8), TritsOf(*read));
    EXPECT_NE(LogitsOf(*int8), wanted);
    EXPECT_EQ(LogitsOf(Save(*int8, {.form = CheckpointForm::kFloats})), LogitsOf(*int8));
    if (scales.by_row) {
      testing::ExpectError([&] { Save(*int8, {.form = CheckpointForm::kPacked}); },
                           ErrorKind::kUnsupported, {"self_attn.q_proj.weight", "scales"});
    } else {
      EXPECT_EQ(LogitsOf(Save(*int8, {.form = CheckpointForm::kPacked})), LogitsOf(*int8));
    }
  }
}

TEST_F(FormsTest, MastersByWish) {
  const std::unique_ptr<Model> model = Make(ConfigOf("llama"));
  const std::string masters = Save(*model, {});
  nlohmann::json config = nlohmann::json::parse(TestDirectory::Read(masters + "/config.json"));
  testing::ExpectError([&] { LoadModel(*ctx_, masters, {.weights = FloatWeights::kPlain}); },
                       ErrorKind::kInvalidArgument, {masters, "quantization_config"});
  config.erase("quantization_config");
  directory_.Write(masters.substr(masters.rfind('/') + 1) + "/config.json", config.dump());
  EXPECT_NE(LogitsOf(masters), LogitsOf(*model));
  EXPECT_EQ(LogitsOf(masters, {.weights = FloatWeights::kMasters}), LogitsOf(*model));
  EXPECT_EQ(LogitsOf(masters, {.weights = FloatWeights::kPlain}), LogitsOf(masters));
}

// A tensor of a checkpoint under another name or with other elements.
struct Change {
  std::function<std::string(const std::string&)> name = [](const std::string& n) { return n; };
  std::function<std::vector<float>(const std::string&, const Shape&)> scale = {};
};

std::string Rewrite(const std::string& from, const Change& change) {
  const std::string to = from + "-changed";
  std::filesystem::create_directory(to);
  std::filesystem::copy(from + "/config.json", to + "/config.json");
  const TensorDirectory files(from);
  std::vector<TensorSpec> specs;
  std::vector<std::vector<float>> scales;
  for (const TensorInfo* info : files.tensors()) {
    specs.push_back({change.name(info->name), *info->dtype, info->shape});
    scales.emplace_back();
    if (change.scale && info->name.ends_with("_scale")) {
      const std::string weight = info->name.substr(0, info->name.size() - 6);
      scales.back() = change.scale(info->name, Shape(files.Get(weight).shape));
      specs.back().shape = {static_cast<int64_t>(scales.back().size())};
    }
  }
  SafetensorsWriter writer(to + "/model.safetensors", specs);
  for (size_t i = 0; i < specs.size(); ++i) {
    if (scales[i].empty()) {
      writer.Append(specs[i].name, files.tensors()[i]->bytes);
    } else {
      writer.AppendValues<float>(specs[i].name, scales[i]);
    }
  }
  writer.Commit();
  return to;
}

TEST_F(FormsTest, PackedWeightsMayHaveAScaleForEachRow) {
  const std::unique_ptr<Model> model = Make(ConfigOf("bitnet"));
  const std::string path = Save(*model, {.form = CheckpointForm::kPacked});
  const TensorDirectory files(path);
  Change change;
  change.scale = [&](const std::string& name, const Shape& packed) {
    float scale = 0;
    CopyTo(files.Get(name), DType::kF32, std::span(&scale, 1));
    return std::vector<float>(static_cast<size_t>(4 * packed[0]), scale);
  };
  // All of them alike: one.
  EXPECT_EQ(LogitsOf(Rewrite(path, change)), LogitsOf(*model));
  std::filesystem::remove_all(path + "-changed");
  change.scale = [&](const std::string&, const Shape& packed) {
    std::vector<float> scales(static_cast<size_t>(4 * packed[0]), 0.5f);
    scales[1] = 0.25f;
    return scales;
  };
  const std::unique_ptr<Model> rows = LoadModel(*ctx_, Rewrite(path, change)).model;
  const std::vector<float> wanted = LogitsOf(*rows);
  EXPECT_EQ(LogitsOf(Save(*rows, {.form = CheckpointForm::kFloats})), wanted);
  std::filesystem::remove_all(path + "-changed");
  change.scale = [&](const std::string&, const Shape&) { return std::vector<float>(3, 0.5f); };
  testing::ExpectError([&] { LoadModel(*ctx_, Rewrite(path, change)); }, ErrorKind::kInvalidFile,
                       {"q_proj.weight_scale", "[3]", "[64, 64]"});
}

// Windows of keys: the same bits in one pass, in batches and token by token, on every target.
TEST_F(FormsTest, WindowsGiveTheSameBitsInAnySplit) {
  const std::unique_ptr<Model> model = Make(ConfigOf("gemma3_text"));
  const std::vector<int32_t> ids = RandomIds(13, 61, kSeed);
  const std::vector<float> wanted = LogitsOf(*model);
  for (const std::vector<size_t>& split : {std::vector<size_t>(13, 1), {3, 10}, {9, 1, 3}}) {
    KvCache cache = model->MakeCache(*ctx_, 13);
    std::vector<float> got;
    size_t from = 0;
    for (const size_t count : split) {
      const std::vector<float> part = Logits(*ctx_, *model, 1, std::span(ids).subspan(from, count),
                                             ForwardOptions{.cache = &cache});
      got.insert(got.end(), part.begin(), part.end());
      from += count;
    }
    EXPECT_EQ(got, wanted);
  }
  const std::string path = Save(*model, {});
  for (const std::string& target : SupportedTargets()) {
    const std::unique_ptr<Context> ctx = CpuContext(target);
    const LoadedModel loaded = LoadModel(*ctx, path);
    EXPECT_EQ(Logits(*ctx, *loaded.model, 1, ids), wanted) << target;
  }
  // A window that holds everything is none.
  ModelConfig wide = ConfigOf("gemma3_text");
  wide.window = 13;
  EXPECT_NE(LogitsOf(*Make(wide)), wanted);
  ModelConfig all = wide;
  all.window = 64;
  EXPECT_EQ(LogitsOf(*Make(all)), LogitsOf(*Make(wide)));
}

// As the released embedding models have it: names without "model.", norms called "norm", no
// quantization_config, and an architecture without a head.
TEST_F(FormsTest, EmbeddingModelsAreRecognized) {
  ModelConfig config = ConfigOf("qwen3");
  config.projection_norms = true;
  config.embeds = true;
  const std::unique_ptr<Model> model = Make(config);
  const std::string path = Save(*model, {});
  nlohmann::json json = nlohmann::json::parse(TestDirectory::Read(path + "/config.json"));
  EXPECT_EQ(json["architectures"][0], "Qwen3Model");
  json.erase("quantization_config");
  directory_.Write(path.substr(path.rfind('/') + 1) + "/config.json", json.dump());
  Change change;
  change.name = [](std::string name) {
    if (const size_t at = name.find(".rms_norm."); at != std::string::npos) {
      name.replace(at, 10, ".norm.");
    }
    return name.starts_with("model.") ? name.substr(6) : name;
  };
  const std::unique_ptr<Model> read = LoadModel(*ctx_, Rewrite(path, change)).model;
  EXPECT_TRUE(read->config().embeds);
  EXPECT_TRUE(read->config().projection_norms);
  EXPECT_EQ(read->config().weights, nn::WeightKind::kTernary);
  EXPECT_EQ(LogitsOf(*read), LogitsOf(*model));
}

}  // namespace
}  // namespace tern
