// SPDX-License-Identifier: MIT
#include "tern/runtime/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tern/base/error.h"
#include "tern/base/portable_math.h"

namespace tern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Everything off: each token has its softmax probability.
SamplerOptions Plain(uint64_t seed = 0) { return {.temperature = 1, .seed = seed}; }

class SamplerTest : public ::testing::Test {
 protected:
  std::vector<int32_t> Kept(const SamplerOptions& options, const std::vector<float>& logits,
                            const std::vector<int32_t>& history = {}) {
    Sampler sampler(pool_, options);
    std::vector<int32_t> ids;
    for (const Sampler::Candidate& candidate : sampler.Filter(logits, history)) {
      ids.push_back(candidate.id);
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  std::vector<int32_t> Draw(const SamplerOptions& options, const std::vector<float>& logits,
                            int count) {
    Sampler sampler(pool_, options);
    std::vector<int32_t> ids;
    for (int i = 0; i < count; ++i) ids.push_back(sampler.Next(logits, ids));
    return ids;
  }

  MemoryPool pool_;
};

// Draws `kDraws` tokens and compares their counts with probabilities (which add to 1). Of the n
// tokens with a probability above 0, chi-square has n - 1 degrees of freedom: mean n - 1, variance
// 2 (n - 1). By Laurent and Massart (2000, lemma 1) it exceeds d + 2 sqrt(d t) + 2 t with
// probability at most e^-t; t = 16 makes that 1e-7.
void ExpectDistribution(Sampler* sampler, const std::vector<float>& logits,
                        const std::vector<int32_t>& history,
                        const std::vector<double>& probabilities) {
  constexpr int kDraws = 40000;
  std::vector<int> counts(logits.size());
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(sampler->Next(logits, history))];
  double chi_square = 0;
  double degrees = -1;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (probabilities[i] == 0) {
      EXPECT_EQ(counts[i], 0) << "token " << i;
      continue;
    }
    const double expected = kDraws * probabilities[i];
    ASSERT_GT(expected, 5) << "too few draws for the approximation";
    chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    degrees += 1;
  }
  const double t = 16;
  EXPECT_LT(chi_square, degrees + 2 * std::sqrt(degrees * t) + 2 * t);
}

std::vector<double> Softmax(const std::vector<float>& logits, double temperature) {
  std::vector<double> out;
  double sum = 0;
  for (const float logit : logits) sum += out.emplace_back(std::exp(logit / temperature));
  for (double& value : out) value /= sum;
  return out;
}

TEST_F(SamplerTest, DrawsTheSoftmaxAtAnyTemperature) {
  const std::vector<float> logits = {0.5f, -1.0f, 2.0f, 0.0f, 1.75f, -kInfinity, 0.5f};
  for (const double temperature : {0.6, 1.0, 1.7}) {
    constexpr uint64_t kSeed = 11;
    SCOPED_TRACE(testing::Message() << "temperature " << temperature << ", seed " << kSeed);
    Sampler sampler(pool_, {.temperature = temperature, .seed = kSeed});
    ExpectDistribution(&sampler, logits, {}, Softmax(logits, temperature));
  }
}

TEST_F(SamplerTest, DrawsWhatTheFiltersLeaveInItsProportions) {
  constexpr uint64_t kSeed = 12;
  SCOPED_TRACE(kSeed);
  // Probabilities 8, 4, 2, 1, 1 of 16 at temperature 1.
  const float log2 = 0.69314718f;
  const std::vector<float> logits = {0, 3 * log2, log2, 2 * log2, 0};
  SamplerOptions options = Plain(kSeed);
  options.top_k = 3;
  Sampler top_k(pool_, options);
  ExpectDistribution(&top_k, logits, {}, {0, 8. / 14, 2. / 14, 4. / 14, 0});
  options = Plain(kSeed);
  options.top_p = 0.7;
  Sampler top_p(pool_, options);
  ExpectDistribution(&top_p, logits, {}, {0, 8. / 12, 0, 4. / 12, 0});
  options = Plain(kSeed);
  options.min_p = 0.2;
  Sampler min_p(pool_, options);
  ExpectDistribution(&min_p, logits, {}, {0, 8. / 14, 2. / 14, 4. / 14, 0});
  options = Plain(kSeed);
  options.repetition_penalty = 2;
  Sampler penalty(pool_, options);  // token 1 falls from 3 to 1.5 times log(2)
  const double odd = std::exp2(1.5);
  ExpectDistribution(&penalty, logits, {1},
                     {1 / (8 + odd), odd / (8 + odd), 2 / (8 + odd), 4 / (8 + odd), 1 / (8 + odd)});
}

