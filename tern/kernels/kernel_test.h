// SPDX-License-Identifier: MIT
// What the tests of float kernels share: every target of the machine against the scalar reference,
// on random values whose seed is shown when a test fails.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tern/kernels/kernel_table.h"

namespace tern::kernels {

class KernelTest : public testing::Test {
 protected:
  // All bits equal, or both NaN.
  static bool SameBits(float a, float b) {
    return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (a != a && b != b);
  }

  std::vector<float> Normal(size_t n, float deviation = 1) {
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> values(n);
    for (float& x : values) x = normal(random_);
    return values;
  }

  // Any bits half of the time: NaN, infinities, subnormals and huge values come often.
  std::vector<float> Wild(size_t n) {
    std::vector<float> values = Normal(n, 3);
    for (float& x : values) {
      if (random_() % 2 != 0) x = std::bit_cast<float>(static_cast<uint32_t>(random_()));
    }
    const float infinity = std::numeric_limits<float>::infinity();
    for (float x : {0.0f, -0.0f, 1.0f, infinity, -infinity, std::nanf(""), 1e-45f}) {
      values[random_() % n] = x;
    }
    return values;
  }

  static void ExpectSame(const std::vector<float>& expected, const std::vector<float>& got) {
    ASSERT_EQ(expected.size(), got.size());
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE(SameBits(expected[i], got[i])) << i << ": " << expected[i] << ", " << got[i];
    }
  }

  // check(table) for every target that this machine has with float kernels of its own.
  template <typename Check>
  void ForTargets(Check check) {
    for (const Target& target : ListTargets(CpuFeatures::Detect())) {
      if (!target.supported || target.base != nullptr) continue;
      SCOPED_TRACE(testing::Message() << target.name << " seed " << seed_);
      check(*target.table);
    }
  }

  const uint32_t seed_ = std::random_device()();
  std::mt19937 random_{seed_};
  const KernelTable& scalar_ = SelectKernels(CpuFeatures::Detect(), "scalar");
};

}  // namespace tern::kernels
