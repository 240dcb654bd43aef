// SPDX-License-Identifier: MIT
// Learning rate and weight decay over a training run, as functions of the step alone.
//
// kTwoStage is the recipe of BitNet b1.58 ("Training Tips, Code and FAQ", figures 1c and 1d): two
// straight lines over the whole run, one from the peak rate and one from a lower one, both to the
// final rate. The run follows the first for half of its steps and the second from there on, so the
// rate drops at the middle instead of starting again; the weight decay drops to 0 with it. Large
// latent weights are confident ones, and decay in the second half would keep trits flipping.
#pragma once

#include <cstdint>

namespace tern {

enum class ScheduleKind { kConstant, kLinear, kTwoStage };

struct Schedule {
  ScheduleKind kind = ScheduleKind::kTwoStage;
  int64_t steps = 1;         // of the run
  int64_t warmup_steps = 0;  // the rate of these grows linearly to what it would be without
  double peak_rate = 0;      // kConstant keeps it
  double second_rate = 0;    // kTwoStage: where the second line starts
  double final_rate = 0;     // at the end of the last step; not of kConstant
  double weight_decay = 0;
};

struct Rates {
  double learning_rate = 0;
  double weight_decay = 0;
};

// Of the update that step makes, 0 <= step < schedule.steps.
Rates RatesAt(const Schedule& schedule, int64_t step);

}  // namespace tern
