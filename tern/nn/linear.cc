// SPDX-License-Identifier: MIT
#include "tern/nn/linear.h"

#include <array>
#include <utility>

#include "tern/base/check.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"

namespace tern::nn {

BitLinear::BitLinear(Weight master, TernaryQuantizer quantizer, Weight bias)
    : master_(std::move(master)), bias_(std::move(bias)), quantizer_(quantizer) {
  TERN_CHECK(master_.defined());
}

BitLinear::BitLinear(TernaryWeight packed, Weight bias, ActivationKind activations)
    : bias_(std::move(bias)), packed_(std::move(packed)), activations_(activations) {
  TERN_CHECK(packed_.panels.defined());
}

TernaryWeight BitLinear::Ternary(Context& ctx) const {
  if (!has_master()) return packed_;
  return ops::QuantizeTernary(ctx, master_.Get(ctx), quantizer_);
}

Tensor BitLinear::Forward(Context& ctx, const QuantRows& x) const {
  return ops::BitLinear(ctx, x, Ternary(ctx), bias_.Get(ctx));
}

Tensor BitLinear::Forward(Context& ctx, const Features& x) const {
  if (activations_ == ActivationKind::kInt8) return Forward(ctx, x.quantized);
  return ops::TernaryLinear(ctx, x.plain, Ternary(ctx), bias_.Get(ctx));
}

BitLinear BitLinear::Detached() const {
  BitLinear copy = *this;
  copy.master_ = master_.Detached();
  copy.bias_ = bias_.Detached();
  return copy;
}

void BitLinear::Pack(Context& ctx, TernaryLayout layout) {
  packed_ = ops::InLayout(ctx, Ternary(ctx), layout);
  master_ = {};
  bias_.Freeze(ctx);
}

Linear::Linear(Weight weight, Weight bias) : weight_(std::move(weight)), bias_(std::move(bias)) {
  TERN_CHECK(weight_.defined());
}

Tensor Linear::Forward(Context& ctx, const Tensor& x) const {
  return ops::Linear(ctx, x, weight_.Get(ctx), bias_.Get(ctx));
}

void Linear::Freeze(Context& ctx) {
  weight_.Freeze(ctx);
  bias_.Freeze(ctx);
}

Features Projection::Prepare(Context& ctx, const Tensor& x) const {
  if (takes() == ActivationKind::kFloat) return {.quantized = {}, .plain = x};
  return {.quantized = ops::QuantizeRows(ctx, x), .plain = {}};
}

Tensor Projection::Forward(Context& ctx, const Features& x) const {
  const Features rows = norm_ ? norm_->Prepare(ctx, x.plain, multiplies()) : x;
  if (const BitLinear* layer = ternary()) return layer->Forward(ctx, rows);
  return plain()->Forward(ctx, rows.plain);
}

void Projection::Forward(Context& ctx, std::span<const Projection* const> projections,
                         const Features& x, std::span<Tensor> y) {
  std::array<const TernaryWeight*, 3> weights = {};
  bool together = projections.size() <= weights.size();
  for (size_t i = 0; i < projections.size() && together; ++i) {
    const Projection& one = *projections[i];
    const BitLinear* layer = one.ternary();
    together = layer != nullptr && !one.norm_ && layer->packed() != nullptr &&
               layer->activations() == ActivationKind::kInt8 && !layer->bias().defined();
    if (together) weights[i] = layer->packed();
  }
  if (together) {
    return ops::BitLinears(ctx, x.quantized, std::span(weights).first(projections.size()), y);
  }
  for (size_t i = 0; i < projections.size(); ++i) y[i] = projections[i]->Forward(ctx, x);
}

void Projection::Pack(Context& ctx, TernaryLayout layout) {
  if (BitLinear* layer = std::get_if<BitLinear>(&layer_)) {
    layer->Pack(ctx, layout);
  } else {
    std::get<Linear>(layer_).Freeze(ctx);
  }
  if (norm_) norm_->Freeze(ctx);
}

}  // namespace tern::nn