TEST_F(SamplerTest, TopKKeepsExactlyKAndLowerIdsAtATie) {
  const std::vector<float> logits = {1, 3, 2, 3, 2, 2, -kInfinity};
  SamplerOptions options = Plain();
  const std::vector<std::vector<int32_t>> expected = {
      {0, 1, 2, 3, 4, 5, 6}, {1}, {1, 3}, {1, 2, 3}, {1, 2, 3, 4}, {1, 2, 3, 4, 5}};
  for (size_t k = 0; k < expected.size(); ++k) {
    options.top_k = static_cast<int64_t>(k);
    EXPECT_EQ(Kept(options, logits), expected[k]) << "top-k " << k;
  }
  options.top_k = 1000;
  EXPECT_EQ(Kept(options, logits), expected[0]);
}

TEST_F(SamplerTest, TopPKeepsTheFewestThatReachIt) {
  SamplerOptions options = Plain();
  // Equal weights are exactly 1, so that the borders are exact.
  const std::vector<float> equal = {5, 5, 5, 5};
  const std::vector<std::pair<double, std::vector<int32_t>>> expected = {
      {1e-300, {0}},     {0.25, {0}},           {0.26, {0, 1}},   {0.5, {0, 1}},
      {0.75, {0, 1, 2}}, {0.751, {0, 1, 2, 3}}, {1, {0, 1, 2, 3}}};
  for (const auto& [top_p, kept] : expected) {
    options.top_p = top_p;
    EXPECT_EQ(Kept(options, equal), kept) << "top-p " << top_p;
  }
  // Probabilities 0.0321, 0.644, 0.0871, 0.237.
  const std::vector<float> falling = {0, 3, 1, 2};
  options.top_p = 0.6;
  EXPECT_THAT(Kept(options, falling), ElementsAre(1));
  options.top_p = 0.7;
  EXPECT_THAT(Kept(options, falling), ElementsAre(1, 3));
  options.top_p = 0.9;
  EXPECT_THAT(Kept(options, falling), ElementsAre(1, 2, 3));
}

