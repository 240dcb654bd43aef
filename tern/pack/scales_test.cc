// SPDX-License-Identifier: MIT
#include "tern/pack/scales.h"

#include <gtest/gtest.h>

#include <limits>

namespace tern {
namespace {

TEST(MergeScales, KeepsTheFewestThatSayTheSame) {
  const std::vector<int8_t> trits = {1, 0, -1, 0, /**/ 0, 1, 1, 1};
  std::vector<float> scales = {2, 2, 2, 2};
  EXPECT_EQ(MergeScales(trits, 2, 4, scales), 0);
  EXPECT_EQ(scales[0], 2);
  scales = {2, 2, 3, 3};
  EXPECT_EQ(MergeScales(trits, 2, 4, scales), 1);
  EXPECT_EQ(scales, (std::vector<float>{2, 3, 3, 3}));
  scales = {2, 5, 3, 3};
  EXPECT_EQ(MergeScales(trits, 2, 4, scales), 2);
  EXPECT_EQ(scales, (std::vector<float>{2, 5, 3, 3}));
}

TEST(MergeScales, WidensGroups) {
  const std::vector<int8_t> trits(24, 1);
  std::vector<float> scales = {1, 1, 1, 2, 2, 2, /**/ 3, 3, 3, 1, 1, 1};
  EXPECT_EQ(MergeScales(trits, 2, 12, scales), 2);
  EXPECT_EQ(std::vector<float>(scales.begin(), scales.begin() + 4),
            (std::vector<float>{1, 2, 3, 1}));
  scales = {1, 1, 2, 2, 2, 2, /**/ 3, 3, 3, 3, 1, 1};
  EXPECT_EQ(MergeScales(trits, 2, 12, scales), 3);
  EXPECT_EQ(std::vector<float>(scales.begin(), scales.begin() + 6),
            (std::vector<float>{1, 2, 2, 3, 3, 1}));
  scales = {1, 1, 2, 2, 2, 2, /**/ 3, 3, 3, 1, 1, 1};
  EXPECT_EQ(MergeScales(trits, 2, 12, scales), 6);
}

TEST(MergeScales, PassesGroupsOfZeros) {
  const std::vector<int8_t> trits = {0, 0, -1, 0, /**/ 0, 1, 0, 0};
  std::vector<float> scales = {0, 7, 7, 1};
  EXPECT_EQ(MergeScales(trits, 2, 4, scales), 0);
  EXPECT_EQ(scales[0], 7);
  const std::vector<int8_t> zeros(8, 0);
  scales = {4, 5, 6, 7};
  EXPECT_EQ(MergeScales(zeros, 2, 4, scales), 0);
  EXPECT_EQ(scales[0], 4);
}

TEST(FindTrits, FindsTheWidestGroups) {
  std::vector<float> w(2 * 192, 0.0f);
  for (size_t i = 0; i < w.size(); i += 3) w[i] = i % 2 == 0 ? 0.5f : -0.5f;
  std::optional<FoundTrits> found = FindTrits(w, 2, 192);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->groups, 1);
  EXPECT_EQ(found->scales, (std::vector<float>{0.5f, 0.5f}));
  EXPECT_EQ(found->trits[0], 1);
  EXPECT_EQ(found->trits[1], 0);
  EXPECT_EQ(found->trits[3], -1);
  for (size_t i = 64; i < 128; ++i) w[i] *= 2;  // the second third of the first row
  found = FindTrits(w, 2, 192);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->groups, 3);
  EXPECT_EQ(found->scales, (std::vector<float>{0.5f, 1.0f, 0.5f, 0.5f, 0.5f, 0.5f}));
}

TEST(FindTrits, LeavesOtherFloatsAlone) {
  std::vector<float> w(64, 0.25f);
  w[40] = 0.375f;
  w[41] = 0.125f;
  EXPECT_FALSE(FindTrits(w, 1, 64));  // two values within the narrowest group
  w[40] = std::numeric_limits<float>::infinity();
  w[41] = 0;
  EXPECT_FALSE(FindTrits(w, 1, 64));
  EXPECT_TRUE(FindTrits(std::vector<float>(12, 0.0f), 3, 4));
}

}  // namespace
}  // namespace tern
