// SPDX-License-Identifier: MIT
#include "tern/base/checked_math.h"

#include <gtest/gtest.h>

#include <vector>

namespace tern {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr size_t kSizeMax = std::numeric_limits<size_t>::max();

std::optional<int64_t> Count(const std::vector<int64_t>& dims) { return CheckedElementCount(dims); }

TEST(CheckedMathTest, AddSubMul) {
  EXPECT_EQ(CheckedAdd<int64_t>(2, 3), 5);
  EXPECT_EQ(CheckedAdd<int64_t>(kMax, 1), std::nullopt);
  EXPECT_EQ(CheckedAdd<int64_t>(kMin, -1), std::nullopt);
  EXPECT_EQ(CheckedAdd<size_t>(kSizeMax - 1, 1), kSizeMax);
  EXPECT_EQ(CheckedAdd<size_t>(kSizeMax, 1), std::nullopt);
  EXPECT_EQ(CheckedSub<size_t>(3, 4), std::nullopt);
  EXPECT_EQ(CheckedSub<int64_t>(3, 4), -1);
  EXPECT_EQ(CheckedMul<int64_t>(int64_t{1} << 31, int64_t{1} << 31), int64_t{1} << 62);
  EXPECT_EQ(CheckedMul<int64_t>(int64_t{1} << 32, int64_t{1} << 31), std::nullopt);
  EXPECT_EQ(CheckedMul<int64_t>(kMin, -1), std::nullopt);
  EXPECT_EQ(CheckedMul<size_t>(size_t{1} << 32, size_t{1} << 32), std::nullopt);
}

TEST(CheckedMathTest, Cast) {
  EXPECT_EQ(CheckedCast<int8_t>(127), int8_t{127});
  EXPECT_EQ(CheckedCast<int8_t>(128), std::nullopt);
  EXPECT_EQ(CheckedCast<size_t>(int64_t{-1}), std::nullopt);
  EXPECT_EQ(CheckedCast<int64_t>(kSizeMax), std::nullopt);
  EXPECT_EQ(CheckedCast<int64_t>(size_t{7}), 7);
}

TEST(CheckedMathTest, ElementCount) {
  EXPECT_EQ(Count({}), 1);
  EXPECT_EQ(Count({2, 3, 4}), 24);
  EXPECT_EQ(Count({0}), 0);
  EXPECT_EQ(Count({2, -1}), std::nullopt);
  EXPECT_EQ(Count({kMax, 2}), std::nullopt);
  EXPECT_EQ(Count({kMax, 2, 0}), std::nullopt);
  EXPECT_EQ(Count({0, kMax, 2}), std::nullopt);
  EXPECT_EQ(Count({0, kMax}), 0);
}

TEST(CheckedMathTest, RoundingUp) {
  EXPECT_EQ(CeilDiv<int64_t>(0, 5), 0);
  EXPECT_EQ(CeilDiv<int64_t>(5, 5), 1);
  EXPECT_EQ(CeilDiv<int64_t>(6, 5), 2);
  EXPECT_EQ(CeilDiv(kMax, kMax - 1), 2);
  EXPECT_EQ(CheckedRoundUp<int64_t>(65, 64), 128);
  EXPECT_EQ(CheckedRoundUp<int64_t>(64, 64), 64);
  EXPECT_EQ(CheckedRoundUp<int64_t>(kMax, 64), std::nullopt);
}

TEST(CheckedMathTest, RangeFits) {
  EXPECT_TRUE(RangeFits(0, 10, 10));
  EXPECT_TRUE(RangeFits(10, 0, 10));
  EXPECT_FALSE(RangeFits(1, 10, 10));
  EXPECT_FALSE(RangeFits(11, 0, 10));
  EXPECT_FALSE(RangeFits(5, std::numeric_limits<uint64_t>::max(), 10));
}

}  // namespace
}  // namespace tern
