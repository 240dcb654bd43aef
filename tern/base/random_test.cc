// SPDX-License-Identifier: MIT
#include "tern/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>
#include <vector>

namespace tern {
namespace {

using Block = std::array<uint32_t, 4>;

// Known answers of the authors' own distribution (Random123, kat_vectors, philox4x32 10).
TEST(RandomTest, PhiloxKnownAnswers) {
  EXPECT_EQ(PhiloxBlock({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(PhiloxBlock({ones, ones, ones, ones}, {ones, ones}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(PhiloxBlock({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomTest, SeedAndStreamNameASequence) {
  Random a(7, 1);
  std::vector<uint32_t> words(20);
  for (uint32_t& word : words) word = a.NextU32();
  Random b(7, 1);
  for (const uint32_t word : words) ASSERT_EQ(b.NextU32(), word);
  Random other_stream(7, 2);
  Random other_seed(8, 1);
  EXPECT_NE(other_stream.NextU32(), words[0]);
  EXPECT_NE(other_seed.NextU32(), words[0]);
}

TEST(RandomTest, UniformIsInRangeAndEven) {
  Random random(1);
  constexpr int kDraws = 100000;
  std::array<int, 10> histogram{};
  for (int i = 0; i < kDraws; ++i) {
    const float f = random.UniformF32();
    const double d = random.Uniform();
    ASSERT_GE(f, 0.0f);
    ASSERT_LT(f, 1.0f);
    ASSERT_GE(d, 0.0);
    ASSERT_LT(d, 1.0);
    ++histogram[static_cast<size_t>(d * 10)];
  }
  // Binomial with variance n * 0.1 * 0.9: five standard deviations are 474.
  for (const int count : histogram) EXPECT_NEAR(count, kDraws / 10, 474);
}

TEST(RandomTest, BelowReachesEveryValueAndNoOther) {
  Random random(2);
  for (const uint64_t bound : {1u, 2u, 3u, 7u, 100u}) {
    std::set<uint64_t> seen;
    for (int i = 0; i < 3000; ++i) {
      const uint64_t value = random.Below(bound);
      ASSERT_LT(value, bound);
      seen.insert(value);
    }
    EXPECT_EQ(seen.size(), bound);
  }
  const uint64_t large = (uint64_t{1} << 63) + 1;  // half of all draws are drawn again
  for (int i = 0; i < 1000; ++i) ASSERT_LT(random.Below(large), large);
}

TEST(RandomTest, NormalQuantileInvertsTheDistributionFunction) {
  for (double p = 1e-16; p < 0.5; p *= 1.07) {
    const double x = NormalQuantile(p);
    EXPECT_NEAR(0.5 * std::erfc(-x / std::sqrt(2.0)) / p, 1.0, 1e-13) << p;
  }
  for (double p = 0.001; p < 1.0; p += 0.001) {
    const double x = NormalQuantile(p);
    EXPECT_NEAR(0.5 * std::erfc(-x / std::sqrt(2.0)), p, 1e-14) << p;
  }
  EXPECT_EQ(NormalQuantile(0.5), 0.0);
}

TEST(RandomTest, NormalHasItsMoments) {
  Random random(3);
  constexpr int kDraws = 200000;
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.Normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  // Five standard errors: 1, sqrt(2) and sqrt(96) over sqrt(n).
  const double unit = 5.0 / std::sqrt(static_cast<double>(kDraws));
  EXPECT_NEAR(sum / kDraws, 0.0, unit);
  EXPECT_NEAR(squares / kDraws, 1.0, unit * std::sqrt(2.0));
  EXPECT_NEAR(fourth / kDraws, 3.0, unit * std::sqrt(96.0));
}

// Hash of the bits of many draws: one value for x86 and aarch64, for every compiler.
TEST(RandomTest, SameBitsOnEveryMachine) {
  Random random(1234, 5);
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (int i = 0; i < 10000; ++i) {
    hash = (hash ^ std::bit_cast<uint64_t>(random.Normal())) * 0x100000001b3ULL;
    hash = (hash ^ std::bit_cast<uint32_t>(random.UniformF32())) * 0x100000001b3ULL;
  }
  EXPECT_EQ(hash, 3832439303644254020u);
}

TEST(RandomTest, PermutationsAreCompleteAndEquallyLikely) {
  Random random(4);
  std::array<int, 27> counts{};
  std::array<int64_t, 3> order{};
  constexpr int kDraws = 60000;
  for (int i = 0; i < kDraws; ++i) {
    random.Permutation(order);
    ++counts[static_cast<size_t>(order[0] * 9 + order[1] * 3 + order[2])];
  }
  int seen = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    ++seen;
    EXPECT_NEAR(count, kDraws / 6, 457);  // five standard deviations of the binomial
  }
  EXPECT_EQ(seen, 6);
  std::vector<int64_t> many(1000);
  random.Permutation(many);
  EXPECT_FALSE(std::is_sorted(many.begin(), many.end()));
  std::sort(many.begin(), many.end());
  for (size_t i = 0; i < many.size(); ++i) ASSERT_EQ(many[i], static_cast<int64_t>(i));
}

}  // namespace
}  // namespace tern