TEST_F(SamplerTest, MinPComparesWithTheLikeliest) {
  SamplerOptions options = Plain();
  const std::vector<float> logits = {0, 3, 1, 2, 3};  // e^-3, 1, e^-2, e^-1, 1 times the likeliest
  options.min_p = 1;
  EXPECT_THAT(Kept(options, logits), ElementsAre(1, 4));
  options.min_p = 0.36;
  EXPECT_THAT(Kept(options, logits), ElementsAre(1, 3, 4));
  options.min_p = 0.13;
  EXPECT_THAT(Kept(options, logits), ElementsAre(1, 2, 3, 4));
  options.min_p = PortableExp(-3.0f);
  EXPECT_THAT(Kept(options, logits), ElementsAre(0, 1, 2, 3, 4));
  // The temperature comes first: e^-1.5 = 0.22.
  options.temperature = 2;
  options.min_p = 0.2;
  EXPECT_THAT(Kept(options, logits), ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(SamplerTest, TopPSharesWhatTopKLeft) {
  SamplerOptions options = Plain();
  const std::vector<float> logits = {0, 0, 0, 0, 0, 0, 0, 0};
  options.top_k = 4;
  options.top_p = 0.5;  // of the four, not of the eight
  EXPECT_THAT(Kept(options, logits), ElementsAre(0, 1));
}

TEST_F(SamplerTest, PenaltyDividesAndMultipliesOncePerToken) {
  SamplerOptions options = Plain();
  options.repetition_penalty = 2;
  options.repetition_window = 3;
  Sampler sampler(pool_, options);
  const std::vector<float> logits = {4, -1, 2, 0, -kInfinity};
  // Token 2 is out of the window; token 0 is in it twice.
  const std::vector<int32_t> history = {2, 0, 1, 0};
  std::vector<double> penalized;
  for (const Sampler::Candidate& c : sampler.Filter(logits, history)) penalized.push_back(c.logit);
  EXPECT_THAT(penalized, ElementsAre(2.0, -2.0, 2.0, 0.0, -kInfinity));

  options.repetition_window = 0;
  options.temperature = 0;
  EXPECT_THAT(Kept(options, logits, history), ElementsAre(0));  // 2, -2, 1, 0
  EXPECT_THAT(Kept(options, {4, 3, 0}, {0}), ElementsAre(1));   // greedy sees the penalty too
}

TEST_F(SamplerTest, TemperatureZeroTakesTheLowestIdOfTheLargest) {
  SamplerOptions options;
  options.temperature = 0;
  Sampler sampler(pool_, options);
  EXPECT_EQ(sampler.Next(std::vector<float>{-3, 7, 7, 6}, {}), 1);
  EXPECT_EQ(sampler.Next(std::vector<float>{-kInfinity, -kInfinity, -8}, {}), 2);
  // Every other filter would keep this token.
  options.top_k = 1;
  options.top_p = 0.1;
  options.min_p = 1;
  EXPECT_THAT(Kept(options, {0, 1, 1}), ElementsAre(1));
}

TEST_F(SamplerTest, TinyAndHugeTemperatures) {
  const std::vector<float> logits = {3e38f, -3e38f, 3e38f, -kInfinity};
  SamplerOptions options = Plain();
  options.temperature = 1e-300;
  for (const int32_t id : Draw(options, logits, 100)) EXPECT_TRUE(id == 0 || id == 2) << id;
  options.temperature = 1e300;
  std::vector<int> counts(4);
  for (const int32_t id : Draw(options, logits, 300)) ++counts[static_cast<size_t>(id)];
  EXPECT_GT(counts[0], 0);
  EXPECT_GT(counts[1], 0);
  EXPECT_GT(counts[2], 0);
  EXPECT_EQ(counts[3], 0);
}

TEST_F(SamplerTest, ASeedNamesOneSequence) {
  const std::vector<float> logits = {1, 2, 0.5f, 1.5f, 1, 0};
  const SamplerOptions options = {.temperature = 0.9, .top_k = 5, .top_p = 0.95, .seed = 42};
  const std::vector<int32_t> ids = Draw(options, logits, 200);
  EXPECT_EQ(Draw(options, logits, 200), ids);
  SamplerOptions other = options;
  other.seed = 43;
  EXPECT_NE(Draw(other, logits, 200), ids);
  // Fixed, so that every target and machine is held to it.
  EXPECT_THAT(Draw(options, logits, 12), ElementsAre(3, 0, 0, 3, 1, 1, 1, 3, 1, 0, 0, 2));
  EXPECT_THAT(Draw(Plain(7), logits, 12), ElementsAre(3, 0, 3, 5, 0, 4, 1, 1, 5, 2, 1, 3));
}

TEST_F(SamplerTest, RefusesBadLogits) {
  Sampler sampler(pool_, Plain());
  const auto message = [&](const std::vector<float>& logits,
                           const std::vector<int32_t>& history) -> std::string {
    try {
      sampler.Next(logits, history);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message({1, std::nanf(""), 3}, {}), HasSubstr("the logit of token 1 is nan"));
  EXPECT_THAT(message({1, 2, kInfinity}, {}), HasSubstr("the logit of token 2 is inf"));
  EXPECT_THAT(message({-kInfinity, -kInfinity}, {}), HasSubstr("all 2 logits are -inf"));
  EXPECT_THAT(message({}, {}), HasSubstr("no logits"));
  SamplerOptions options = Plain();
  options.repetition_penalty = 1.1;
  sampler = Sampler(pool_, options);
  EXPECT_THAT(message({1, 2}, {2}), HasSubstr("token 2 of the text has no logit"));
  EXPECT_THAT(message({1, 2}, {-1}), HasSubstr("token -1 of the text"));
}

TEST_F(SamplerTest, RefusesOptionsOutOfRange) {
  const auto message = [&](const SamplerOptions& options) -> std::string {
    try {
      Sampler sampler(pool_, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  const double nan = std::nan("");
  EXPECT_THAT(message({.temperature = -0.5}), HasSubstr("temperature is -0.5; it must be"));
  EXPECT_THAT(message({.temperature = nan}), HasSubstr("temperature is nan"));
  EXPECT_THAT(message({.temperature = double{kInfinity}}), HasSubstr("temperature is inf"));
  EXPECT_THAT(message({.top_k = -1}), HasSubstr("top-k is -1"));
  EXPECT_THAT(message({.top_p = 0}), HasSubstr("top-p is 0; it must be above 0 and at most 1"));
  EXPECT_THAT(message({.top_p = 1.5}), HasSubstr("top-p is 1.5"));
  EXPECT_THAT(message({.min_p = -0.1}), HasSubstr("min-p is -0.1"));
  EXPECT_THAT(message({.min_p = nan}), HasSubstr("min-p is nan"));
  EXPECT_THAT(message({.repetition_penalty = 0}), HasSubstr("repetition penalty is 0"));
  EXPECT_THAT(message({.repetition_window = -2}), HasSubstr("repetition window is -2"));
  EXPECT_EQ(message({}), "no error");
}

TEST_F(SamplerTest, AllocatesNothingOnceWarm) {
  SamplerOptions options = {.temperature = 0.7, .top_k = 50, .top_p = 0.9, .min_p = 0.01};
  options.repetition_penalty = 1.1;
  Sampler sampler(pool_, options);
  std::vector<float> logits(3000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 97) * 0.1f;
  const std::vector<int32_t> history = {1, 2, 3};
  sampler.Next(logits, history);
  const uint64_t before = pool_.stats().allocations;
  for (int i = 0; i < 50; ++i) sampler.Next(logits, history);
  EXPECT_EQ(pool_.stats().allocations, before);
}

}  // namespace
}  // namespace tern
