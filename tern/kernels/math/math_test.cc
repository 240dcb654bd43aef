// SPDX-License-Identifier: MIT
#include "tern/kernels/math/math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tern::kernels::math {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kDoubleInfinity = std::numeric_limits<double>::infinity();

// The distance of got from exact in units of the last place that T has there.
template <typename T>
double UlpError(T got, long double exact) {
  using Limits = std::numeric_limits<T>;
  int exponent = 0;
  std::frexp(exact, &exponent);
  const int last = std::max(exponent - Limits::digits, Limits::min_exponent - Limits::digits);
  return static_cast<double>(std::abs(got - exact) / std::ldexp(1.0L, last));
}

class MathTest : public testing::Test {
 protected:
  // Calls check(x) for samples of [low, high].
  template <typename T, typename Check>
  void ForSamples(T low, T high, int count, Check check) {
    const uint32_t seed = std::random_device()();
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::uniform_real_distribution<T> jitter(0, (high - low) / static_cast<T>(count));
    for (int i = 0; i < count; ++i) {
      check(low + (high - low) * (static_cast<T>(i) / static_cast<T>(count)) + jitter(random));
      if (HasFatalFailure()) return;
    }
  }
};

TEST_F(MathTest, ExpOfFloatsIsWithinOneUlp) {
  double worst = 0;
  const auto check = [&](float x) {
    const float got = Exp(x);
    const long double exact = std::exp(static_cast<double>(x));
    if (exact > std::numeric_limits<float>::max()) return;
    worst = std::max(worst, UlpError(got, exact));
    ASSERT_LE(worst, 1.0) << "at " << x;
  };
  ForSamples(-104.0f, 88.8f, 300000, check);
  ForSamples(-1.0f, 1.0f, 100000, check);
  ForSamples(-1e-6f, 1e-6f, 10000, check);
  RecordProperty("worst", std::to_string(worst));
}

