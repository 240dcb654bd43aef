// SPDX-License-Identifier: MIT
#include "tern/kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tern/kernels/kernel_table.h"

namespace tern::kernels {
namespace {

TEST(GemmTest, EveryTargetEqualsTheReferenceBitForBit) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const CpuFeatures cpu = CpuFeatures::Detect();
  const KernelTable& reference = SelectKernels(cpu, "scalar");
  for (int round = 0; round < 50; ++round) {
    const int64_t m = 1 + random() % 20, n = 1 + random() % 40, k = 1 + random() % 200;
    std::vector<float> a(m * k), b(n * k), expected(m * n), got(m * n, -1.0f);
    for (float& x : a) x = normal(random);
    for (float& x : b) x = normal(random);
    reference.gemm.dot_rows(a.data(), k, b.data(), k, expected.data(), n, m, n, k);
    for (const Target& target : ListTargets(cpu)) {
      if (!target.supported) continue;
      target.table->gemm.dot_rows(a.data(), k, b.data(), k, got.data(), n, m, n, k);
      ASSERT_EQ(expected, got) << target.name << " m " << m << " n " << n << " k " << k;
    }
  }
}

}  // namespace
}  // namespace tern::kernels
