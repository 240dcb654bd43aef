// SPDX-License-Identifier: MIT
// Matrix layers: BitLinear on ternary weights, Linear on plain ones, and Projection, which is
// either, perhaps with a norm of its own in front. A Projection takes Features, the rows in the
// form that it multiplies, so that several projections of one input (q, k, v; gate, up) share them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/nn/features.h"
#include "tern/nn/norm.h"
#include "tern/nn/parameter.h"
#include "tern/pack/ternary_layout.h"

namespace tern::nn {

enum class WeightKind : uint8_t { kTernary, kF32 };

// y = x W^T + bias with W ternary and x int8 (arXiv:2402.17764), or float with packed trits. Holds
// a master, which every forward pass quantizes anew (so that a step of the optimizer, and the tape,
// are seen), or packed trits.
class BitLinear {
 public:
  // master [n, k], bias [n] or undefined.
  BitLinear(Weight master, TernaryQuantizer quantizer, Weight bias = {});
  explicit BitLinear(TernaryWeight packed, Weight bias = {},
                     ActivationKind activations = ActivationKind::kInt8);

  Tensor Forward(Context& ctx, const QuantRows& x) const;  // -> [rows, n]
  Tensor Forward(Context& ctx, const Features& x) const;   // of the kind that activations() says

  ActivationKind activations() const { return activations_; }

  bool has_master() const { return master_.defined(); }
  int64_t elements() const {
    return has_master() ? master_.value().elements() : packed_.attrs.n * packed_.attrs.k;
  }
  const TernaryWeight* packed() const { return has_master() ? nullptr : &packed_; }
  const Weight& master() const { return master_; }
  const Weight& bias() const { return bias_; }
  // The trits and the multiplier of the forward pass.
  TernaryWeight Ternary(Context& ctx) const;
  // The same layer, off any tape.
  BitLinear Detached() const;
  // Keeps the trits alone, in that layout.
  void Pack(Context& ctx, TernaryLayout layout = TernaryLayout::kPanels2Bit);

 private:
  Weight master_;
  Weight bias_;
  TernaryQuantizer quantizer_ = TernaryQuantizer::kAbsMean;
  TernaryWeight packed_;
  ActivationKind activations_ = ActivationKind::kInt8;
};

// y = x W^T + bias in float; weight [n, k], bias [n] or undefined.
class Linear {
 public:
  explicit Linear(Weight weight, Weight bias = {});

  Tensor Forward(Context& ctx, const Tensor& x) const;  // [rows, k] -> [rows, n]

  const Weight& weight() const { return weight_; }
  const Weight& bias() const { return bias_; }
  void Freeze(Context& ctx);

 private:
  Weight weight_;
  Weight bias_;
};

class Projection {
 public:
  explicit Projection(BitLinear layer) : layer_(std::move(layer)) {}
  explicit Projection(Linear layer) : layer_(std::move(layer)) {}

  // Norms the rows that come, which are float then.
  void SetNorm(RmsNorm norm) { norm_ = std::move(norm); }
  const std::optional<RmsNorm>& norm() const { return norm_; }

  // The kind of rows that Forward() takes.
  ActivationKind takes() const { return norm_ ? ActivationKind::kFloat : multiplies(); }
  const BitLinear* ternary() const { return std::get_if<BitLinear>(&layer_); }
  const Linear* plain() const { return std::get_if<Linear>(&layer_); }

  // x [rows, k] as this layer and all that take the same kind do.
  Features Prepare(Context& ctx, const Tensor& x) const;
  Tensor Forward(Context& ctx, const Features& x) const;  // -> [rows, n]

  void Pack(Context& ctx, TernaryLayout layout);

  // y[i] = projections[i]->Forward(ctx, x) of up to three on one input, in one op where it can be.
  static void Forward(Context& ctx, std::span<const Projection* const> projections,
                      const Features& x, std::span<Tensor> y);

 private:
  ActivationKind multiplies() const {
    return ternary() != nullptr ? ternary()->activations() : ActivationKind::kFloat;
  }

  std::variant<BitLinear, Linear> layer_;
  std::optional<RmsNorm> norm_;
};

}  // namespace tern::nn
