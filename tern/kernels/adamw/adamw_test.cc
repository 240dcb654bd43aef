// SPDX-License-Identifier: MIT
#include "tern/kernels/adamw/adamw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tern/kernels/kernel_table.h"

namespace tern::kernels {
namespace {

constexpr AdamWStep<float> kStep = {.gradient_scale = 0.5f,
                                    .decay = 0.9999f,
                                    .beta2 = 0.95f,
                                    .one_minus_beta1 = 0.1f,
                                    .one_minus_beta2 = 0.05f,
                                    .step_size = 0.01f,
                                    .sqrt_bias_correction2 = 0.3f,
                                    .eps = 1e-8f};

TEST(AdamWTest, EveryTargetEqualsTheReferenceBitForBit) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const CpuFeatures cpu = CpuFeatures::Detect();
  for (int64_t n : {1, 16, 29, 1000}) {
    std::vector<float> grad(n), param(n), m(n), v(n);
    for (auto* values : {&grad, &param, &m, &v}) {
      for (float& value : *values) value = normal(random);
    }
    for (float& value : v) value *= value;
    auto param1 = param, m1 = m, v1 = v;
    SelectKernels(cpu, "scalar")
        .adamw.step(kStep, grad.data(), param1.data(), m1.data(), v1.data(), n);
    for (const Target& target : ListTargets(cpu)) {
      if (!target.supported) continue;
      auto param2 = param, m2 = m, v2 = v;
      target.table->adamw.step(kStep, grad.data(), param2.data(), m2.data(), v2.data(), n);
      ASSERT_EQ(param1, param2) << target.name << " n " << n;
      ASSERT_EQ(m1, m2) << target.name << " n " << n;
      ASSERT_EQ(v1, v2) << target.name << " n " << n;
    }
  }
}

TEST(AdamWTest, FollowsTheFormula) {
  const float grad = 4;  // 2 once scaled
  float param = 1, m = 1, v = 9;
  SelectKernels(CpuFeatures::Detect()).adamw.step(kStep, &grad, &param, &m, &v, 1);
  EXPECT_FLOAT_EQ(1.1f, m);
  EXPECT_FLOAT_EQ(0.95f * 9 + 0.05f * 4, v);
  EXPECT_FLOAT_EQ(0.9999f - 0.01f * 1.1f / (std::sqrt(8.75f) / 0.3f), param);
}

}  // namespace
}  // namespace tern::kernels
