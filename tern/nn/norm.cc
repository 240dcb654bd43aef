// SPDX-License-Identifier: MIT
#include "tern/nn/norm.h"

#include <utility>

#include "tern/base/check.h"
#include "tern/ops/transformer.h"

namespace tern::nn {

RmsNorm::RmsNorm(Weight weight, double eps) : weight_(std::move(weight)), eps_(eps) {
  TERN_CHECK(weight_.defined());
}

Tensor RmsNorm::Forward(Context& ctx, const Tensor& x) const {
  return ops::RmsNorm(ctx, x, weight_.Get(ctx), eps_);
}

Features RmsNorm::Prepare(Context& ctx, const Tensor& x, WeightKind kind) const {
  if (kind == WeightKind::kF32) return {.quantized = {}, .plain = Forward(ctx, x)};
  return {.quantized = ops::RmsNormQuantize(ctx, x, weight_.Get(ctx), eps_), .plain = {}};
}

}  // namespace tern::nn
