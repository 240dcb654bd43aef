// SPDX-License-Identifier: MIT
#include "tern/train/schedule.h"

#include "tern/base/check.h"

namespace tern {
namespace {

double Line(double from, double to, double share) { return from + (to - from) * share; }

}  // namespace

Rates RatesAt(const Schedule& schedule, int64_t step) {
  TERN_CHECK(step >= 0 && step < schedule.steps);
  const double share = static_cast<double>(step) / static_cast<double>(schedule.steps);
  const bool second_stage = schedule.kind == ScheduleKind::kTwoStage && 2 * step >= schedule.steps;
  Rates rates = {.learning_rate = schedule.peak_rate,
                 .weight_decay = second_stage ? 0.0 : schedule.weight_decay};
  if (schedule.kind != ScheduleKind::kConstant) {
    const double start = second_stage ? schedule.second_rate : schedule.peak_rate;
    rates.learning_rate = Line(start, schedule.final_rate, share);
  }
  if (step < schedule.warmup_steps) {
    rates.learning_rate *=
        static_cast<double>(step + 1) / static_cast<double>(schedule.warmup_steps);
  }
  return rates;
}

}  // namespace tern
