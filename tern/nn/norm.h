// SPDX-License-Identifier: MIT
// RMSNorm: x / sqrt(mean(x^2) + eps) times a weight [n] (arXiv:1910.07467), or times 1 + weight, as
// Gemma has it.
#pragma once

#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/nn/features.h"
#include "tern/nn/parameter.h"

namespace tern::nn {

class RmsNorm {
 public:
  RmsNorm(Weight weight, double eps, bool adds_one = false);

  Tensor Forward(Context& ctx, const Tensor& x) const;
  // The normed rows of that kind. Norm and int8 quantizer are one op, and the float rows never
  // exist.
  Features Prepare(Context& ctx, const Tensor& x, ActivationKind kind) const;

  const Weight& weight() const { return weight_; }
  void Freeze(Context& ctx);

 private:
  Tensor Factor(Context& ctx) const;

  Weight weight_;
  Tensor factor_;  // 1 + weight, once frozen
  double eps_;
  bool adds_one_;
};

}  // namespace tern::nn
