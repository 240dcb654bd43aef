// SPDX-License-Identifier: MIT
// GGUF models against the model that they were made from: files put together here byte by byte, and
// files that SaveGguf wrote.
#include "tern/models/gguf_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "tern/base/float16.h"
#include "tern/models/test_gguf_model.h"

namespace tern {
namespace {

std::string EncodeI2S64(const Matrix& m) {
  return TwoBits(m, m.n * m.k / 4,
                 [](int64_t i) {
                   return std::pair<size_t, int>(i / 64 * 16 + i % 16, 6 - i % 64 / 16 * 2);
                 }) +
         Tail(m.scale);
}

std::string EncodeI2SRows(const Matrix& m) {
  return TwoBits(m, m.n * m.k / 4,
                 [&](int64_t i) {
                   return std::pair<size_t, int>(i / m.k / 4 * m.k + i % m.k, 6 - i / m.k % 4 * 2);
                 }) +
         Tail(m.scale);
}

std::string EncodeIq2Bn(const Matrix& m) {
  std::string codes = TwoBits(m, m.n * (4 + m.k / 4), [&](int64_t i) {
    const int64_t column = i % m.k;
    return std::pair<size_t, int>(i / m.k * (4 + m.k / 4) + 4 + column / 64 * 16 + column % 16,
                                  column % 64 / 16 * 2);
  });
  for (int64_t row = 0; row < m.n; ++row) codes.replace(row * (4 + m.k / 4), 4, Bytes(m.scale));
  return codes;
}

// With a scale for each row, or for each of its halves where it has two blocks or more.
std::string EncodeTq20(const Matrix& m) {
  std::string codes = TwoBits(m, m.n * m.k / 256 * 66, [](int64_t i) {
    return std::pair<size_t, int>(i / 256 * 66 + i % 256 / 128 * 32 + i % 32, i % 128 / 32 * 2);
  });
  const int64_t blocks = m.k / 256;
  for (int64_t i = 0; i < m.n * blocks; ++i) {
    const float scale = m.scale + static_cast<float>(i / blocks * 2 + i % blocks * 2 / blocks) / 32;
    codes.replace(i * 66 + 64, 2, Bytes(RoundToF16(scale).bits));
  }
  return codes;
}

std::string EncodeQ20(const Matrix& m) {
  std::string codes = TwoBits(m, m.n * m.k / 64 * 18, [](int64_t i) {
    return std::pair<size_t, int>(i / 64 * 18 + 2 + i % 64 / 4, i % 4 * 2);
  });
  for (int64_t block = 0; block < m.n * m.k / 64; ++block) {
    codes.replace(block * 18, 2, Bytes(RoundToF16(m.scale).bits));
  }
  return codes;
}

template <typename T>
std::string EncodeFloats(const Matrix& m, T (*round)(float)) {
  std::string bytes;
  for (const int8_t trit : m.trits) bytes += Bytes(round(static_cast<float>(trit) * m.scale));
  return bytes;
}

TEST_F(GgufModelTest, ReadsEveryTypeOfTrits) {
  const auto model = MakeModel(*ctx_, WideConfig("bitnet"));
  const std::vector<float> expected = Logits(*ctx_, *model, 1, ids_);
  const auto f16 = [](const Matrix& m) { return EncodeFloats(m, RoundToF16); };
  const auto bf16 = [](const Matrix& m) { return EncodeFloats(m, RoundToBF16); };
  struct Case {
    const char* what;
    uint32_t type;
    Encoder encode;
    std::string layout = {};
  };
  for (const Case& test : {Case{"I2_S", 36, EncodeI2S},
                           {"I2_S of ARM", 36, EncodeI2S64, "i2_s_64"},
                           {"I2_S by rows", 36, EncodeI2SRows, "i2_s_rows"},
                           {"IQ2_BN", 135, EncodeIq2Bn},
                           {"Q2_0", 42, EncodeQ20},
                           {"F16", 1, f16},
                           {"BF16", 30, bf16}}) {
    SCOPED_TRACE(test.what);
    const std::string path = Write(ImageOf(*ctx_, *model, "bitnet-b1.58", test.type, test.encode));
    LoadOptions options;
    options.i2_s_layout = test.layout;
    EXPECT_EQ(LogitsOf(path, options), expected);
  }
}

// llama.cpp's converter permutes the rows of q and k of Llama: half s, pair i of a head becomes
// row 2 i + s.
TEST_F(GgufModelTest, UndoesThePermutationOfLlama) {
  const auto model = MakeModel(*ctx_, WideConfig("llama"));
  int matrices = 0;
  const auto permuted = [&](const Matrix& m) {
    if (++matrices > 2) return EncodeI2S(m);  // after q and k
    Matrix out = m;
    for (int64_t row = 0; row < m.n; ++row) {
      const int64_t target = row / 64 * 64 + row % 32 * 2 + row % 64 / 32;
      std::copy_n(m.trits.begin() + row * m.k, m.k, out.trits.begin() + target * m.k);
    }
    return EncodeI2S(out);
  };
  const std::string path = Write(ImageOf(*ctx_, *model, "llama", 36, permuted));
  EXPECT_EQ(LogitsOf(path), Logits(*ctx_, *model, 1, ids_));
}

TEST_F(GgufModelTest, WritesWhatItReads) {
  for (const char* family : {"bitnet", "llama"}) {
    ModelConfig config = WideConfig(family);
    config.tie_embeddings = config.sub_norms;
    const auto model = MakeModel(*ctx_, config);
    const std::vector<float> expected = Logits(*ctx_, *model, 1, ids_);
    for (const char* trits : {"i2_s", "tq1_0", "tq2_0"}) {
      SCOPED_TRACE(std::string(family) + " " + trits);
      const std::string path = directory_.File(std::string(family) + trits);
      GgufOptions options;
      options.trits = trits;
      options.floats = "F32";
      EXPECT_TRUE(SaveGguf(*ctx_, *model, path, options).empty());
      EXPECT_EQ(LogitsOf(path), expected);
      ExpectError([&] { SaveGguf(*ctx_, *model, path, options); }, ErrorKind::kIo, {"exists"});
      const ModelConfig back = LoadModel(*ctx_, path).model->config();
      EXPECT_EQ(back.family, family);
      EXPECT_EQ(back.rms_norm_eps, config.rms_norm_eps);
      EXPECT_EQ(back.rope_theta, config.rope_theta);
      EXPECT_EQ(back.tie_embeddings, config.tie_embeddings);
      EXPECT_EQ(back.eos, config.eos);
    }
  }
}

// Scales by row and by halves of a row, with activations in 8 bits and in float.
TEST_F(GgufModelTest, WritesScalesByRowAndGroup) {
  for (const char* family : {"bitnet", "llama"}) {
    ModelConfig config = WideConfig(family);
    config.intermediate_size = 1024;
    const auto model = MakeModel(*ctx_, config);
    const std::string arch = family == std::string("bitnet") ? "bitnet-b1.58" : family;
    const std::string in = Write(ImageOf(*ctx_, *model, arch, 35, EncodeTq20));
    for (const FloatWeights weights : {FloatWeights::kMasters, FloatWeights::kPlain}) {
      SCOPED_TRACE(fmt::format("{} {}", family, static_cast<int>(weights)));
      LoadOptions load;
      load.weights = weights;
      const LoadedModel source = LoadModel(*ctx_, in, load);
      const std::vector<float> expected = Logits(*ctx_, *source.model, 1, ids_);
      GgufOptions options = {.trits = "i2_s", .floats = "F32", .replace = true};
      const std::string out = directory_.File("out.gguf");
      ExpectError([&] { SaveGguf(*ctx_, *source.model, out, options); }, ErrorKind::kUnsupported,
                  {"\"blk.0.attn_q.weight\"", "a scale for each 256", "tq2_0"});
      for (const char* trits : {"tq1_0", "tq2_0"}) {
        options.trits = trits;
        EXPECT_TRUE(SaveGguf(*ctx_, *source.model, out, options).empty());
        EXPECT_EQ(LogitsOf(out), expected) << trits;
      }
      // The same scales out of floats, where nothing says how wide groups are.
      const std::string floats = directory_.File("floats");
      SaveModel(*ctx_, *source.model, floats,
                {.form = CheckpointForm::kFloats, .replace = std::filesystem::exists(floats)});
      EXPECT_EQ(LogitsOf(floats), expected);
    }
  }
}

TEST_F(GgufModelTest, FindsTritsInPlainFloats) {
  const auto model = MakeModel(*ctx_, WideConfig("qwen3"));
  const auto f16 = [](const Matrix& m) { return EncodeFloats(m, RoundToF16); };
  const std::string path = Write(ImageOf(*ctx_, *model, "qwen3", 1, f16));
  const LoadedModel packed = LoadModel(*ctx_, path);
  int64_t ternary = 0;
  for (const NamedWeight& weight : packed.model->NamedWeights()) {
    ternary += weight.ternary != nullptr ? 1 : 0;
  }
  EXPECT_EQ(ternary, 7);
  LoadOptions options;
  options.keep_masters = true;
  const std::vector<float> expected = LogitsOf(path, options);
  EXPECT_EQ(Logits(*ctx_, *packed.model, 1, ids_), expected);
  const std::string out = directory_.File("out.gguf");
  EXPECT_TRUE(SaveGguf(*ctx_, *packed.model, out, {.floats = "F32"}).empty());
  EXPECT_EQ(LogitsOf(out), expected);
}

TEST_F(GgufModelTest, NamesTheScalesThatItRoundsOrCannotHold) {
  ModelConfig config = WideConfig("qwen3");
  config.head_norms = true;
  const auto model = MakeModel(*ctx_, config);
  const auto groups_of_64 = [](const Matrix& m) {
    std::string codes = EncodeQ20(m);
    codes.replace(0, 2, Bytes(RoundToF16(0.5f).bits));
    return codes;
  };
  const LoadedModel fine =
      LoadModel(*ctx_, Write(ImageOf(*ctx_, *model, "qwen3", 42, groups_of_64)));
  const std::string out = directory_.File("out.gguf");
  GgufOptions options = {.trits = "tq2_0", .floats = "F32"};
  ExpectError([&] { SaveGguf(*ctx_, *fine.model, out, options); }, ErrorKind::kUnsupported,
              {"\"blk.0.attn_q.weight\"", "a scale for each 64", "TQ2_0", "hf-floats"});
  const auto rows = [](const Matrix& m, float first) {
    std::string codes = EncodeIq2Bn(m);
    return codes.replace(0, 4, Bytes(first));
  };
  const auto with = [&](float first) {
    return LoadModel(*ctx_, Write(ImageOf(*ctx_, *model, "qwen3", 135,
                                          [&](const Matrix& m) { return rows(m, first); })));
  };
  const std::vector<std::string> rounded = SaveGguf(*ctx_, *with(0.1f).model, out, options);
  ASSERT_EQ(rounded.size(), 7u);
  EXPECT_EQ(rounded[0], "blk.0.attn_q.weight (1 of 256 scales to f16)");
  options.replace = true;
  ExpectError([&] { SaveGguf(*ctx_, *with(1e6f).model, out, options); }, ErrorKind::kUnsupported,
              {"\"blk.0.attn_q.weight\"", "TQ2_0", "1000000"});
}

// Ternary Bonsai: q and k norms, heads of a size of their own, activations that stay float.
TEST_F(GgufModelTest, ReadsQwen3WithFloatActivations) {
  ModelConfig config = WideConfig("qwen3");
  config.head_norms = true;
  const auto model = MakeModel(*ctx_, config);
  for (const auto& [type, encode] :
       {std::pair<uint32_t, Encoder>{42, EncodeQ20},
        {1, [](const Matrix& m) { return EncodeFloats(m, RoundToF16); }}}) {
    const std::string path = Write(ImageOf(*ctx_, *model, "qwen3", type, encode));
    const LoadedModel loaded = LoadModel(*ctx_, path);
    EXPECT_EQ(loaded.model->config().weights, nn::WeightKind::kF32);
    EXPECT_TRUE(loaded.model->config().head_norms);
    LoadOptions options;
    options.weights = FloatWeights::kMasters;  // as trits with 8-bit activations
    EXPECT_EQ(LogitsOf(path, options), Logits(*ctx_, *model, 1, ids_));
    EXPECT_NE(LogitsOf(path), Logits(*ctx_, *model, 1, ids_));
  }
}

TEST_F(GgufModelTest, NamesWhatItRounds) {
  ModelConfig config = WideConfig("bitnet");
  config.tie_embeddings = true;
  const auto model = Model::Create(*ctx_, config, 7);
  model->Pack(*ctx_);
  const std::string path = directory_.File("rounded.gguf");
  for (const char* floats : {"F16", "Q8_0", "Q6_K"}) {
    SCOPED_TRACE(floats);
    GgufOptions options;
    options.floats = floats;
    options.replace = true;
    EXPECT_EQ(SaveGguf(*ctx_, *model, path, options),
              (std::vector<std::string>{std::string("token_embd.weight (to ") + floats + ")"}));
    // What was rounded once stays as it is.
    const LoadedModel once = LoadModel(*ctx_, path);
    const std::vector<float> expected = Logits(*ctx_, *once.model, 1, ids_);
    options.floats = "F32";
    EXPECT_TRUE(SaveGguf(*ctx_, *once.model, path, options).empty());
    EXPECT_EQ(LogitsOf(path), expected);
  }
  GgufOptions options;
  options.trits = "tq2_0";
  options.floats = "F32";
  options.replace = true;
  const std::vector<std::string> rounded = SaveGguf(*ctx_, *model, path, options);
  ASSERT_EQ(rounded.size(), 7u);
  EXPECT_NE(rounded[0].find("blk.0.attn_q.weight (scale"), std::string::npos) << rounded[0];
}

TEST_F(GgufModelTest, RefusesToWriteWhatHasNoPlace) {
  const auto narrow = Model::Create(*ctx_, SmallConfig(), 1);
  const std::string path = directory_.File("x.gguf");
  ExpectError([&] { SaveGguf(*ctx_, *narrow, path, {}); }, ErrorKind::kUnsupported,
              {"blk.0.attn_q.weight", "rows of 64", "I2_S"});
  ModelConfig config = WideConfig("llama");
  config.activation = Activation::kRelu2;
  const auto other = Model::Create(*ctx_, config, 1);
  ExpectError([&] { SaveGguf(*ctx_, *other, path, {}); }, ErrorKind::kUnsupported, {"llama"});
  config = WideConfig("llama");
  config.weights = nn::WeightKind::kF32;
  const auto plain = Model::Create(*ctx_, config, 1);
  ExpectError([&] { SaveGguf(*ctx_, *plain, path, {}); }, ErrorKind::kUnsupported,
              {"\"blk.0.attn_q.weight\"", "not ternary"});
}

// Each architecture with and without what says more about its activation.
TEST_F(GgufModelTest, ChoosesTheActivation) {
  const auto activation = [&](const std::string& arch, int64_t hidden, int64_t ffn, int64_t layers,
                              uint64_t vocab, const char* named = nullptr) {
    GgufImage image;
    ModelConfig config = WideConfig("bitnet");
    config.hidden_size = hidden;
    config.intermediate_size = ffn;
    config.layers = layers;
    AddConfig(config, arch, &image);
    if (named != nullptr) image.String(arch + ".hidden_activation", named);
    image.Tensor("token_embd.weight", {32, vocab}, 1, std::string(vocab * 64, '\0'));
    image.Tensor("blk.0.attn_q.weight", {128, 1}, 36, std::string(64, '\0'));
    return ReadGgufConfig(GgufFile(Write(image))).activation;
  };
  EXPECT_EQ(activation("bitnet-b1.58", 256, 512, 1, 32), Activation::kRelu2);
  EXPECT_EQ(activation("bitnet-25", 256, 512, 1, 32), Activation::kRelu2);
  EXPECT_EQ(activation("bitnet", 256, 512, 1, 32), Activation::kSilu);
  EXPECT_EQ(activation("bitnet", 2560, 6912, 30, 32), Activation::kRelu2);
  EXPECT_EQ(activation("bitnet-b1.58", 256, 512, 1, 32002), Activation::kSilu);
  EXPECT_EQ(activation("llama", 256, 512, 1, 32), Activation::kSilu);
  EXPECT_EQ(activation("bitnet", 256, 512, 1, 32, "relu2"), Activation::kRelu2);
  ExpectError([&] { activation("bitnet", 256, 512, 1, 32, "gelu"); }, ErrorKind::kUnsupported,
              {"hidden_activation", "gelu"});
  ExpectError([&] { activation("gpt2", 256, 512, 1, 32); }, ErrorKind::kUnsupported,
              {"\"gpt2\"", "bitnet-b1.58"});
}

TEST_F(GgufModelTest, RefusesTypesThatItCannotRead) {
  const auto model = MakeModel(*ctx_, WideConfig("bitnet"));
  const auto refuse = [&](uint32_t type, size_t bytes_of_256, const char* mend) {
    const auto encode = [&](const Matrix& m) {
      return std::string(static_cast<size_t>(m.n * m.k / 256) * bytes_of_256, '\0');
    };
    const std::string path = Write(ImageOf(*ctx_, *model, "bitnet-b1.58", type, encode));
    ExpectError([&] { LogitsOf(path); }, ErrorKind::kUnsupported, {path, "blk.0.attn_q", mend});
  };
  refuse(38, 64, "convert the model anew as I2_S");
  refuse(39, 64, "tuning of the program that wrote it");
  refuse(142, 68, "Hadamard");
  refuse(143, 56, "Q2_0 file");
  refuse(12, 144, "convert the model anew as I2_S");
  GgufImage rotated = ImageOf(*ctx_, *model, "bitnet-b1.58", 36, EncodeI2S);
  rotated.U32("prism.hadamard.block", 128);
  const std::string path = Write(rotated);
  ExpectError([&] { LogitsOf(path); }, ErrorKind::kUnsupported,
              {"prism.hadamard.block", "rotated"});
}

TEST_F(GgufModelTest, RefusesBrokenModels) {
  const auto model = MakeModel(*ctx_, WideConfig("bitnet"));
  const auto refuse = [&](const Encoder& encode, uint32_t type, ErrorKind kind,
                          std::initializer_list<std::string_view> texts) {
    const std::string path = Write(ImageOf(*ctx_, *model, "bitnet-b1.58", type, encode));
    ExpectError([&] { LogitsOf(path); }, kind, texts);
  };
  const auto code3 = [](const Matrix& m) {
    std::string bytes = EncodeI2S(m);
    bytes[40] = '\x03';
    return bytes;
  };
  refuse(code3, 36, ErrorKind::kInvalidFile, {"blk.0.attn_q.weight", "block 1", "code 3"});
  const auto code3_q20 = [](const Matrix& m) {
    std::string bytes = EncodeQ20(m);
    bytes[2] = '\x03';
    return bytes;
  };
  refuse(code3_q20, 42, ErrorKind::kUnsupported, {"block 0", "code 3", "not a ternary model"});
  const auto endless = [](Matrix m) {
    m.scale = INFINITY;
    return EncodeI2S(m);
  };
  refuse(endless, 36, ErrorKind::kNumeric, {"scale 0 is inf"});
  GgufImage scaled = ImageOf(*ctx_, *model, "bitnet-b1.58", 36, EncodeI2S);
  scaled.String("bitnet-b1.58.rope.scaling.type", "yarn");
  ExpectError([&] { LogitsOf(Write(scaled)); }, ErrorKind::kUnsupported, {"scaled RoPE", "yarn"});
  GgufImage layout = ImageOf(*ctx_, *model, "bitnet-b1.58", 36, EncodeI2S);
  layout.String("tern.i2_s.layout", "i2_s");
  LoadOptions options;
  options.i2_s_layout = "i2_s_64";
  ExpectError([&] { LogitsOf(Write(layout), options); }, ErrorKind::kInvalidArgument,
              {"i2_s, not i2_s_64"});
  GgufImage weights = ImageOf(*ctx_, *model, "bitnet-b1.58", 36, EncodeI2S);
  weights.String("tern.weights", "some");
  ExpectError([&] { LogitsOf(Write(weights)); }, ErrorKind::kUnsupported,
              {"tern.weights", "\"some\""});
  GgufImage lone;
  AddConfig(model->config(), "bitnet-b1.58", &lone);
  ExpectError([&] { LogitsOf(Write(lone)); }, ErrorKind::kInvalidFile, {"\"token_embd.weight\""});
}

}  // namespace
}  // namespace tern
