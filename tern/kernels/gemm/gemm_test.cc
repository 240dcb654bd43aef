// SPDX-License-Identifier: MIT
#include "tern/kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "tern/base/float16.h"
#include "tern/kernels/kernel_table.h"

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

// A sum of k products is off by at most (k + 1) eps times the sum of their sizes, in any order.
TEST(GemmTest, MultipliesMatricesOfAnyStrides) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (int round = 0; round < 40; ++round) {
    MultiplyArgs<float> args;
    args.m = 1 + random() % 9, args.n = 1 + random() % 150, args.k = random() % 40;
    const bool transposed = random() % 2 != 0;
    args.a_row_stride = transposed ? 1 : args.k + 1;
    args.a_k_stride = transposed ? args.m + 1 : 1;
    args.b_stride = args.n + 2;
    args.out_stride = args.n + 1;
    args.accumulate = random() % 2 != 0;
    std::vector<float> a((args.m + 1) * (args.k + 1)), b(args.k * args.b_stride);
    std::vector<float> before(args.m * args.out_stride);
    for (auto* values : {&a, &b, &before}) {
      for (float& x : *values) x = normal(random);
    }
    args.a = a.data();
    args.b = b.data();
    for (const Target& target : ListTargets(CpuFeatures::Detect())) {
      if (!target.supported) continue;
      std::vector<float> out = before;
      args.out = out.data();
      target.table->gemm.multiply(args);
      for (int64_t i = 0; i < args.m; ++i) {
        for (int64_t j = 0; j < args.n; ++j) {
          double sum = args.accumulate ? before[i * args.out_stride + j] : 0.0;
          double size = std::abs(sum);
          for (int64_t t = 0; t < args.k; ++t) {
            const double product =
                double{a[i * args.a_row_stride + t * args.a_k_stride]} * b[t * args.b_stride + j];
            sum += product;
            size += std::abs(product);
          }
          ASSERT_NEAR(sum, out[i * args.out_stride + j], (args.k + 1) * 0x1p-24 * size)
              << target.name << " m " << args.m << " n " << args.n << " k " << args.k;
        }
        ASSERT_EQ(before[i * args.out_stride + args.n], out[i * args.out_stride + args.n]);
      }
    }
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

}  // namespace
}  // namespace tern::kernels
