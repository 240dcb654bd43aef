// SPDX-License-Identifier: MIT
// Matrix layers: BitLinear on ternary weights, Linear on plain ones, and Projection, which is
// either. A Projection takes Features, the rows in the form that its kind of weight multiplies, so
// that several projections of one input (q, k, v; gate, up) share them.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/nn/parameter.h"
#include "tern/pack/quant_rows.h"

namespace tern::nn {

enum class WeightKind : uint8_t { kTernary, kF32 };

// y = x W^T + bias with W ternary and x int8 (arXiv:2402.17764). Holds a master, which every
// forward pass quantizes anew (so that a step of the optimizer, and the tape, are seen), or packed
// trits.
class BitLinear {
 public:
  // master [n, k], bias [n] or undefined.
  BitLinear(Weight master, TernaryQuantizer quantizer, Weight bias = {});
  explicit BitLinear(TernaryWeight packed, Weight bias = {});

  Tensor Forward(Context& ctx, const QuantRows& x) const;  // -> [rows, n]

  bool has_master() const { return master_.defined(); }
  const Weight& master() const { return master_; }
  const Weight& bias() const { return bias_; }
  // The trits and the multiplier of the forward pass.
  TernaryWeight Ternary(Context& ctx) const;
  // The same layer, off any tape.
  BitLinear Detached() const;
  // Keeps the trits alone.
  void Pack(Context& ctx);

 private:
  Weight master_;
  Weight bias_;
  TernaryQuantizer quantizer_ = TernaryQuantizer::kAbsMean;
  TernaryWeight packed_;
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

// Rows [rows, k] as projections take them: int8 for ternary weights, f32 for plain ones.
struct Features {
  QuantRows quantized;
  Tensor plain;
};

class Projection {
 public:
  explicit Projection(BitLinear layer) : layer_(std::move(layer)) {}
  explicit Projection(Linear layer) : layer_(std::move(layer)) {}

  WeightKind kind() const { return ternary() != nullptr ? WeightKind::kTernary : WeightKind::kF32; }
  const BitLinear* ternary() const { return std::get_if<BitLinear>(&layer_); }
  const Linear* plain() const { return std::get_if<Linear>(&layer_); }

  // x [rows, k] as this layer and all of its kind take it.
  Features Prepare(Context& ctx, const Tensor& x) const;
  Tensor Forward(Context& ctx, const Features& x) const;  // -> [rows, n]

  void Pack(Context& ctx);

 private:
  std::variant<BitLinear, Linear> layer_;
};

}  // namespace tern::nn
