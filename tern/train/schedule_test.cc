// SPDX-License-Identifier: MIT
#include "tern/train/schedule.h"

#include <gtest/gtest.h>

namespace tern {
namespace {

// The run whose figures the paper prints: 100,000 steps, 375 of them to warm up.
constexpr Schedule kPaper = {.kind = ScheduleKind::kTwoStage,
                             .steps = 100000,
                             .warmup_steps = 375,
                             .peak_rate = 1.5e-3,
                             .second_rate = 1e-3,
                             .final_rate = 3e-5,
                             .weight_decay = 0.1};

// Figures read from the paper's curve have two digits.
constexpr double kHalfDigit = 0.05e-4;

TEST(Schedule, TwoStageFollowsThePapersFigures) {
  EXPECT_NEAR(RatesAt(kPaper, 375).learning_rate, 1.5e-3, 0.1e-4);
  EXPECT_NEAR(RatesAt(kPaper, 49999).learning_rate, 7.7e-4, kHalfDigit);
  EXPECT_NEAR(RatesAt(kPaper, 50000).learning_rate, 5.2e-4, kHalfDigit);
  EXPECT_NEAR(RatesAt(kPaper, 99999).learning_rate, 3e-5, 1e-7);
}

TEST(Schedule, TwoStageDecaysInTheFirstHalfAlone) {
  EXPECT_EQ(RatesAt(kPaper, 0).weight_decay, 0.1);
  EXPECT_EQ(RatesAt(kPaper, 49999).weight_decay, 0.1);
  EXPECT_EQ(RatesAt(kPaper, 50000).weight_decay, 0.0);
  EXPECT_EQ(RatesAt(kPaper, 99999).weight_decay, 0.0);
}

TEST(Schedule, TwoStageSwapsAtTheMiddleOfAnOddRun) {
  Schedule schedule = kPaper;
  schedule.steps = 3;
  EXPECT_EQ(RatesAt(schedule, 1).weight_decay, 0.1);
  EXPECT_EQ(RatesAt(schedule, 2).weight_decay, 0.0);
}

TEST(Schedule, WarmUpGrowsLinearlyAndNeverStartsAtZero) {
  Schedule schedule = kPaper;
  schedule.kind = ScheduleKind::kConstant;
  schedule.warmup_steps = 4;
  EXPECT_DOUBLE_EQ(RatesAt(schedule, 0).learning_rate, 1.5e-3 / 4);
  EXPECT_DOUBLE_EQ(RatesAt(schedule, 2).learning_rate, 1.5e-3 * 3 / 4);
  EXPECT_DOUBLE_EQ(RatesAt(schedule, 3).learning_rate, 1.5e-3);
  EXPECT_DOUBLE_EQ(RatesAt(schedule, 4).learning_rate, 1.5e-3);
}

TEST(Schedule, LinearFallsOverTheWholeRunWithDecayThroughout) {
  Schedule schedule = kPaper;
  schedule.kind = ScheduleKind::kLinear;
  schedule.warmup_steps = 0;
  EXPECT_DOUBLE_EQ(RatesAt(schedule, 0).learning_rate, 1.5e-3);
  EXPECT_DOUBLE_EQ(RatesAt(schedule, 50000).learning_rate, (1.5e-3 + 3e-5) / 2);
  EXPECT_NEAR(RatesAt(schedule, 99999).learning_rate, 3e-5, 1e-7);
  EXPECT_EQ(RatesAt(schedule, 99999).weight_decay, 0.1);
}

TEST(Schedule, ConstantIgnoresTheOtherRates) {
  Schedule schedule = kPaper;
  schedule.kind = ScheduleKind::kConstant;
  EXPECT_EQ(RatesAt(schedule, 99999).learning_rate, 1.5e-3);
  EXPECT_EQ(RatesAt(schedule, 99999).weight_decay, 0.1);
}

}  // namespace
}  // namespace tern
