// SPDX-License-Identifier: MIT
#include "tern/runtime/perplexity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "tern/base/error.h"
#include "tern/ops/ops.h"
#include "tern/runtime/test_model.h"

namespace tern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto Ignore = [](int64_t) {};

double Loss(std::span<const float> logits, int32_t target) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit});
  return std::log(sum) - double{logits[static_cast<size_t>(target)]};
}

// The definition: each window by a pass of its own, without cache; losses by `loss`.
template <typename LossOfRow>
double ExpectedNats(Context& ctx, const Model& model, int32_t context, std::span<const int32_t> ids,
                    size_t window, LossOfRow loss) {
  double nats = 0;
  for (size_t begin = 0; begin < ids.size(); begin += window) {
    const auto targets = ids.subspan(begin, std::min(window, ids.size() - begin));
    std::vector<int32_t> inputs = {begin == 0 ? context : ids[begin - 1]};
    inputs.insert(inputs.end(), targets.begin(), targets.end() - 1);
    const Tensor logits = LogitsWithoutCache(ctx, model, inputs);
    for (size_t i = 0; i < targets.size(); ++i) {
      nats += loss(logits.Selected(0, static_cast<int64_t>(i)), targets[i]);
    }
  }
  return nats;
}

double ExpectedNats(Context& ctx, const Model& model, int32_t context, std::span<const int32_t> ids,
                    size_t window) {
  return ExpectedNats(ctx, model, context, ids, window, [](const Tensor& logits, int32_t target) {
    return Loss(logits.span<float>(), target);
  });
}

// A loss in float32 is log of a sum of 260 terms in 16 lanes (17 + 4 additions), with an
// exponential and a logarithm of a few ulp each and two subtractions of numbers below 8: 64
// half-ulps of 8 bound it.
constexpr double kLossTolerance = 64 * 8 * 0x1p-24;

TEST(PerplexityTest, ScoresEveryTokenOnceInWindows) {
  TestContext ctx(2);
  ModelConfig config = TinyConfig();
  config.bos = 7;
  config.eos = {8};
  const auto model = Model::Create(ctx, config, 50);
  model->Pack(ctx);
  const std::vector<int32_t> ids = RandomIds(50, 100, config.vocab_size);
  for (const int64_t window : {1, 7, 50, 64}) {
    SCOPED_TRACE(window);
    const PerplexityResult result = Perplexity(ctx, *model, ids, {.window = window}, Ignore);
    EXPECT_EQ(result.tokens, 100);
    EXPECT_EQ(result.windows, (100 + window - 1) / window);
    EXPECT_NEAR(result.nats, ExpectedNats(ctx, *model, 7, ids, static_cast<size_t>(window)),
                100 * kLossTolerance);
  }
  // 0 stands for all positions of the model.
  EXPECT_EQ(Perplexity(ctx, *model, ids, {}, Ignore).nats,
            Perplexity(ctx, *model, ids, {.window = 64}, Ignore).nats);
}

TEST(PerplexityTest, WhatStandsBeforeTheFirstToken) {
  TestContext ctx;
  ModelConfig config = TinyConfig();
  const std::vector<int32_t> ids = RandomIds(51, 30, config.vocab_size);
  config.eos = {8, 9};
  auto model = Model::Create(ctx, config, 51);
  EXPECT_NEAR(Perplexity(ctx, *model, ids, {.window = 10}, Ignore).nats,
              ExpectedNats(ctx, *model, 8, ids, 10), 30 * kLossTolerance);
  config.eos = {};
  model = Model::Create(ctx, config, 51);
  const PerplexityResult result = Perplexity(ctx, *model, ids, {.window = 10}, Ignore);
  EXPECT_EQ(result.tokens, 30);
  EXPECT_NEAR(result.nats,
              std::log(260.0) + ExpectedNats(ctx, *model, ids[0], std::span(ids).subspan(1), 10),
              30 * kLossTolerance);
  const PerplexityResult one = Perplexity(ctx, *model, std::span(ids).first(1), {}, Ignore);
  EXPECT_NEAR(one.Perplexity(), 260, 1e-9);
  EXPECT_EQ(one.windows, 0);
}

TEST(PerplexityTest, LongWindowsInPiecesWithAnyThreads) {
  ModelConfig config = TinyConfig();
  config.max_positions = 1100;
  const std::vector<int32_t> ids = RandomIds(52, 1500, config.vocab_size);
  std::vector<double> nats;
  for (const int threads : {1, 3}) {
    TestContext ctx(threads);
    const auto model = Model::Create(ctx, config, 52);
    model->Pack(ctx);
    std::vector<int64_t> scored;
    const PerplexityResult result = Perplexity(ctx, *model, ids, {.window = 1100},
                                               [&](int64_t tokens) { scored.push_back(tokens); });
    EXPECT_THAT(scored, ElementsAre(1101, 1500));
    nats.push_back(result.nats);
    // The same losses in float32, so that nothing differs but the order of additions in double.
    const auto loss = [&](const Tensor& logits, int32_t target) {
      const Tensor wanted = ctx.Empty({1}, DType::kI32);
      *wanted.data<int32_t>() = target;
      return double{ops::CrossEntropy(ctx, logits.Reshaped({1, 260}), wanted).item<float>()};
    };
    const double expected =
        std::log(260.0) + ExpectedNats(ctx, *model, ids[0], std::span(ids).subspan(1), 1100, loss);
    EXPECT_NEAR(result.nats, expected, 1500 * 0x1p-52 * expected);
  }
  EXPECT_EQ(nats[0], nats[1]);
}

