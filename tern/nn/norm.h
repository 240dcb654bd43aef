// SPDX-License-Identifier: MIT
// RMSNorm: x / sqrt(mean(x^2) + eps) times a weight [n] (arXiv:1910.07467).
#pragma once

#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/nn/linear.h"
#include "tern/nn/parameter.h"

namespace tern::nn {

class RmsNorm {
 public:
  RmsNorm(Weight weight, double eps);

  Tensor Forward(Context& ctx, const Tensor& x) const;
  // The normed rows as projections of this kind take them. For ternary weights norm and quantizer
  // are one op, and the float rows never exist.
  Features Prepare(Context& ctx, const Tensor& x, WeightKind kind) const;

  const Weight& weight() const { return weight_; }
  void Freeze(Context& ctx) { weight_.Freeze(ctx); }

 private:
  Weight weight_;
  double eps_;
};

}  // namespace tern::nn
