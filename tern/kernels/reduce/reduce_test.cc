// SPDX-License-Identifier: MIT
#include "tern/kernels/reduce/reduce.h"

#include <gtest/gtest.h>

#include "tern/kernels/kernel_test.h"

namespace tern::kernels {
namespace {

using ReduceTest = KernelTest;

TEST_F(ReduceTest, EveryTargetEqualsTheReferenceBitForBit) {
  for (int64_t n : {1, 7, 15, 16, 17, 100, 1000}) {
    for (int64_t stride : {1, 3}) {
      for (bool wild : {false, true}) {
        const std::vector<float> x = wild ? Wild(n * stride) : Normal(n * stride);
        ForTargets([&](const KernelTable& table) {
          ExpectSame({scalar_.reduce.sum(x.data(), stride, n)},
                     {table.reduce.sum(x.data(), stride, n)});
          ExpectSame({scalar_.reduce.max(x.data(), stride, n)},
                     {table.reduce.max(x.data(), stride, n)});
          const double squares = scalar_.reduce.sum_squares(x.data(), n);
          const double got = table.reduce.sum_squares(x.data(), n);
          EXPECT_TRUE(squares == got || (squares != squares && got != got));
        });
      }
    }
  }
}

TEST_F(ReduceTest, MaximumOfZerosIsPositiveAndOfNaNIsNaN) {
  ForTargets([&](const KernelTable& table) {
    for (int64_t n : {3, 16, 40}) {
      std::vector<float> x(n, -0.0f);
      EXPECT_FALSE(std::signbit(table.reduce.max(x.data(), 1, n)));
      x[n / 2] = 0.0f;
      EXPECT_FALSE(std::signbit(table.reduce.max(x.data(), 1, n)));
      x[n - 1] = -5;
      x[0] = -std::numeric_limits<float>::infinity();
      EXPECT_EQ(table.reduce.max(x.data(), 1, n), 0);
      x[n / 2] = std::nanf("");
      EXPECT_TRUE(std::isnan(table.reduce.max(x.data(), 1, n)));
    }
  });
}

TEST_F(ReduceTest, SumsAreWhatTheyShouldBe) {
  ForTargets([&](const KernelTable& table) {
    std::vector<float> x(1000);
    for (int i = 0; i < 1000; ++i) x[i] = static_cast<float>(i);
    EXPECT_EQ(table.reduce.sum(x.data(), 1, 1000), 499500);
    EXPECT_EQ(table.reduce.sum(x.data(), 2, 500), 249500);
    EXPECT_EQ(table.reduce.sum(x.data(), 1, 0), 0);
    EXPECT_EQ(table.reduce.sum_squares(x.data(), 1000), 332833500);
    x[10] = 3e30f;  // its square is no float
    EXPECT_NEAR(table.reduce.sum_squares(x.data(), 1000) / 9e60, 1, 1e-6);
  });
}

TEST_F(ReduceTest, EveryElementMustBeFinite) {
  ForTargets([&](const KernelTable& table) {
    for (int64_t n : {1, 16, 37}) {
      std::vector<float> x(n, 3e38f);
      EXPECT_TRUE(table.reduce.all_finite(x.data(), n));
      for (int64_t i = 0; i < n; ++i) {
        for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
          x[i] = bad;
          EXPECT_FALSE(table.reduce.all_finite(x.data(), n)) << i << " " << bad;
          x[i] = 0;
        }
      }
    }
  });
}

}  // namespace
}  // namespace tern::kernels
