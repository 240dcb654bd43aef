// SPDX-License-Identifier: MIT
#include "tern/nn/norm.h"

#include <utility>

#include "tern/base/check.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"

namespace tern::nn {

RmsNorm::RmsNorm(Weight weight, double eps, bool adds_one)
    : weight_(std::move(weight)), eps_(eps), adds_one_(adds_one) {
  TERN_CHECK(weight_.defined());
}

void RmsNorm::Freeze(Context& ctx) {
  weight_.Freeze(ctx);
  if (adds_one_) factor_ = Factor(ctx);
}

Tensor RmsNorm::Factor(Context& ctx) const {
  if (factor_.defined()) return factor_;
  const Tensor weight = weight_.Get(ctx);
  return adds_one_ ? ops::AddScalar(ctx, weight, 1) : weight;
}

Tensor RmsNorm::Forward(Context& ctx, const Tensor& x) const {
  return ops::RmsNorm(ctx, x, Factor(ctx), eps_);
}

Features RmsNorm::Prepare(Context& ctx, const Tensor& x, ActivationKind kind) const {
  if (kind == ActivationKind::kFloat) return {.quantized = {}, .plain = Forward(ctx, x)};
  return {.quantized = ops::RmsNormQuantize(ctx, x, Factor(ctx), eps_), .plain = {}};
}

}  // namespace tern::nn
