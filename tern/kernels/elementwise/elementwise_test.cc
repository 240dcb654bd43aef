// SPDX-License-Identifier: MIT
#include "tern/kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tern/base/float16.h"
#include "tern/kernels/kernel_test.h"

namespace tern::kernels {
namespace {

using ElementwiseTest = KernelTest;

TEST_F(ElementwiseTest, UnaryFunctionsEqualTheReferenceBitForBit) {
  for (int64_t n : {1, 3, 16, 100, 1000}) {
    const std::vector<float> a = Wild(2 * n);
    for (size_t f = 0; f < static_cast<size_t>(Unary::kCount); ++f) {
      for (int64_t stride : {0, 1, 2}) {
        std::vector<float> expected(n);
        scalar_.elementwise.unary[f](a.data(), stride, expected.data(), 1, n);
        ForTargets([&](const KernelTable& table) {
          std::vector<float> got(2 * n + 1, -7.0f);
          table.elementwise.unary[f](a.data(), stride, got.data(), stride == 2 ? 2 : 1, n);
          for (int64_t i = 0; i < n; ++i) {
            const float value = got[stride == 2 ? 2 * i : i];
            ASSERT_TRUE(SameBits(value, expected[i])) << "function " << f << " of " << a[i * stride]
                                                      << ": " << value << " and " << expected[i];
          }
          EXPECT_EQ(got[2 * n], -7.0f);
        });
      }
    }
  }
}

TEST_F(ElementwiseTest, BinaryFunctionsEqualTheReferenceBitForBit) {
  const int64_t strides[][2] = {{1, 1}, {1, 0}, {0, 1}, {2, 1}, {0, 0}};
  for (int64_t n : {1, 3, 16, 100, 1000}) {
    const std::vector<float> a = Wild(2 * n), b = Wild(2 * n);
    for (size_t f = 0; f < static_cast<size_t>(Binary::kCount); ++f) {
      for (const auto& stride : strides) {
        const int64_t sa = stride[0], sb = stride[1];
        std::vector<float> expected(n);
        scalar_.elementwise.binary[f](a.data(), sa, b.data(), sb, expected.data(), 1, n);
        ForTargets([&](const KernelTable& table) {
          std::vector<float> got(n + 1, -7.0f);
          table.elementwise.binary[f](a.data(), sa, b.data(), sb, got.data(), 1, n);
          for (int64_t i = 0; i < n; ++i) {
            ASSERT_TRUE(SameBits(got[i], expected[i]))
                << "function " << f << " of " << a[i * sa] << ", " << b[i * sb] << ": " << got[i]
                << " and " << expected[i];
          }
          EXPECT_EQ(got[n], -7.0f);
        });
      }
    }
  }
}

TEST_F(ElementwiseTest, AnOutputMayBeAnInput) {
  const int64_t n = 101;
  const std::vector<float> a = Wild(n), b = Wild(n);
  std::vector<float> expected(n);
  for (int64_t i = 0; i < n; ++i) expected[i] = a[i] + b[i];
  ForTargets([&](const KernelTable& table) {
    std::vector<float> left = a, right = b;
    table.elementwise.of(Binary::kAdd)(left.data(), 1, b.data(), 1, left.data(), 1, n);
    table.elementwise.of(Binary::kAdd)(a.data(), 1, right.data(), 1, right.data(), 1, n);
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_TRUE(SameBits(left[i], expected[i]) && SameBits(right[i], expected[i])) << i;
    }
  });
}

TEST_F(ElementwiseTest, FunctionsAreWhatTheirNamesSay) {
  const auto unary = [&](Unary f, float a) {
    float y = 0;
    scalar_.elementwise.of(f)(&a, 1, &y, 1, 1);
    return y;
  };
  const auto binary = [&](Binary f, float a, float b) {
    float y = 0;
    scalar_.elementwise.of(f)(&a, 1, &b, 1, &y, 1, 1);
    return y;
  };
  const float nan = std::nanf("");
  EXPECT_EQ(unary(Unary::kNeg, 2), -2);
  EXPECT_EQ(unary(Unary::kAbs, -2), 2);
  EXPECT_NEAR(unary(Unary::kExp, 1), 2.7182818f, 1e-6);
  EXPECT_NEAR(unary(Unary::kLog, 10), 2.3025851f, 1e-6);
  EXPECT_EQ(unary(Unary::kSqrt, 9), 3);
  EXPECT_EQ(unary(Unary::kRsqrt, 16), 0.25f);
  EXPECT_EQ(unary(Unary::kSquare, -3), 9);
  EXPECT_EQ(unary(Unary::kRelu, -3), 0);
  EXPECT_EQ(unary(Unary::kRelu, 3), 3);
  EXPECT_EQ(unary(Unary::kRelu2, -3), 0);
  EXPECT_EQ(unary(Unary::kRelu2, 3), 9);
  EXPECT_NEAR(unary(Unary::kSilu, 1), 0.7310586f, 1e-6);
  EXPECT_NEAR(unary(Unary::kSigmoid, 1), 0.7310586f, 1e-6);
  EXPECT_TRUE(std::isnan(unary(Unary::kRelu, nan)));
  EXPECT_TRUE(std::isnan(unary(Unary::kRelu2, nan)));
  EXPECT_EQ(binary(Binary::kAdd, 1, 2), 3);
  EXPECT_EQ(binary(Binary::kSub, 1, 2), -1);
  EXPECT_EQ(binary(Binary::kMul, 3, 2), 6);
  EXPECT_EQ(binary(Binary::kDiv, 3, 2), 1.5f);
  EXPECT_EQ(binary(Binary::kMax, 3, 2), 3);
  EXPECT_EQ(binary(Binary::kMin, 3, 2), 2);
  for (Binary f : {Binary::kMax, Binary::kMin}) {
    EXPECT_TRUE(std::isnan(binary(f, nan, 2)));
    EXPECT_TRUE(std::isnan(binary(f, 2, nan)));
  }
  EXPECT_EQ(binary(Binary::kEqualMask, 2, 2), 1);
  EXPECT_EQ(binary(Binary::kEqualMask, 2, 3), 0);
  EXPECT_EQ(binary(Binary::kReluGrad, 2, 3), 3);
  EXPECT_EQ(binary(Binary::kReluGrad, -2, 3), 0);
  EXPECT_EQ(binary(Binary::kRelu2Grad, 2, 3), 12);
  EXPECT_EQ(binary(Binary::kRelu2Grad, -2, 3), 0);
  EXPECT_EQ(binary(Binary::kSiluGrad, 0, 3), 1.5f);
  EXPECT_EQ(binary(Binary::kSigmoidGrad, 0.5f, 4), 1);
}

TEST_F(ElementwiseTest, CopiesConvert) {
  const auto copy = [&](Element from, const auto& a, Element to, auto like) {
    decltype(like) y = {};
    scalar_.elementwise.copy[static_cast<size_t>(from)][static_cast<size_t>(to)](&a, 1, &y, 1, 1);
    return y;
  };
  EXPECT_EQ(copy(Element::kF32, 2.5f, Element::kI8, int8_t()), 2);
  EXPECT_EQ(copy(Element::kF32, 3.5f, Element::kI8, int8_t()), 4);
  EXPECT_EQ(copy(Element::kF32, -1000.0f, Element::kI8, int8_t()), -128);
  EXPECT_EQ(copy(Element::kF32, -1.0f, Element::kU8, uint8_t()), 0);
  EXPECT_EQ(copy(Element::kF64, 1e300, Element::kI32, int32_t()), 2147483647);
  EXPECT_EQ(copy(Element::kF32, std::nanf(""), Element::kI32, int32_t()), 0);
  EXPECT_EQ(copy(Element::kF64, 2147483646.5, Element::kI32, int32_t()), 2147483646);
  EXPECT_EQ(copy(Element::kI32, 300, Element::kU8, uint8_t()), 255);
  EXPECT_EQ(copy(Element::kI32, 16777217, Element::kF32, 0.0f), 16777216.0f);
  EXPECT_EQ(copy(Element::kI8, int8_t(-5), Element::kF64, 0.0), -5.0);
  EXPECT_EQ(copy(Element::kF32, 1.00390625f, Element::kBF16, BF16()).bits, 0x3f80);
  EXPECT_EQ(copy(Element::kBF16, BF16{0x3f80}, Element::kF16, F16()).bits, 0x3c00);
  EXPECT_EQ(copy(Element::kF16, F16{0x3c00}, Element::kF64, 0.0), 1.0);
  EXPECT_EQ(copy(Element::kF64, 1e-60, Element::kF32, 1.0f), 0.0f);
}

TEST_F(ElementwiseTest, CopiesEqualTheReferenceBitForBit) {
  constexpr size_t kBytes[] = {8, 4, 2, 2, 1, 1, 4};
  const int64_t n = 259;
  std::vector<uint64_t> a(2 * n);
  for (uint64_t& bits : a) bits = random_() | (static_cast<uint64_t>(random_()) << 32);
  for (size_t from = 0; from < static_cast<size_t>(Element::kCount); ++from) {
    for (size_t to = 0; to < static_cast<size_t>(Element::kCount); ++to) {
      for (int64_t stride : {0, 1, 2}) {
        std::vector<uint8_t> expected(n * 8, 0x55);
        scalar_.elementwise.copy[from][to](a.data(), stride, expected.data(), 1, n);
        ForTargets([&](const KernelTable& table) {
          std::vector<uint8_t> got(n * 8, 0x55);
          table.elementwise.copy[from][to](a.data(), stride, got.data(), 1, n);
          ASSERT_EQ(got, expected)
              << "from " << from << " to " << to << " stride " << stride << " bytes " << kBytes[to];
        });
      }
    }
  }
}

}  // namespace
}  // namespace tern::kernels
