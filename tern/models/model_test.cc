// SPDX-License-Identifier: MIT
// The promise of model.h: equal logits, bit for bit, however they are computed.
#include "tern/models/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "tern/autograd/tape.h"
#include "tern/base/float16.h"
#include "tern/io/test_files.h"
#include "tern/models/logits_hash.h"
#include "tern/models/test_model.h"

namespace tern {
namespace {

constexpr uint64_t kSeed = 20240227;
constexpr int64_t kBatch = 3;
constexpr int64_t kTokens = 21;

ModelConfig LlamaConfig() {
  ModelConfig config = SmallConfig();
  config.family = "llama";
  config.sub_norms = false;
  config.activation = Activation::kSilu;
  config.tie_embeddings = false;
  config.attention_bias = true;
  config.mlp_bias = true;
  config.head_dim = 12;  // not hidden / heads
  return config;
}

ModelConfig PlainConfig() {
  ModelConfig config = SmallConfig();
  config.weights = nn::WeightKind::kF32;
  return config;
}

ModelConfig SignConfig() {
  ModelConfig config = SmallConfig();
  config.quantizer = TernaryQuantizer::kSign;
  return config;
}

ModelConfig NarrowConfig() {
  ModelConfig config = SmallConfig();
  config.float_dtype = DType::kBF16;
  return config;
}

std::unique_ptr<Model> MakeModel(Context& ctx, const ModelConfig& config) {
  std::unique_ptr<Model> model = Model::Create(ctx, config, kSeed);
  Enliven(*model, kSeed);
  return model;
}

std::vector<int32_t> BatchIds(const ModelConfig& config) {
  return RandomIds(kBatch * kTokens, config.vocab_size, kSeed);
}

// As a training step computes them: from masters, with a tape that watches every parameter.
std::vector<float> TrainingLogits(Context& ctx, Model& model, int64_t batch,
                                  std::span<const int32_t> ids) {
  Tape tape(ctx);
  for (const Parameter& parameter : model.Parameters()) {
    *parameter.value = tape.Watch(*parameter.value);
  }
  std::vector<float> logits = Logits(ctx, model, batch, ids);
  EXPECT_GT(tape.nodes(), 0);
  for (const Parameter& parameter : model.Parameters()) {
    *parameter.value = parameter.value->Detached();
  }
  return logits;
}

// Token by token after `prompt` tokens at once, for one sequence.
std::vector<float> CachedLogits(Context& ctx, const Model& model, std::span<const int32_t> ids,
                                size_t prompt, DType dtype) {
  KvCache cache = model.MakeCache(ctx, static_cast<int64_t>(ids.size()), dtype);
  std::vector<float> logits = Logits(ctx, model, 1, ids.first(prompt), {.cache = &cache});
  for (size_t i = prompt; i < ids.size(); ++i) {
    const std::vector<float> row = Logits(ctx, model, 1, ids.subspan(i, 1), {.cache = &cache});
    logits.insert(logits.end(), row.begin(), row.end());
  }
  return logits;
}

// What the logits of a family hash to on every machine: x86 and ARM programs compare themselves
// with the same number.
struct Family {
  const char* name;
  ModelConfig config;
  uint64_t hash;
};

void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

class ModelEquality : public ::testing::TestWithParam<Family> {
 protected:
  const ModelConfig& config() const { return GetParam().config; }
};

TEST_P(ModelEquality, TargetsAndThreadsAndTrainingAndPacked) {
  const std::vector<int32_t> ids = BatchIds(config());
  std::vector<float> wanted;
  for (const std::string& target : SupportedTargets()) {
    for (const int threads : {1, 2, 3}) {
      SCOPED_TRACE(target + ", threads " + std::to_string(threads));
      const std::unique_ptr<Context> ctx = CpuContext(target, threads);
      const std::unique_ptr<Model> model = MakeModel(*ctx, config());
      const std::vector<float> trained = TrainingLogits(*ctx, *model, kBatch, ids);
      if (wanted.empty()) wanted = trained;
      EXPECT_EQ(trained, wanted) << "with a tape";
      EXPECT_EQ(Logits(*ctx, *model, kBatch, ids), wanted) << "from masters";
      model->Pack(*ctx);
      EXPECT_FALSE(model->has_masters());
      EXPECT_EQ(Logits(*ctx, *model, kBatch, ids), wanted) << "packed";
      EXPECT_EQ(TrainingLogits(*ctx, *model, kBatch, ids), wanted) << "packed, with a tape";
      model->Pack(*ctx, TernaryLayout::kPanelsBase3);
      EXPECT_EQ(Logits(*ctx, *model, kBatch, ids), wanted) << "packed in base 3";
    }
  }
  EXPECT_TRUE(std::all_of(wanted.begin(), wanted.end(), [](float v) { return v - v == 0; }));
  EXPECT_NE(wanted.front(), wanted.back());
  EXPECT_EQ(HashLogits(wanted), GetParam().hash);
}

TEST_P(ModelEquality, BatchesAndLastPositionsAndCache) {
  const std::vector<int32_t> ids = BatchIds(config());
  const std::unique_ptr<Context> ctx = CpuContext({}, 2);
  const std::unique_ptr<Model> model = MakeModel(*ctx, config());
  model->Pack(*ctx);
  const std::vector<float> all = Logits(*ctx, *model, kBatch, ids);
  const size_t vocab = static_cast<size_t>(config().vocab_size);
  for (size_t b = 0; b < kBatch; ++b) {
    SCOPED_TRACE("sequence " + std::to_string(b));
    const std::span<const int32_t> own = std::span(ids).subspan(b * kTokens, kTokens);
    const auto begin = all.begin() + static_cast<ptrdiff_t>(b * kTokens * vocab);
    const std::vector<float> wanted(begin, begin + static_cast<ptrdiff_t>(kTokens * vocab));
    EXPECT_EQ(Logits(*ctx, *model, 1, own), wanted);
    EXPECT_EQ(Logits(*ctx, *model, 1, own, {.last = 2}),
              std::vector<float>(wanted.end() - static_cast<ptrdiff_t>(2 * vocab), wanted.end()));
    for (const size_t prompt : {size_t{1}, size_t{7}, size_t{kTokens}}) {
      EXPECT_EQ(CachedLogits(*ctx, *model, own, prompt, DType::kF32), wanted)
          << "prompt of " << prompt;
    }
  }
}

TEST_P(ModelEquality, NarrowCachesRoundWithoutACacheToo) {
  const std::unique_ptr<Context> ctx = CpuContext();
  const std::unique_ptr<Model> model = MakeModel(*ctx, config());
  const std::vector<int32_t> ids = RandomIds(kTokens, config().vocab_size, kSeed);
  const std::vector<float> full = Logits(*ctx, *model, 1, ids);
  for (const DType dtype : {DType::kBF16, DType::kF16, DType::kI8}) {
    const std::vector<float> rounded = Logits(*ctx, *model, 1, ids, {.kv_dtype = dtype});
    EXPECT_NE(rounded, full);
    EXPECT_EQ(CachedLogits(*ctx, *model, ids, 5, dtype), rounded);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ModelEquality,
                         ::testing::Values(Family{"BitNet", SmallConfig(), 0x9ddd3fa0e3706657},
                                           Family{"Llama", LlamaConfig(), 0x0fef0e7236ed61fc},
                                           Family{"Plain", PlainConfig(), 0x7d1f536d79022b7a},
                                           Family{"Sign", SignConfig(), 0x6cfa54c24254290e},
                                           Family{"Narrow", NarrowConfig(), 0xefeaa50131a25eaf}),
                         [](const ::testing::TestParamInfo<Family>& test) {
                           return std::string(test.param.name);
                         });

TEST(Model, RewindsACache) {
  const std::unique_ptr<Context> ctx = CpuContext();
  const std::unique_ptr<Model> model = MakeModel(*ctx, SmallConfig());
  const std::vector<int32_t> ids = RandomIds(12, 97, kSeed);
  const std::vector<int32_t> other = RandomIds(5, 97, kSeed + 1);
  KvCache cache = model->MakeCache(*ctx, 16);
  Logits(*ctx, *model, 1, std::span(ids).first(7), {.cache = &cache});
  const std::vector<float> wanted =
      Logits(*ctx, *model, 1, std::span(ids).subspan(7), {.cache = &cache});
  cache.Truncate(7);
  Logits(*ctx, *model, 1, other, {.cache = &cache});
  cache.Truncate(7);
  EXPECT_EQ(Logits(*ctx, *model, 1, std::span(ids).subspan(7), {.cache = &cache}), wanted);
}

// A configuration from a stranger may name 2^24 positions.
TEST(Model, PositionsTakeNoMemoryBeforeTheyCome) {
  const std::unique_ptr<Context> ctx = CpuContext();
  ModelConfig config = SmallConfig();
  config.max_positions = int64_t{1} << 24;
  const std::unique_ptr<Model> model = MakeModel(*ctx, config);
  const std::vector<int32_t> ids = RandomIds(5, 97, kSeed);
  EXPECT_EQ(Logits(*ctx, *model, 1, ids), Logits(*ctx, *MakeModel(*ctx, SmallConfig()), 1, ids));
  EXPECT_LT(ctx->pool().stats().peak_bytes, size_t{16} << 20);
}

TEST(Model, NarrowFloatsAreUsedRounded) {
  const std::unique_ptr<Context> ctx = CpuContext();
  const std::vector<int32_t> ids = RandomIds(9, 97, kSeed);
  const std::unique_ptr<Model> narrow = MakeModel(*ctx, NarrowConfig());
  const std::unique_ptr<Model> wide = MakeModel(*ctx, SmallConfig());
  const std::vector<float> logits = Logits(*ctx, *narrow, 1, ids);
  EXPECT_NE(Logits(*ctx, *wide, 1, ids), logits);
  for (const Parameter& parameter : wide->Parameters()) {
    for (float& value : parameter.value->span<float>()) value = ToF32(RoundToBF16(value));
  }
  EXPECT_EQ(Logits(*ctx, *wide, 1, ids), logits);
}

TEST(Model, InitializesFromTheSeed) {
  const std::unique_ptr<Context> ctx = CpuContext();
  const std::unique_ptr<Model> model = Model::Create(*ctx, LlamaConfig(), 1);
  const std::unique_ptr<Model> same = Model::Create(*ctx, LlamaConfig(), 1);
  const std::unique_ptr<Model> other = Model::Create(*ctx, LlamaConfig(), 2);
  int64_t elements = 0;
  for (size_t i = 0; i < model->Parameters().size(); ++i) {
    const Parameter parameter = model->Parameters()[i];
    const std::span<const float> values = parameter.value->span<float>();
    elements += parameter.value->elements();
    SCOPED_TRACE(parameter.name);
    EXPECT_TRUE(std::ranges::equal(values, same->Parameters()[i].value->span<float>()));
    if (parameter.kind == ParameterKind::kNorm) {
      EXPECT_TRUE(std::all_of(values.begin(), values.end(), [](float v) { return v == 1.0f; }));
    } else if (parameter.kind == ParameterKind::kBias) {
      EXPECT_TRUE(std::all_of(values.begin(), values.end(), [](float v) { return v == 0.0f; }));
    } else {
      EXPECT_FALSE(std::ranges::equal(values, other->Parameters()[i].value->span<float>()));
      double squares = 0;
      for (const double value : values) squares += value * value;
      const double n = static_cast<double>(values.size());
      // The standard deviation of n draws is within 5 / sqrt(2 n) of its own, relative.
      EXPECT_NEAR(std::sqrt(squares / n) / 0.02, 1.0, 5 / std::sqrt(2 * n));
    }
  }
  EXPECT_EQ(elements, ParameterCount(LlamaConfig()));
  EXPECT_EQ(model->Parameters().front().name, "model.embed_tokens.weight");
  EXPECT_EQ(model->Parameters().back().name, "lm_head.weight");
}

TEST(Model, RefusesWhatDoesNotFit) {
  const std::unique_ptr<Context> ctx = CpuContext();
  const std::unique_ptr<Model> model = MakeModel(*ctx, SmallConfig());
  const auto forward = [&](std::span<const int32_t> ids, const ForwardOptions& options) {
    return [&, ids, options] { model->Forward(*ctx, MakeIds(*ctx, 1, ids), options); };
  };
  constexpr ErrorKind kArgument = ErrorKind::kInvalidArgument;
  testing::ExpectError(forward(RandomIds(65, 97, 1), {}), kArgument, {"65", "64"});
  const std::vector<int32_t> wrong = {3, 97};
  testing::ExpectError(forward(wrong, {}), kArgument, {"97"});
  testing::ExpectError(forward({}, {}), kArgument, {"[1, 0]"});
  KvCache cache = model->MakeCache(*ctx, 4);
  const std::vector<int32_t> five = RandomIds(5, 97, 1);
  testing::ExpectError(forward(five, {.cache = &cache}), kArgument, {"capacity of 4"});
  testing::ExpectError(forward(five, {.last = 6}), kArgument, {"last 6 of 5"});
  EXPECT_EQ(cache.length(), 0);
}

TEST(LogitsHash, ToldByOneBit) {
  const std::vector<float> a = {1.0f, -2.5f, 0.0f};
  const std::vector<float> b = {1.0f, -2.5f, -0.0f};
  EXPECT_NE(HashLogits(a), HashLogits(b));
  EXPECT_EQ(HashLogits({}), 0xcbf29ce484222325u);
  // FNV-1a of the bytes 00 00 80 3f.
  const std::vector<float> one = {1.0f};
  uint64_t hash = 0xcbf29ce484222325u;
  for (const uint64_t byte : {0x00u, 0x00u, 0x80u, 0x3fu}) hash = (hash ^ byte) * 0x100000001b3u;
  EXPECT_EQ(HashLogits(one), hash);
}

// A head large enough to be screened, whose largest logits are those of the whole.
TEST(ModelTest, ScreensALargeHeadExactly) {
  const auto ctx = CpuContext({}, 2);
  ModelConfig config = SmallConfig();
  config.vocab_size = 1 << 16;
  config.layers = 1;
  const auto model = Model::Create(*ctx, config, 3);
  EXPECT_FALSE(model->screen());
  model->Pack(*ctx);
  ASSERT_TRUE(model->screen());
  const std::vector<int32_t> ids = RandomIds(5, config.vocab_size, 4);
  const std::vector<float> all = Logits(*ctx, *model, 1, ids, {.last = 1});
  const std::vector<float> top = Logits(*ctx, *model, 1, ids, {.last = 1, .top = 9});
  std::vector<float> sorted = all;
  std::ranges::sort(sorted, std::greater());
  int64_t left_out = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] >= sorted[8]) {
      EXPECT_EQ(all[i], top[i]);
    }
    left_out += top[i] < all[i] ? 1 : 0;
  }
  EXPECT_GT(left_out, config.vocab_size * 9 / 10);
  // Several rows are computed whole.
  EXPECT_EQ(Logits(*ctx, *model, 1, ids), Logits(*ctx, *model, 1, ids, {.top = 9}));
}

}  // namespace
}  // namespace tern
