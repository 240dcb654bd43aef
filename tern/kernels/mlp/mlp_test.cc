// SPDX-License-Identifier: MIT
#include "tern/kernels/mlp/mlp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "tern/kernels/kernel_table.h"

namespace tern::kernels {
namespace {

TEST(MlpTest, EveryTargetEqualsTheReferenceBitForBit) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 10);
  const CpuFeatures cpu = CpuFeatures::Detect();
  const MlpKernels<float>& reference = SelectKernels(cpu, "scalar").mlp;
  for (int64_t n : {0, 1, 15, 16, 17, 1000}) {
    std::vector<float> gate(n), up(n), dy(n);
    for (auto* values : {&gate, &up, &dy}) {
      for (float& value : *values) value = normal(random);
    }
    for (const Target& target : ListTargets(cpu)) {
      if (!target.supported) continue;
      for (const auto forward : {&MlpKernels<float>::relu2, &MlpKernels<float>::silu}) {
        std::vector<float> expected(n), got(n);
        (reference.*forward)(gate.data(), up.data(), expected.data(), n);
        (target.table->mlp.*forward)(gate.data(), up.data(), got.data(), n);
        ASSERT_EQ(expected, got) << target.name << " n " << n;
      }
      for (const auto backward : {&MlpKernels<float>::relu2_grad, &MlpKernels<float>::silu_grad}) {
        std::vector<float> expected(2 * n), got(2 * n);
        (reference.*backward)(gate.data(), up.data(), dy.data(), expected.data(),
                              expected.data() + n, n);
        (target.table->mlp.*backward)(gate.data(), up.data(), dy.data(), got.data(), got.data() + n,
                                      n);
        ASSERT_EQ(expected, got) << target.name << " n " << n;
      }
    }
  }
}

TEST(MlpTest, ComputesTheActivations) {
  const float gate[3] = {-2, 0.5f, 3};
  const float up[3] = {5, 7, -1};
  float y[3];
  const MlpKernels<float>& mlp = SelectKernels(CpuFeatures::Detect()).mlp;
  mlp.relu2(gate, up, y, 3);
  EXPECT_EQ(0, y[0]);
  EXPECT_EQ(1.75f, y[1]);
  EXPECT_EQ(-9, y[2]);
  mlp.silu(gate, up, y, 3);
  for (int i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(gate[i] / (1 + std::exp(-gate[i])) * up[i], y[i]);
}

// As the activations of elementwise.inc do.
TEST(MlpTest, NanComesOutWhereItWentIn) {
  const std::vector<float> one(17, 1.0f), nan(17, std::nanf(""));
  const CpuFeatures cpu = CpuFeatures::Detect();
  for (const Target& target : ListTargets(cpu)) {
    if (!target.supported) continue;
    for (const auto forward : {&MlpKernels<float>::relu2, &MlpKernels<float>::silu}) {
      for (const auto& [gate, up] : {std::pair(one, nan), std::pair(nan, one)}) {
        std::vector<float> y(17, 0.0f);
        (target.table->mlp.*forward)(gate.data(), up.data(), y.data(), 17);
        for (const float value : y) EXPECT_TRUE(std::isnan(value)) << target.name;
      }
    }
  }
}

}  // namespace
}  // namespace tern::kernels
