// SPDX-License-Identifier: MIT
#include "tern/kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "tern/base/float16.h"
#include "tern/kernels/gemm/reference.h"
#include "tern/kernels/kernel_table.h"
#include "tern/kernels/kernel_test.h"

namespace tern::kernels {
namespace {

std::vector<Target> VectorTargets() {
  std::vector<Target> targets;
  for (const Target& target : ListTargets(CpuFeatures::Detect())) {
    if (target.supported && target.name != std::string_view("scalar")) targets.push_back(target);
  }
  return targets;
}

const KernelTable& Reference() { return SelectKernels(CpuFeatures::Detect(), "scalar"); }

TEST(GemmTest, EveryTargetEqualsTheReferenceBitForBit) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (int round = 0; round < 60; ++round) {
    const int64_t m = 1 + random() % 11, n = 1 + random() % 23, k = random() % 150;
    const int64_t a_stride = k + random() % 3, b_stride = k + random() % 3, y_stride = n + 1;
    std::vector<float> a(m * a_stride + 1), b(n * b_stride + 1), bias(n);
    for (auto* values : {&a, &b, &bias}) {
      for (float& x : *values) x = normal(random);
    }
    const float* maybe_bias = random() % 2 != 0 ? bias.data() : nullptr;
    // The gaps between the rows of the output keep their value.
    std::vector<float> expected(m * y_stride, -1.0f);
    Reference().gemm.dot_rows(a.data(), a_stride, b.data(), b_stride, maybe_bias, expected.data(),
                              y_stride, m, n, k);
    for (const Target& target : VectorTargets()) {
      std::vector<float> got(m * y_stride, -1.0f);
      target.table->gemm.dot_rows(a.data(), a_stride, b.data(), b_stride, maybe_bias, got.data(),
                                  y_stride, m, n, k);
      ASSERT_EQ(expected, got) << target.name << " m " << m << " n " << n << " k " << k;
    }
  }
}

TEST(GemmTest, BF16RowsEqualTheirWidenedOnes) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (int round = 0; round < 60; ++round) {
    const int64_t n = 1 + random() % 23, k = random() % 150, stride = k + random() % 3;
    std::vector<float> a(k + 1), wide(n * stride + 1), bias(n);
    std::vector<uint16_t> b(n * stride + 1);
    for (auto* values : {&a, &wide, &bias}) {
      for (float& x : *values) x = normal(random);
    }
    for (size_t i = 0; i < b.size(); ++i) {
      b[i] = RoundToBF16(wide[i]).bits;
      wide[i] = ToF32(BF16{b[i]});
    }
    const float* maybe_bias = random() % 2 != 0 ? bias.data() : nullptr;
    std::vector<float> expected(n);
    Reference().gemm.dot_rows(a.data(), k, wide.data(), stride, maybe_bias, expected.data(), n, 1,
                              n, k);
    for (const Target& target : ListTargets(CpuFeatures::Detect())) {
      if (!target.supported) continue;
      std::vector<float> got(n + 1, -1.0f);
      target.table->gemm.dot_bf16(a.data(), b.data(), stride, maybe_bias, got.data(), n, k);
      EXPECT_EQ(-1.0f, got[n]) << target.name;
      got.resize(n);
      ASSERT_EQ(expected, got) << target.name << " n " << n << " k " << k;
    }
  }
}

TEST(GemmTest, ProductsOfCodesAreExact) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    const int64_t n = 1 + random() % 9, k = round == 0 ? kMaxCodeColumns : 1 + random() % 300;
    const int64_t a_stride = k + random() % 3, b_stride = k + random() % 3, out_stride = n + 1;
    std::vector<int8_t> a(2 * a_stride, -128);
    std::vector<uint8_t> b(n * b_stride, 255);
    if (round > 1) {
      for (int8_t& x : a) x = static_cast<int8_t>(random());
      for (uint8_t& x : b) x = static_cast<uint8_t>(random());
    }
    for (const Target& target : ListTargets(CpuFeatures::Detect())) {
      if (!target.supported) continue;
      std::vector<int32_t> got(2 * out_stride, -1);
      target.table->gemm.dot_codes(a.data(), a_stride, b.data(), b_stride, got.data(), out_stride,
                                   n, k);
      for (int64_t i = 0; i < 2 * n; ++i) {
        int64_t expected = 0;
        for (int64_t t = 0; t < k; ++t) {
          expected += a[i / n * a_stride + t] * (b[i % n * b_stride + t] - 128);
        }
        ASSERT_EQ(expected, got[i / n * out_stride + i % n]) << target.name << " k " << k;
      }
      EXPECT_EQ(-1, got[n]) << target.name;
    }
  }
}

