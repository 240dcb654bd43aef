// SPDX-License-Identifier: MIT
#include "tern/base/checked_math.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>

namespace tern {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

TEST(CheckedMathTest, Mul) {
  EXPECT_EQ(CheckedMul<int64_t>(int64_t{1} << 31, int64_t{1} << 31), int64_t{1} << 62);
  EXPECT_EQ(CheckedMul<int64_t>(int64_t{1} << 32, int64_t{1} << 31), std::nullopt);
  EXPECT_EQ(CheckedMul<int64_t>(kMin, -1), std::nullopt);
  EXPECT_EQ(CheckedMul<size_t>(size_t{1} << 32, size_t{1} << 32), std::nullopt);
}

TEST(CheckedMathTest, CeilDiv) {
  EXPECT_EQ(CeilDiv<int64_t>(0, 5), 0);
  EXPECT_EQ(CeilDiv<int64_t>(5, 5), 1);
  EXPECT_EQ(CeilDiv<int64_t>(6, 5), 2);
  EXPECT_EQ(CeilDiv(kMax, kMax - 1), 2);
}

}  // namespace
}  // namespace tern
