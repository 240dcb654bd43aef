// SPDX-License-Identifier: MIT
#include "tern/kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <type_traits>
#include <vector>

#include "tern/kernels/attention/reference.h"
#include "tern/kernels/kernel_table.h"

namespace tern::kernels {
namespace {

template <typename KV>
const AttentionSteps<float, KV>& StepsOf(const KernelTable& kernels) {
  if constexpr (std::is_same_v<KV, BF16>) {
    return kernels.attention.bf16;
  } else if constexpr (std::is_same_v<KV, F16>) {
    return kernels.attention.f16;
  } else if constexpr (std::is_same_v<KV, int8_t>) {
    return kernels.attention.int8;
  } else {
    return kernels.attention.plain;
  }
}

template <typename KV>
KV Narrowed(float x) {
  if constexpr (std::is_same_v<KV, BF16>) {
    return RoundToBF16(x);
  } else if constexpr (std::is_same_v<KV, F16>) {
    return RoundToF16(x);
  } else if constexpr (std::is_same_v<KV, int8_t>) {
    return static_cast<int8_t>(std::clamp(x * 40, -127.0f, 127.0f));
  } else {
    return x;
  }
}

// Random operands of one call. Rows and keys have gaps between them.
template <typename KV = float>
struct Operands {
  Operands(std::mt19937& random, int64_t rows, int64_t keys, int64_t row_keys, int64_t head_dim)
      : args{
            .rows = rows, .keys = keys, .row_keys = row_keys, .head_dim = head_dim, .scale = 0.3f} {
    const int64_t last = args.last_keys();
    std::normal_distribution<float> normal;
    args.q_stride = head_dim + 1;
    args.k_stride = head_dim + 2;
    args.v_stride = head_dim + 3;
    args.y_stride = head_dim + 1;
    args.stats_stride = 3;
    args.scores_stride = (last + 15) / 16 * 16;
    q.resize(rows * args.q_stride);
    k.resize(last * args.k_stride);
    v.resize(last * args.v_stride);
    for (float& value : q) value = normal(random);
    for (auto* values : {&k, &v}) {
      for (KV& value : *values) value = Narrowed<KV>(normal(random));
    }
    if (!std::is_same_v<KV, int8_t>) return;
    for (auto* scales : {&k_scales, &v_scales}) {
      for (int64_t j = 0; j < last; ++j) scales->push_back(std::abs(normal(random)) / 40);
    }
  }

  // y with its gaps, then the statistics; each step cut in two at `cut` unless it is 0.
  std::vector<float> Run(const KernelTable& kernels, int64_t first = 0, int64_t rows = -1,
                         int64_t cut = 0) const {
    AttentionRows<float, KV> in = args;
    if (rows >= 0) in.rows = rows;
    std::vector<float> out(in.rows * (in.y_stride + in.stats_stride), -1.0f);
    std::vector<float> scores(in.rows * in.scores_stride, NAN);
    in.q = q.data() + first * in.q_stride;
    in.keys += first * in.row_keys;
    in.k = k.data();
    in.v = v.data();
    if (!k_scales.empty()) {
      in.k_scales = k_scales.data();
      in.v_scales = v_scales.data();
    }
    in.y = out.data();
    in.stats = out.data() + in.rows * in.y_stride;
    in.scores = scores.data();
    const AttentionSteps<float, KV>& steps = StepsOf<KV>(kernels);
    if (cut == 0) {
      steps.Run(in);
      return out;
    }
    const auto halves = [&](auto step, int64_t end) {
      step(in, 0, std::min(cut, end));
      step(in, std::min(cut, end), end);
    };
    halves(steps.score, in.last_keys());
    halves(steps.weigh, in.rows);
    halves(steps.mix, in.head_dim);
    return out;
  }

