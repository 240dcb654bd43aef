// SPDX-License-Identifier: MIT
#include "tern/kernels/rope/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tern/kernels/kernel_table.h"

namespace tern::kernels {
namespace {

TEST(RopeTest, EveryTargetEqualsTheReferenceBitForBit) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const CpuFeatures cpu = CpuFeatures::Detect();
  for (int round = 0; round < 40; ++round) {
    const int64_t heads = 1 + random() % 4, half = 1 + random() % 70;
    const int64_t stride = 2 * half + random() % 3;
    const bool inverse = random() % 2 != 0;
    std::vector<float> x(heads * stride), cos(half), sin(half), expected(heads * 2 * half);
    for (auto* values : {&x, &cos, &sin}) {
      for (float& value : *values) value = normal(random);
    }
    SelectKernels(cpu, "scalar")
        .rope.rotate(x.data(), stride, cos.data(), sin.data(), expected.data(), heads, half,
                     inverse);
    for (const Target& target : ListTargets(cpu)) {
      if (!target.supported) continue;
      std::vector<float> got(expected.size());
      target.table->rope.rotate(x.data(), stride, cos.data(), sin.data(), got.data(), heads, half,
                                inverse);
      ASSERT_EQ(expected, got) << target.name << " heads " << heads << " half " << half;
    }
  }
}

TEST(RopeTest, TurnsTheHalvesAgainstEachOtherAndBack) {
  const float x[4] = {1, 2, 3, 4};
  const float cos[2] = {0, 0.6f};
  const float sin[2] = {1, 0.8f};
  float y[4], back[4];
  const auto& rope = SelectKernels(CpuFeatures::Detect()).rope;
  rope.rotate(x, 4, cos, sin, y, 1, 2, false);
  EXPECT_FLOAT_EQ(-3, y[0]);
  EXPECT_FLOAT_EQ(2 * 0.6f - 4 * 0.8f, y[1]);
  EXPECT_FLOAT_EQ(1, y[2]);
  EXPECT_FLOAT_EQ(4 * 0.6f + 2 * 0.8f, y[3]);
  rope.rotate(y, 4, cos, sin, back, 1, 2, true);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(x[i], back[i], 1e-6) << i;
}

}  // namespace
}  // namespace tern::kernels
