// SPDX-License-Identifier: MIT
#include "tern/train/optimizer.h"

#include <cmath>

#include "tern/base/error.h"
#include "tern/ops/ops.h"

namespace tern {
namespace {

bool IsMatrix(ParameterKind kind) {
  return kind == ParameterKind::kTernaryMaster || kind == ParameterKind::kMatrix;
}

// By multiplications alone: std::pow has other last bits with another C library.
double Power(double base, int64_t exponent) {
  double power = 1;
  for (; exponent > 0; exponent /= 2, base *= base) {
    if (exponent % 2 == 1) power *= base;
  }
  return power;
}

}  // namespace

Optimizer::Optimizer(Context& ctx, std::span<const Parameter> parameters,
                     const OptimizerOptions& options)
    : ctx_(ctx), options_(options) {
  for (const Parameter& parameter : parameters) {
    const Shape& shape = parameter.value->shape();
    TERN_CHECK(parameter.value->dtype() == DType::kF32);
    slots_.push_back({.parameter = parameter,
                      .decays = options.decay_all || IsMatrix(parameter.kind),
                      .exp_avg = ops::Full(ctx, shape, DType::kF32, 0),
                      .exp_avg_sq = ops::Full(ctx, shape, DType::kF32, 0)});
  }
}

// Squares are summed in f64, where those of finite f32 cannot overflow: a sum that is not finite
// comes from an element that is not.
double Optimizer::GradientNorm(const Tape& tape) {
  const Tensor square = ctx_.Empty({1}, DType::kF64, MemoryTag::kWorkspace);
  double sum = 0;
  for (const Slot& slot : slots_) {
    const Tensor& gradient = tape.Gradient(*slot.parameter.value);
    TERN_CHECK(gradient.defined());
    const Tensor* in[] = {&gradient};
    const Tensor* out[] = {&square};
    ctx_.Run({.op = Op::kSumSquares, .inputs = in, .outputs = out});
    ctx_.default_backend().Synchronize();
    if (!std::isfinite(square.item<double>())) {
      Fail(ErrorKind::kNumeric, "the gradient of {} is not finite; a lower learning rate may help",
           slot.parameter.name);
    }
    sum += square.item<double>();
  }
  return std::sqrt(sum);
}

double Optimizer::Step(const Tape& tape, const Rates& rates) {
  const double norm = GradientNorm(tape);
  ++step_;
  AdamWAttrs attrs;
  attrs.learning_rate = rates.learning_rate;
  attrs.beta1 = options_.beta1;
  attrs.beta2 = options_.beta2;
  attrs.eps = options_.eps;
  attrs.bias_correction1 = 1 - Power(options_.beta1, step_);
  attrs.bias_correction2 = 1 - Power(options_.beta2, step_);
  if (options_.clip_norm > 0 && norm > options_.clip_norm) {
    attrs.gradient_scale = options_.clip_norm / norm;
  }
  for (const Slot& slot : slots_) {
    attrs.weight_decay = slot.decays ? rates.weight_decay : 0;
    const Tensor* in[] = {&tape.Gradient(*slot.parameter.value)};
    const Tensor* out[] = {slot.parameter.value, &slot.exp_avg, &slot.exp_avg_sq};
    ctx_.Run({.op = Op::kAdamW, .inputs = in, .outputs = out, .attrs = attrs});
  }
  return norm;
}

}  // namespace tern