// By the definition, each window in a pass of its own: a begin token in place of the first, and
// targets from the one behind position N / 2.
TEST(LlamaPerplexityTest, ScoresTheSecondHalfOfEachFullWindow) {
  TestContext ctx(2);
  const ModelConfig config = TinyConfig();
  const auto model = Model::Create(ctx, config, 54);
  model->Pack(ctx);
  const std::vector<int32_t> ids = RandomIds(54, 100, config.vocab_size);
  for (const int64_t window : {3, 8, 15, 50}) {
    for (const std::optional<int32_t> begin : {std::optional<int32_t>(), std::optional(7)}) {
      SCOPED_TRACE(testing::Message() << window << " " << begin.has_value());
      double nats = 0;
      double squares = 0;
      int64_t tokens = 0;
      for (int64_t first = 0; first + window <= 100; first += window) {
        std::vector<int32_t> inputs(ids.begin() + first, ids.begin() + first + window);
        if (begin) inputs.front() = *begin;
        const Tensor logits = LogitsWithoutCache(ctx, *model, inputs);
        for (int64_t i = window / 2; i + 1 < window; ++i, ++tokens) {
          const double loss = Loss(logits.Selected(0, i).span<float>(), ids[first + i + 1]);
          nats += loss;
          squares += loss * loss;
        }
      }
      std::vector<int64_t> read;
      const LlamaPerplexityResult result =
          LlamaPerplexity(ctx, *model, ids, {.window = window, .begin = begin},
                          [&](int64_t count) { read.push_back(count); });
      EXPECT_EQ(result.tokens, tokens);
      EXPECT_EQ(result.windows, 100 / window);
      EXPECT_EQ(read.size(), static_cast<size_t>(100 / window));
      EXPECT_EQ(read.back(), 100 / window * window);
      EXPECT_NEAR(result.nats, nats, static_cast<double>(tokens) * kLossTolerance);
      // A loss is below 8, so its square is off by 16 times as much.
      EXPECT_NEAR(result.squares, squares, static_cast<double>(tokens) * 16 * kLossTolerance);
    }
  }
}

TEST(LlamaPerplexityTest, Figures) {
  // Losses of 1, 2, 2 and 3 nats: mean 2, variance 1/2.
  const LlamaPerplexityResult result = {.tokens = 4, .windows = 2, .nats = 8, .squares = 18};
  EXPECT_DOUBLE_EQ(result.Perplexity(), std::exp(2.0));
  EXPECT_DOUBLE_EQ(result.StandardError(), std::exp(2.0) * std::sqrt(0.5 / 3));
}

TEST(LlamaPerplexityTest, RefusesWhatCannotBeScored) {
  TestContext ctx;
  const auto model = Model::Create(ctx, TinyConfig(), 55);
  const auto message = [&](size_t count, int64_t window) -> std::string {
    const std::vector<int32_t> ids(count, 1);
    try {
      LlamaPerplexity(ctx, *model, ids, {.window = window, .begin = {}}, Ignore);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message(6, 3), "no error");
  EXPECT_THAT(message(5, 3), HasSubstr("the text has 5 tokens"));
  EXPECT_THAT(message(100, 2), HasSubstr("a window of 2 tokens"));
  EXPECT_THAT(message(1000, 65), HasSubstr("takes 3 to 64"));
}

TEST(PerplexityTest, Units) {
  const PerplexityResult result = {.tokens = 4, .windows = 1, .nats = 8 * std::log(2.0)};
  EXPECT_DOUBLE_EQ(result.NatsPerToken(), 2 * std::log(2.0));
  EXPECT_DOUBLE_EQ(result.Perplexity(), 4);
  EXPECT_DOUBLE_EQ(result.BitsPerByte(16), 0.5);
}

TEST(PerplexityTest, RefusesWhatCannotBeScored) {
  TestContext ctx;
  const auto model = Model::Create(ctx, TinyConfig(), 53);
  const auto message = [&](std::vector<int32_t> ids, int64_t window) -> std::string {
    try {
      Perplexity(ctx, *model, ids, {.window = window}, Ignore);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message({}, 0), HasSubstr("no tokens"));
  EXPECT_THAT(message({1, 2}, 65), HasSubstr("a window of 65 tokens: this model takes 1 to 64"));
  EXPECT_THAT(message({1, 2}, -1), HasSubstr("a window of -1"));
  // As the last token, which the model does not read.
  EXPECT_THAT(message({1, -1}, 0), HasSubstr("token id -1 at position 1 is outside of the model"));
  EXPECT_THAT(message({1, 260}, 0),
              HasSubstr("token id 260 at position 1 is outside of the model"));
}

}  // namespace
}  // namespace tern