TEST_F(MathTest, ExpOfFloatsKnowsItsLimits) {
  EXPECT_EQ(Exp(0.0f), 1.0f);
  EXPECT_EQ(Exp(-0.0f), 1.0f);
  EXPECT_EQ(Exp(kInfinity), kInfinity);
  EXPECT_EQ(Exp(-kInfinity), 0.0f);
  EXPECT_FALSE(std::signbit(Exp(-kInfinity)));
  EXPECT_EQ(Exp(3e38f), kInfinity);
  EXPECT_EQ(Exp(-3e38f), 0.0f);
  EXPECT_LT(Exp(0x1.62e42ep+6f), kInfinity);
  EXPECT_EQ(Exp(0x1.62e43p+6f), kInfinity);
  EXPECT_EQ(Exp(-103.9f), std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(Exp(1e-45f), 1.0f);
  EXPECT_TRUE(std::isnan(Exp(std::nanf(""))));
  EXPECT_TRUE(std::isnan(Exp(-std::nanf(""))));
}

TEST_F(MathTest, ExpOfDoublesIsWithinOneUlp) {
  const auto check = [](double x) {
    ASSERT_LE(UlpError(Exp(x), std::exp(static_cast<long double>(x))), 1.0) << "at " << x;
  };
  ForSamples(-745.0, 709.7, 100000, check);
  ForSamples(-1.0, 1.0, 20000, check);
  EXPECT_EQ(Exp(kDoubleInfinity), kDoubleInfinity);
  EXPECT_EQ(Exp(-kDoubleInfinity), 0.0);
  EXPECT_EQ(Exp(1e300), kDoubleInfinity);
  EXPECT_TRUE(std::isnan(Exp(std::nan(""))));
}

TEST_F(MathTest, LogIsWithinOneUlp) {
  const auto check = [](double exponent) {
    const double x = std::exp2(exponent);
    ASSERT_LE(UlpError(Log(x), std::log(static_cast<long double>(x))), 1.0) << "at " << x;
  };
  ForSamples(-1074.0, 1023.9, 100000, check);
  ForSamples(-1.0, 1.0, 100000, check);
  ForSamples(-1e-9, 1e-9, 1000, check);
  ForSamples(-1.0f, 1.0f, 100000, [](float exponent) {
    const float x = std::exp2(exponent);
    ASSERT_LE(UlpError(Log(x), std::log(static_cast<double>(x))), 0.51) << "at " << x;
  });
}

TEST_F(MathTest, LogKnowsItsLimits) {
  EXPECT_EQ(Log(1.0), 0.0);
  EXPECT_EQ(Log(1.0f), 0.0f);
  EXPECT_EQ(Log(0.0f), -kInfinity);
  EXPECT_EQ(Log(-0.0f), -kInfinity);
  EXPECT_EQ(Log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(Log(-1.0f)));
  EXPECT_TRUE(std::isnan(Log(-kInfinity)));
  EXPECT_TRUE(std::isnan(Log(std::nanf(""))));
  EXPECT_EQ(Log(std::numeric_limits<float>::denorm_min()), std::log(0x1p-149f));
}

TEST_F(MathTest, PowIsAsGoodAsItsExponent) {
  for (double base : {0.5, 10.0, 10000.0, 500000.0, 1000042.0}) {
    ForSamples(-1.0, 1.0, 2000, [&](double y) {
      const double bound = 1.5 + 2 * std::abs(y * std::log(base));
      const long double exact = std::pow(static_cast<long double>(base), y);
      ASSERT_LE(UlpError(Pow(base, y), exact), bound) << base << " to " << y;
    });
  }
  EXPECT_EQ(Pow(10000.0, 0.0), 1.0);
}

TEST_F(MathTest, SinAndCosAreWithinTheirBound) {
  const auto check = [](double x) {
    const long double wide = x;
    ASSERT_LE(UlpError(Sin(x), std::sin(wide)), 2.0) << "at " << x;
    ASSERT_LE(UlpError(Cos(x), std::cos(wide)), 2.0) << "at " << x;
  };
  ForSamples(-10.0, 10.0, 50000, check);
  ForSamples(-1e6, 1e6, 50000, check);
  ForSamples(-kMaxAngle, kMaxAngle, 50000, check);
  // Near multiples of pi / 2, where the reduction cancels: the closest doubles.
  for (int i = 1; i < 50000; ++i) check(std::ldexp(0x1.921fb54442d18p+0 * i, i % 7));
  for (int i = 0; i < 30000; ++i) check(i);
}

TEST_F(MathTest, SinAndCosOfFloatsAreRoundedOnce) {
  ForSamples(-1e6f, 1e6f, 50000, [](float x) {
    ASSERT_LE(UlpError(Sin(x), std::sin(static_cast<double>(x))), 0.51) << "at " << x;
    ASSERT_LE(UlpError(Cos(x), std::cos(static_cast<double>(x))), 0.51) << "at " << x;
  });
  EXPECT_EQ(Sin(0.0), 0.0);
  EXPECT_EQ(Cos(0.0), 1.0);
  EXPECT_TRUE(std::isnan(Sin(kDoubleInfinity)));
  EXPECT_TRUE(std::isnan(Cos(-kDoubleInfinity)));
}

TEST_F(MathTest, SigmoidAndSiluAreAsGoodAsTheirExp) {
  ForSamples(-87.0f, 100.0f, 100000, [](float x) {
    const double exact = 1 / (1 + std::exp(-static_cast<double>(x)));
    ASSERT_LE(UlpError(Sigmoid(x), exact), 2.5) << "at " << x;
    ASSERT_LE(UlpError(Silu(x), x * exact), 2.5) << "at " << x;
  });
  ForSamples(-200.0f, -87.0f, 10000, [](float x) {
    const double exact = 1 / (1 + std::exp(-static_cast<double>(x)));
    ASSERT_LE(std::abs(Sigmoid(x) - exact), 0x1p-125) << "at " << x;
    ASSERT_LE(std::abs(Silu(x) - x * exact), 0x1p-125 * -x) << "at " << x;
  });
  EXPECT_EQ(Sigmoid(kInfinity), 1.0f);
  EXPECT_EQ(Sigmoid(-kInfinity), 0.0f);
  EXPECT_TRUE(std::isnan(Sigmoid(std::nanf(""))));
  EXPECT_EQ(Rsqrt(4.0f), 0.5f);
  EXPECT_EQ(Rsqrt(0.0f), kInfinity);
}

}  // namespace
}  // namespace tern::kernels::math
