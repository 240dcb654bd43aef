// SPDX-License-Identifier: MIT
#include "tern/base/portable_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tern {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

TEST(PortableMathTest, ExpIsTheExponentialFunction) {
  for (double x = -708; x <= 709; x += 0.0937) {
    // An ulp each for ours and the C library's.
    EXPECT_NEAR(PortableExp(x) / std::exp(x), 1.0, 2 * kEpsilon) << x;
  }
  for (double x = 1e-300; x < 1; x *= 3.7) {
    EXPECT_NEAR(PortableExp(-x), std::exp(-x), kEpsilon) << x;
  }
}

TEST(PortableMathTest, ExpAtItsEnds) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(PortableExp(0.0), 1.0);
  EXPECT_EQ(PortableExp(-infinity), 0.0);
  EXPECT_EQ(PortableExp(-745.0), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(PortableExp(-746.0), 0.0);
  EXPECT_EQ(PortableExp(709.7), std::exp(709.7));
  EXPECT_EQ(PortableExp(709.8), infinity);
  EXPECT_EQ(PortableExp(infinity), infinity);
  EXPECT_TRUE(std::isnan(PortableExp(std::nan(""))));
}

TEST(PortableMathTest, LogIsTheLogarithm) {
  for (double x = 1e-307; x < 1e307; x *= 1.37) {
    EXPECT_NEAR(PortableLog(x), std::log(x), 2 * kEpsilon * std::abs(std::log(x))) << x;
  }
  EXPECT_EQ(PortableLog(1.0), 0.0);
  EXPECT_EQ(PortableLog(0.0), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(PortableLog(-1.0)));
}

// Bits, not values: what another machine computes must be these.
TEST(PortableMathTest, KnownBits) {
  EXPECT_EQ(PortableExp(1.0), 0x1.5bf0a8b14576ap+1);
  EXPECT_EQ(PortableExp(-0.1), 0x1.cf46d99d52b3ap-1);
  EXPECT_EQ(PortableExp(-30.3), 0x1.3833f323dbf98p-44);
  EXPECT_EQ(PortableExp(-650.7), 0x1.2dfc5d4474e29p-939);
  EXPECT_EQ(PortableLog(10.0), 0x1.26bb1bbb55516p+1);
  EXPECT_EQ(PortableLog(0.3), -0x1.34378fcbda721p+0);
}

}  // namespace
}  // namespace tern
