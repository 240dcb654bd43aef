// SPDX-License-Identifier: MIT
// Logits and greedy continuations against those of transformers, on every CPU target, at the
// tolerances of README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/test_directory.h"
#include "tern/io/safetensors.h"
#include "tern/models/checkpoint.h"
#include "tern/runtime/embed.h"
#include "tests/golden/golden.h"
#include "tests/golden/tern_checkpoint.h"

namespace tern {
namespace {

constexpr int kCases = 4;
constexpr double kTight = 1e-4;  // in sd of a case's logits
constexpr double kLoose = 0.15;
constexpr double kCosine = 0.999;

std::vector<std::string> SupportedTargets() {
  std::vector<std::string> names;
  for (const kernels::Target& target : kernels::ListTargets(CpuFeatures::Detect())) {
    if (target.supported) names.push_back(target.name);
  }
  return names;
}

std::unique_ptr<Context> MakeContext(const std::string& target) {
  auto ctx = std::make_unique<Context>(ContextOptions{.threads = 2, .log = {}});
  ctx->AddBackend(std::make_unique<CpuBackend>(target));
  return ctx;
}

template <typename T>
std::vector<T> Read(const SafetensorsFile& file, const std::string& name, DType dtype) {
  const TensorInfo& info = file.Get(name);
  std::vector<T> values(static_cast<size_t>(info.element_count));
  CopyTo(info, dtype, std::span(values));
  return values;
}

Tensor MakeIds(Context& ctx, std::span<const int32_t> ids) {
  const Tensor tensor = ctx.Empty({1, static_cast<int64_t>(ids.size())}, DType::kI32);
  std::copy(ids.begin(), ids.end(), tensor.data<int32_t>());
  return tensor;
}

double StandardDeviation(std::span<const float> values) {
  double sum = 0;
  double squares = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  const double n = static_cast<double>(values.size());
  return std::sqrt(squares / n - (sum / n) * (sum / n));
}

// The largest difference, in sd of `wanted`.
double Deviation(std::span<const float> got, std::span<const float> wanted) {
  double largest = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double difference = std::abs(static_cast<double>(got[i]) - wanted[i]);
    // NaN compares false: it must not pass for a small difference.
    if (!(difference <= largest)) largest = difference;
  }
  return largest / StandardDeviation(wanted);
}

double Cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

std::vector<int32_t> Greedy(Context& ctx, const Model& model, std::vector<int32_t> ids,
                            int64_t count) {
  KvCache cache = model.MakeCache(ctx, static_cast<int64_t>(ids.size()) + count);
  std::vector<int32_t> added;
  while (static_cast<int64_t>(added.size()) < count) {
    const Tensor logits = model.Forward(ctx, MakeIds(ctx, ids), {.cache = &cache, .last = 1});
    const std::span<const float> row = logits.span<float>();
    const auto best = std::max_element(row.begin(), row.end());
    added.push_back(static_cast<int32_t>(best - row.begin()));
    ids = {added.back()};
  }
  return added;
}

// Compares one case; returns the deviation of its logits.
double CheckCase(Context& ctx, const Model& model, const SafetensorsFile& expected, int number) {
  const std::string suffix = "." + std::to_string(number);
  const auto ids = Read<int32_t>(expected, "ids" + suffix, DType::kI32);
  const auto wanted = Read<float>(expected, "logits" + suffix, DType::kF32);
  const auto greedy = Read<int32_t>(expected, "greedy" + suffix, DType::kI32);
  const int64_t last = expected.Get("logits" + suffix).shape.at(0);

  const Tensor logits = model.Forward(ctx, MakeIds(ctx, ids), {.last = last});
  const std::span<const float> got = logits.span<float>();
  EXPECT_EQ(got.size(), wanted.size());
  const double deviation = Deviation(got, wanted);
  EXPECT_LT(deviation, kLoose);
  const size_t vocab = wanted.size() / static_cast<size_t>(last);
  for (size_t row = 0; row < static_cast<size_t>(last); ++row) {
    EXPECT_GT(
        Cosine(got.subspan(row * vocab, vocab), std::span(wanted).subspan(row * vocab, vocab)),
        kCosine)
        << "position " << row;
  }
  EXPECT_EQ(Greedy(ctx, model, ids, static_cast<int64_t>(greedy.size())), greedy);
  return deviation;
}

void CheckCheckpoint(const std::string& directory, bool keep_masters) {
  const SafetensorsFile expected(directory + "/expected.safetensors");
  for (const std::string& target : SupportedTargets()) {
    SCOPED_TRACE(directory + " on " + target);
    const std::unique_ptr<Context> ctx = MakeContext(target);
    const LoadedModel loaded = LoadModel(*ctx, directory, {.keep_masters = keep_masters});
    double best = 1e9;
    std::string deviations;
    for (int i = 0; i < kCases; ++i) {
      SCOPED_TRACE("case " + std::to_string(i));
      const double deviation = CheckCase(*ctx, *loaded.model, expected, i);
      best = std::min(best, deviation);
      deviations += " " + std::to_string(deviation * 1e6);
    }
    EXPECT_LT(best, kTight) << "deviations in millionths of a sd:" << deviations;
    testing::Test::RecordProperty(target, deviations);
  }
}

// Every target and number of threads gives the same bits, and one of the cases those of
// transformers but for rounding.
void CheckEmbeddings(const std::string& directory, const std::string& model) {
  const SafetensorsFile expected(directory + "/expected.safetensors");
  std::vector<std::vector<float>> first;
  for (const std::string& target : SupportedTargets()) {
    SCOPED_TRACE(model + " on " + target);
    const std::unique_ptr<Context> ctx = MakeContext(target);
    const LoadedModel loaded = LoadModel(*ctx, model);
    std::vector<std::vector<float>> embeddings;
    double best = 1e9;
    for (int i = 0; i < kCases; ++i) {
      const std::string suffix = "." + std::to_string(i);
      const auto ids = Read<int32_t>(expected, "ids" + suffix, DType::kI32);
      const auto wanted = Read<float>(expected, "embedding" + suffix, DType::kF32);
      embeddings.push_back(EmbedText(*ctx, *loaded.model, ids));
      ASSERT_EQ(embeddings.back().size(), wanted.size());
      EXPECT_GT(Cosine(embeddings.back(), wanted), kCosine) << "case " << i;
      const double deviation = Deviation(embeddings.back(), wanted);
      EXPECT_LT(deviation, kLoose) << "case " << i;
      best = std::min(best, deviation);
    }
    EXPECT_LT(best, kTight);
    if (first.empty()) first = embeddings;
    EXPECT_EQ(embeddings, first);
  }
}

TEST(ModelGolden, BitNetOnline) { CheckCheckpoint(GoldenDir("bitnet-online"), false); }
TEST(ModelGolden, BitNetOnlineFromMasters) { CheckCheckpoint(GoldenDir("bitnet-online"), true); }
TEST(ModelGolden, BitNetPacked) { CheckCheckpoint(GoldenDir("bitnet-packed"), false); }
// Families and forms of weights, each as it is published (make_families.py); always those in the
// tree.
std::string InTree(const std::string& name) {
  return std::string(TERN_GOLDEN_IN_TREE) + "/" + name;
}
TEST(ModelGolden, OneBitLlm) { CheckCheckpoint(InTree("onebitllm"), false); }
TEST(ModelGolden, TriLm) { CheckCheckpoint(InTree("trilm"), false); }
TEST(ModelGolden, TernaryBonsai) { CheckCheckpoint(InTree("ternary-bonsai"), false); }
TEST(ModelGolden, Qwen3Embedding) {
  CheckEmbeddings(InTree("qwen3-embedding"), InTree("qwen3-embedding"));
}
// As bitnet.cpp's converter writes it (make_bitnet_gguf.py).
TEST(ModelGolden, Qwen3EmbeddingAsGguf) {
  CheckEmbeddings(InTree("qwen3-embedding"), InTree("gguf/bitnet-embedding.gguf"));
}
TEST(ModelGolden, Gemma3Embedding) {
  CheckEmbeddings(InTree("gemma3-embedding"), InTree("gemma3-embedding"));
}

TEST(ModelGolden, LlamaPacked) { CheckCheckpoint(GoldenDir("llama-packed"), false); }

// What Tern writes: still the bytes that transformers was given, and it computes the same from
// them.
TEST(ModelGolden, WrittenByTern) {
  const TestDirectory directory;
  const std::unique_ptr<Context> ctx = MakeContext({});
  for (const TernCheckpoint& which : kTernCheckpoints) {
    const std::string committed = std::string(TERN_GOLDEN_IN_TREE) + "/" + which.name;
    WriteTernCheckpoint(*ctx, which, directory.File(which.name));
    for (const char* file : {"/config.json", "/model.safetensors", "/generation_config.json"}) {
      EXPECT_TRUE(TestDirectory::Read(directory.File(which.name) + file) ==
                  TestDirectory::Read(committed + file))
          << which.name << file << " is no longer what was committed";
    }
    CheckCheckpoint(committed, which.form == CheckpointForm::kMasters);
  }
}

}  // namespace
}  // namespace tern
