// SPDX-License-Identifier: MIT
// AdamW (Loshchilov and Hutter, arXiv:1711.05101) over a model's parameters, with clipping by the
// norm of all gradients together. Updates the parameters' elements in place; gradients come from a
// tape that watches them. Moments are f32 tensors from the pool, and a step allocates nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tern/autograd/tape.h"
#include "tern/core/context.h"
#include "tern/models/model.h"
#include "tern/train/schedule.h"

namespace tern {

struct OptimizerOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double clip_norm = 0;  // 0: gradients are taken as they are
  // Weight decay of every parameter, or of matrices alone (masters of BitLinear, plain linear
  // layers): what norms, biases and embedding rows are for does not get better by being small.
  bool decay_all = false;
};

class Optimizer {
 public:
  struct Slot {
    Parameter parameter;
    bool decays;
    Tensor exp_avg;
    Tensor exp_avg_sq;
  };

  // The parameters' owner must outlive the optimizer. They are f32.
  Optimizer(Context& ctx, std::span<const Parameter> parameters, const OptimizerOptions& options);

  // One update with the gradients that `tape` has for the parameters, whose values it watches, and
  // their norm before clipping. Error(kNumeric) that names the tensor when one is not finite;
  // nothing has changed then.
  double Step(const Tape& tape, const Rates& rates);

  // Updates made, and moments: what a checkpoint keeps.
  int64_t step() const { return step_; }
  void set_step(int64_t step) { step_ = step; }
  std::span<const Slot> slots() const { return slots_; }

 private:
  double GradientNorm(const Tape& tape);

  Context& ctx_;
  OptimizerOptions options_;
  int64_t step_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace tern