// The definition itself, on numbers for which another order gives another sum.
TEST(GemmTest, SumsInSixteenLanesAndATree) {
  constexpr int64_t kK = 40;
  std::vector<float> a(kK), ones(kK, 1.0f);
  for (int64_t i = 0; i < kK; ++i) a[i] = (i % 3 == 0 ? 1e8f : 1.0f) * (i % 2 == 0 ? 1.0f : -1.0f);
  float lane[16] = {};
  for (int64_t i = 0; i < kK; ++i) lane[i % 16] += a[i];
  for (int half : {8, 4, 2, 1}) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  for (const Target& target : ListTargets(CpuFeatures::Detect())) {
    if (!target.supported) continue;
    float sum = 0;
    target.table->gemm.dot_rows(a.data(), kK, ones.data(), kK, nullptr, &sum, 1, 1, 1, kK);
    EXPECT_EQ(lane[0], sum) << target.name;
  }
}

TEST(GemmTest, WidensEveryHalfExactly) {
  std::vector<uint16_t> halves(1 << 16);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  std::vector<float> got(halves.size() + 3);
  const auto check = [&](const char* target, const char* type, auto expect) {
    for (size_t i = 0; i < halves.size(); ++i) {
      const float expected = expect(halves[i]);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(got[i])) << target << " " << type << " " << i;
      } else {
        ASSERT_EQ(0, std::memcmp(&expected, &got[i], sizeof(float)))
            << target << " " << type << " " << i;
      }
    }
  };
  for (const Target& target : ListTargets(CpuFeatures::Detect())) {
    if (!target.supported) continue;
    target.table->gemm.widen_bf16(halves.data(), got.data(), 1 << 16);
    check(target.name, "bf16", [](uint16_t bits) { return ToF32(BF16{bits}); });
    target.table->gemm.widen_f16(halves.data(), got.data(), 1 << 16);
    check(target.name, "f16", [](uint16_t bits) { return ToF32(F16{bits}); });
    // A count that no vector divides.
    got.assign(got.size(), -1.0f);
    target.table->gemm.widen_f16(halves.data() + 15360, got.data(), 37);
    EXPECT_EQ(1.0f, got[0]);
    EXPECT_EQ(ToF32(F16{15360 + 36}), got[36]);
    EXPECT_EQ(-1.0f, got[37]) << target.name;
  }
}

class ProductTest : public KernelTest {};

// Sums of small integers need no rounding, so every target must give the very sum.
TEST_F(ProductTest, ProductsOfWholeNumbersAreExact) {
  std::uniform_int_distribution<int> digit(-9, 9);
  ForTargets([&](const KernelTable& table) {
    for (int round = 0; round < 24; ++round) {
      const bool full = round < 4;
      const int64_t m = full ? kMaxProductExtent : 1 + random_() % 70;
      const int64_t n = full ? kMaxProductExtent : 1 + random_() % 70;
      const int64_t k = round == 5 ? 0 : 1 + random_() % (2 * kProductDepth + 10);
      const bool accumulate = round % 2 != 0;
      const int64_t out_stride = n + round % 3;
      std::vector<float> a(m * k + 1), b(k * n + 1), out(m * out_stride), workspace_space;
      for (float& x : a) x = static_cast<float>(digit(random_));
      for (float& x : b) x = static_cast<float>(digit(random_));
      for (float& x : out) x = static_cast<float>(digit(random_));
      const bool a_transposed = (round & 2) != 0, b_transposed = (round & 4) != 0;
      const StridedMatrix<float> a_matrix = {a.data(), a_transposed ? 1 : k, a_transposed ? m : 1};
      const StridedMatrix<float> b_matrix = {b.data(), b_transposed ? 1 : n, b_transposed ? k : 1};
      std::vector<float> expected = out;
      reference::Product(a_matrix, b_matrix, expected.data(), out_stride, m, n, k, accumulate,
                         static_cast<float*>(nullptr));
      workspace_space.resize(kProductWorkspace + 16);
      void* workspace = workspace_space.data();
      size_t space = workspace_space.size() * sizeof(float);
      workspace = std::align(64, kProductWorkspace * sizeof(float), workspace, space);
      table.gemm.product(a_matrix, b_matrix, out.data(), out_stride, m, n, k, accumulate,
                         static_cast<float*>(workspace));
      ASSERT_EQ(expected, out) << "m " << m << " n " << n << " k " << k;
    }
  });
}

}  // namespace
}  // namespace tern::kernels