  AttentionRows<float, KV> args;
  std::vector<float> q, k_scales, v_scales;
  std::vector<KV> k, v;
};

template <typename KV>
class AttentionTypeTest : public testing::Test {};
using KvTypes = testing::Types<float, BF16, F16, int8_t>;
TYPED_TEST_SUITE(AttentionTypeTest, KvTypes);

TYPED_TEST(AttentionTypeTest, EveryTargetEqualsTheReferenceBitForBit) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const CpuFeatures cpu = CpuFeatures::Detect();
  for (int round = 0; round < 25; ++round) {
    const int64_t rows = 1 + random() % 9, keys = 1 + random() % 70, head_dim = 1 + random() % 100;
    const Operands<TypeParam> operands(random, rows, keys, random() % 2, head_dim);
    const std::vector<float> expected = operands.Run(SelectKernels(cpu, "scalar"));
    const int64_t cut = 16 * (1 + random() % 4);
    for (const Target& target : ListTargets(cpu)) {
      if (!target.supported) continue;
      const auto what = testing::Message() << target.name << " rows " << rows << " keys " << keys
                                           << " head_dim " << head_dim << " cut at " << cut;
      ASSERT_EQ(expected, operands.Run(*target.table)) << what;
      ASSERT_EQ(expected, operands.Run(*target.table, 0, -1, cut)) << what;
    }
  }
}

// Widening is exact, so narrow keys and values are those of f32, int8 with scales that are powers
// of two as well.
TYPED_TEST(AttentionTypeTest, IsThatOfTheWidenedNumbers) {
  std::mt19937 random(8);
  Operands<TypeParam> narrow(random, 5, 40, 1, 40);
  Operands<float> wide(random, 5, 40, 1, 40);
  wide.q = narrow.q;
  const float scale = narrow.k_scales.empty() ? 1.0f : 1.0f / 32;
  std::ranges::fill(narrow.k_scales, scale);
  std::ranges::fill(narrow.v_scales, scale);
  const auto widen = [&](TypeParam x) { return reference::Widened<float>(x) * scale; };
  std::ranges::transform(narrow.k, wide.k.begin(), widen);
  std::ranges::transform(narrow.v, wide.v.begin(), widen);
  for (const Target& target : ListTargets(CpuFeatures::Detect())) {
    if (!target.supported) continue;
    EXPECT_EQ(wide.Run(*target.table), narrow.Run(*target.table)) << target.name;
  }
}

TEST(AttentionTest, ARowHasTheSameBitsAlone) {
  std::mt19937 random(5);
  const Operands<> operands(random, 7, 40, 1, 64);
  for (const Target& target : ListTargets(CpuFeatures::Detect())) {
    if (!target.supported) continue;
    const std::vector<float> all = operands.Run(*target.table);
    for (int64_t r = 0; r < 7; ++r) {
      const std::vector<float> alone = operands.Run(*target.table, r, 1);
      for (int64_t d = 0; d < 64; ++d) ASSERT_EQ(all[r * 65 + d], alone[d]) << target.name;
    }
  }
}

// Against softmax(q k^T scale) v in double. A score is off by (head_dim + 1) eps times the sum of
// its products' sizes, here below 64 * 0.3 * 10; its exponential by as much, relatively.
TEST(AttentionTest, IsTheWeightedMeanOfTheValues) {
  std::mt19937 random(6);
  constexpr int64_t kRows = 5, kKeys = 33, kHeadDim = 48;
  const Operands<> operands(random, kRows, kKeys, 1, kHeadDim);
  const std::vector<float> got = operands.Run(SelectKernels(CpuFeatures::Detect()));
  for (int64_t r = 0; r < kRows; ++r) {
    const auto& args = operands.args;
    std::vector<double> weights;
    double sum = 0;
    for (int64_t j = 0; j < kKeys + r; ++j) {
      double score = 0;
      for (int64_t d = 0; d < kHeadDim; ++d) {
        score += double{operands.q[r * args.q_stride + d]} * operands.k[j * args.k_stride + d];
      }
      weights.push_back(std::exp(score * args.scale));
      sum += weights.back();
    }
    for (int64_t d = 0; d < kHeadDim; ++d) {
      double y = 0;
      for (int64_t j = 0; j < kKeys + r; ++j)
        y += weights[j] / sum * operands.v[j * args.v_stride + d];
      EXPECT_NEAR(y, got[r * args.y_stride + d], 1e-4) << r << " " << d;
    }
  }
}

TEST(AttentionTest, EveryTargetGivesTheSameGradientOfScores) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  constexpr int64_t kRows = 5, kKeys = 40, kColumns = 50;
  std::vector<float> scores(kRows * kColumns), dp(scores.size()), stats(2 * kRows), delta(kRows);
  for (auto* values : {&scores, &dp, &stats, &delta}) {
    for (float& value : *values) value = normal(random);
  }
  for (float& value : stats) value = std::abs(value) + 1;
  std::vector<float> expected_p, expected_ds;
  for (const Target& target : ListTargets(CpuFeatures::Detect())) {
    if (!target.supported) continue;
    std::vector<float> p = scores, ds = dp;
    target.table->attention.grad({.scores = p.data(),
                                  .dp = ds.data(),
                                  .stride = kColumns,
                                  .stats = stats.data(),
                                  .stats_stride = 2,
                                  .delta = delta.data(),
                                  .rows = kRows,
                                  .columns = kColumns,
                                  .keys = kKeys,
                                  .scale = 0.5f});
    if (expected_p.empty()) {  // the scalar target
      expected_p = p, expected_ds = ds;
      const double first = std::exp(scores[0] * 0.5 - stats[0]) / stats[1];
      EXPECT_NEAR(first, p[0], 1e-5);
      EXPECT_NEAR(first * (dp[0] - delta[0]) * 0.5, ds[0], 1e-5);
      EXPECT_EQ(0, p[kColumns + kKeys + 1]);
      EXPECT_NE(0, p[kColumns + kKeys]);
    }
    EXPECT_EQ(expected_p, p) << target.name;
    EXPECT_EQ(expected_ds, ds) << target.name;
  }
}

}  // namespace
}  // namespace tern::kernels
