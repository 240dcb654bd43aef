// SPDX-License-Identifier: MIT
// Quantizers, ternary weights and BitLinear, with the straight-through estimator.
#include <fmt/core.h>

#include <array>
#include <span>

#include "tern/autograd/tape.h"
#include "tern/ops/call.h"
#include "tern/ops/gemm.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"
#include "tern/pack/scales.h"
#include "tern/pack/ternary_layout.h"

namespace tern::ops {
namespace {

using internal::Gemm;
using internal::Refuse;
using internal::Run;

// Rows of int8 with nothing in them yet.
QuantRows EmptyRows(Context& ctx, const Tensor& like, int64_t rows, int64_t k) {
  return {.q = ctx.EmptyLike(like, {rows, QuantRowStride(k)}, DType::kI8),
          .scale = ctx.EmptyLike(like, {rows}, DType::kF32),
          .sum = ctx.EmptyLike(like, {rows}, DType::kI32),
          .k = k,
          .surrogate = {}};
}

// One element that stands for [rows, k] floats.
Tensor MakeSurrogate(Context& ctx, const QuantRows& rows) {
  return ctx.EmptyLike(rows.q, {1}, DType::kF32).Broadcast({rows.rows(), rows.k});
}

void RequireRows(std::string_view op, const Tensor& x,
                 std::initializer_list<const Tensor*> operands) {
  for (const Tensor* operand : operands) {
    if (!operand->defined()) Refuse(op, operands, "an operand is undefined");
    if (operand->dtype() != DType::kF32) Refuse(op, operands, "operands must be f32");
  }
  if (x.rank() == 0) Refuse(op, operands, "rows need at least one axis");
  const int64_t k = x.dim(-1);
  if (k < 1 || k > kMaxTernaryColumns) {
    Refuse(op, operands, "the last axis must have 1 to 65536 elements");
  }
}

// x as [rows, k] with contiguous columns.
Tensor AsRows(Context& ctx, const Tensor& x) {
  const int64_t k = x.dim(-1);
  const Shape shape = {x.elements() / k, k};
  const Tensor plain = x.Detached();
  if (plain.CanReshape(shape)) {
    Tensor rows = plain.Reshaped(shape);
    if (rows.stride(1) == 1) return rows;
  }
  return Contiguous(ctx, plain).Reshaped(shape);
}

TernaryAttrs MakeAttrs(std::string_view op, const Tensor& w, DType dtype) {
  if (!w.defined() || w.dtype() != dtype || w.rank() != 2) {
    Refuse(op, {&w},
           dtype == DType::kF32 ? "weights must be f32 [n, k]" : "trits must be i8 [n, k]");
  }
  if (w.dim(1) < 1 || w.dim(1) > kMaxTernaryColumns || w.dim(0) < 1) {
    Refuse(op, {&w}, "ternary weights need n >= 1 and 1 <= k <= 65536");
  }
  return {.n = w.dim(0), .k = w.dim(1), .layout = static_cast<uint8_t>(TernaryLayout::kPanels2Bit)};
}

TernaryWeight EmptyWeight(Context& ctx, const Tensor& like, const TernaryAttrs& attrs) {
  return {.panels = ctx.EmptyLike(like, {PanelsBytes(attrs.n, attrs.k)}, DType::kU8),
          .multiplier = ctx.EmptyLike(like, {1}, DType::kF32),
          .attrs = attrs,
          .latent = {},
          .one = {}};
}

Tensor DequantizeRows(Context& ctx, const QuantRows& x) {
  Tensor y = ctx.EmptyLike(x.q, {x.rows(), x.k}, DType::kF32);
  Run(ctx, Op::kDequantizeRows, {&x.q, &x.scale}, {&y});
  return y;
}

// The weights' scales as the ops take them: [n, groups].
Tensor Scales(Context& ctx, const TernaryWeight& w) {
  if (w.has_scales()) return w.multiplier;
  return Contiguous(ctx, w.multiplier.Broadcast({w.attrs.n, 1}));
}

// Rows on a tape as the floats that they stand for.
Tensor RecordedRows(Context& ctx, const QuantRows& x) {
  Tensor rows = DequantizeRows(ctx, x);
  RecordBackward({&x.surrogate}, {&rows},
                 [](GradientPass& pass) { pass.Add(0, pass.OutputGradient()); });
  return rows;
}

// BitLinear of weights with scales.
Tensor ScaledBitLinear(Context& ctx, const QuantRows& x, const TernaryWeight& w,
                       const Tensor& bias) {
  if (w.groups() > 1) return TernaryLinear(ctx, RecordedRows(ctx, x), w, bias);
  TernaryWeight unscaled = w;
  unscaled.multiplier = w.one;
  const Tensor y = Mul(ctx, BitLinear(ctx, x, unscaled), w.multiplier.Reshaped({w.attrs.n}));
  return bias.defined() ? Add(ctx, y, bias) : y;
}

// The backward pass of BitLinear; inputs are the rows' surrogate, the latent weights, the bias.
void BitLinearGradient(GradientPass& pass, const QuantRows& x, const TernaryWeight& w) {
  Context& ctx = pass.ctx();
  const Tensor dy = Contiguous(ctx, pass.OutputGradient());
  if (pass.Needs(0)) pass.Add(0, Gemm(ctx, dy, DequantizeTernary(ctx, w), {}));
  if (pass.Needs(1)) pass.Add(1, Gemm(ctx, dy, DequantizeRows(ctx, x), {.transpose_a = true}));
  if (pass.Needs(2)) {
    const Tensor sum = ctx.EmptyLike(dy, {1, dy.dim(1)}, dy.dtype());
    Run(ctx, Op::kSumAxis, {&dy}, {&sum}, AxisAttrs{0});
    pass.Add(2, sum.Reshaped({dy.dim(1)}));
  }
}

}  // namespace

QuantRows QuantizeRows(Context& ctx, const Tensor& x) {
  RequireRows("QuantizeRows", x, {&x});
  const Tensor rows = AsRows(ctx, x);
  QuantRows out = EmptyRows(ctx, x, rows.dim(0), rows.dim(1));
  Run(ctx, Op::kQuantizeRows, {&rows}, {&out.q, &out.scale, &out.sum});
  if (x.link().tape != nullptr) {
    out.surrogate = MakeSurrogate(ctx, out);
    RecordBackward({&x}, {&out.surrogate}, [shape = x.shape()](GradientPass& pass) {
      pass.Add(0, Contiguous(pass.ctx(), pass.OutputGradient()).Reshaped(shape));
    });
  }
  return out;
}

QuantRows RmsNormQuantize(Context& ctx, const Tensor& x, const Tensor& w, double eps) {
  RequireRows("RmsNormQuantize", x, {&x, &w});
  if (w.shape() != Shape{x.dim(-1)}) Refuse("RmsNormQuantize", {&x, &w}, "the weight must be [k]");
  const Tensor rows = AsRows(ctx, x);
  QuantRows out = EmptyRows(ctx, x, rows.dim(0), rows.dim(1));
  const Tensor* inputs[] = {&rows, &w};
  const Tensor* outputs[] = {&out.q, &out.scale, &out.sum};
  const OpCall call = {
      .op = Op::kRmsNormQuantize, .inputs = inputs, .outputs = outputs, .attrs = NormAttrs{eps}};
  if (!ctx.backend(x.device()).Supports(call)) return QuantizeRows(ctx, RmsNorm(ctx, x, w, eps));
  ctx.Run(call);
  if (LinkedTape(std::initializer_list<const Tensor*>{&x, &w}) != nullptr) {
    out.surrogate = MakeSurrogate(ctx, out);
    RecordBackward({&x, &w}, {&out.surrogate},
                   [shape = x.shape(), rows, w = w.Detached(), eps](GradientPass& pass) {
                     Context& c = pass.ctx();
                     const Tensor dy = Contiguous(c, pass.OutputGradient());
                     const Tensor plain = Contiguous(c, rows);
                     const Tensor dx = c.EmptyLike(rows, rows.shape(), rows.dtype());
                     const Tensor dw = c.EmptyLike(w, w.shape(), w.dtype());
                     Run(c, Op::kRmsNormGrad, {&plain, &w, &dy}, {&dx, &dw}, NormAttrs{eps});
                     pass.Add(0, dx.Reshaped(shape));
                     pass.Add(1, dw);
                   });
  }
  return out;
}

TernaryWeight QuantizeTernary(Context& ctx, const Tensor& w, TernaryQuantizer quantizer) {
  TernaryAttrs attrs = MakeAttrs("QuantizeTernary", w, DType::kF32);
  attrs.quantizer = quantizer;
  TernaryWeight out = EmptyWeight(ctx, w, attrs);
  const Tensor plain = Contiguous(ctx, w.Detached());
  Run(ctx, Op::kQuantizeTernary, {&plain}, {&out.panels, &out.multiplier}, attrs);
  if (w.link().tape != nullptr) out.latent = w;
  return out;
}

TernaryWeight PackTernary(Context& ctx, const Tensor& trits, float multiplier) {
  const TernaryAttrs attrs = MakeAttrs("PackTernary", trits, DType::kI8);
  TernaryWeight out = EmptyWeight(ctx, trits, attrs);
  Run(ctx, Op::kFill, {}, {&out.multiplier}, ScalarAttrs{multiplier});
  const Tensor plain = Contiguous(ctx, trits);
  Run(ctx, Op::kPackTernary, {&plain}, {&out.panels}, attrs);
  return out;
}

TernaryWeight PackTernary(Context& ctx, const Tensor& trits, const Tensor& scales) {
  const TernaryAttrs attrs = MakeAttrs("PackTernary", trits, DType::kI8);
  if (!scales.defined() || scales.dtype() != DType::kF32 || scales.rank() != 2 ||
      scales.dim(0) != attrs.n || scales.dim(1) < 1 || attrs.k % scales.dim(1) != 0) {
    Refuse("PackTernary", {&trits, &scales},
           "the scales must be f32 [n, groups], groups a divisor of the columns");
  }
  const Tensor plain = Contiguous(ctx, trits);
  const Tensor own = ctx.EmptyLike(scales, scales.shape(), DType::kF32);
  CopyInto(ctx, scales, own);
  const int64_t groups = MergeScales(plain.span<int8_t>(), attrs.n, attrs.k, own.span<float>());
  if (groups == 0) return PackTernary(ctx, plain, own.span<float>()[0]);
  TernaryWeight out = PackTernary(ctx, plain, 1.0f);
  out.one = out.multiplier;
  out.multiplier = ctx.EmptyLike(scales, {attrs.n, groups}, DType::kF32);
  CopyInto(
      ctx,
      own.Reshaped({own.elements()}).Sliced(0, 0, attrs.n * groups).Reshaped({attrs.n, groups}),
      out.multiplier);
  return out;
}

TernaryWeight InLayout(Context& ctx, const TernaryWeight& w, TernaryLayout layout) {
  if (w.attrs.layout == static_cast<uint8_t>(layout)) return w;
  TernaryWeight out = w;
  out.attrs.layout = static_cast<uint8_t>(layout);
  out.panels = ctx.EmptyLike(w.panels, {PanelsBytes(w.attrs.n, w.attrs.k, layout)}, DType::kU8);
  if (layout == TernaryLayout::kPanelsBase3) {
    Run(ctx, Op::kPackBase3, {&w.panels}, {&out.panels}, w.attrs);
  } else {
    const Tensor trits = UnpackTernary(ctx, w);
    Run(ctx, Op::kPackTernary, {&trits}, {&out.panels}, out.attrs);
  }
  return out;
}

Tensor UnpackTernary(Context& ctx, const TernaryWeight& w) {
  Tensor trits = ctx.EmptyLike(w.panels, {w.attrs.n, w.attrs.k}, DType::kI8);
  Run(ctx, Op::kUnpackTernary, {&w.panels}, {&trits}, w.attrs);
  return trits;
}

Tensor DequantizeTernary(Context& ctx, const TernaryWeight& w) {
  Tensor y = ctx.EmptyLike(w.panels, {w.attrs.n, w.attrs.k}, DType::kF32);
  if (!w.has_scales()) {
    Run(ctx, Op::kDequantizeTernary, {&w.panels, &w.multiplier}, {&y}, w.attrs);
    return y;
  }
  Run(ctx, Op::kDequantizeTernary, {&w.panels, &w.one}, {&y}, w.attrs);
  const int64_t n = w.attrs.n, groups = w.groups();
  const Tensor scaled =
      Mul(ctx, y.Reshaped({n, groups, w.attrs.k / groups}), w.multiplier.Reshaped({n, groups, 1}));
  return scaled.Reshaped({n, w.attrs.k});
}

void BitLinears(Context& ctx, const QuantRows& x, std::span<const TernaryWeight* const> weights,
                std::span<Tensor> y) {
  constexpr size_t kMost = 3;
  const size_t count = weights.size();
  bool together = count > 1 && count <= kMost && y.size() == count;
  for (const TernaryWeight* w : weights) {
    together =
        together && w->attrs.k == x.k && !w->has_scales() &&
        w->attrs.layout == weights[0]->attrs.layout &&
        LinkedTape(std::initializer_list<const Tensor*>{&x.surrogate, &w->latent}) == nullptr;
  }
  std::array<const Tensor*, 3 + 2 * kMost> inputs = {&x.q, &x.scale, &x.sum};
  std::array<const Tensor*, kMost> outputs = {};
  for (size_t i = 0; i < count && together; ++i) {
    inputs[3 + 2 * i] = &weights[i]->panels;
    inputs[4 + 2 * i] = &weights[i]->multiplier;
    y[i] = ctx.EmptyLike(x.q, {x.rows(), weights[i]->attrs.n}, DType::kF32);
    outputs[i] = &y[i];
  }
  if (together) {
    const OpCall call = {.op = Op::kBitLinears,
                         .inputs = std::span(inputs).first(3 + 2 * count),
                         .outputs = std::span(outputs).first(count),
                         .attrs = weights[0]->attrs};
    if (ctx.backend(x.q.device()).Supports(call)) return ctx.Run(call);
  }
  for (size_t i = 0; i < count; ++i) y[i] = BitLinear(ctx, x, *weights[i]);
}

Tensor BitLinear(Context& ctx, const QuantRows& x, const TernaryWeight& w, const Tensor& bias) {
  if (x.k != w.attrs.k) {
    Refuse("BitLinear", {&x.q, &w.panels},
           fmt::format("the rows have {} columns and the weights [{}, {}]", x.k, w.attrs.n,
                       w.attrs.k));
  }
  if (bias.defined() && (bias.dtype() != DType::kF32 || bias.shape() != Shape{w.attrs.n})) {
    Refuse("BitLinear", {&x.q, &w.panels, &bias},
           fmt::format("the bias must be f32 [{}]", w.attrs.n));
  }
  if (w.has_scales()) return ScaledBitLinear(ctx, x, w, bias);
  Tensor y = ctx.EmptyLike(x.q, {x.rows(), w.attrs.n}, DType::kF32);
  Run(ctx, Op::kBitLinear, {&x.q, &x.scale, &x.sum, &w.panels, &w.multiplier, &bias}, {&y},
      w.attrs);
  if (LinkedTape(std::initializer_list<const Tensor*>{&x.surrogate, &w.latent, &bias}) != nullptr) {
    QuantRows rows = x;
    rows.surrogate = {};
    TernaryWeight weight = w;
    weight.latent = {};
    RecordBackward({&x.surrogate, &w.latent, &bias}, {&y},
                   [rows, weight](GradientPass& pass) { BitLinearGradient(pass, rows, weight); });
  }
  return y;
}

Tensor TernaryLinear(Context& ctx, const Tensor& x, const TernaryWeight& w, const Tensor& bias) {
  RequireRows("TernaryLinear", x, {&x});
  if (x.rank() != 2 || x.dim(1) != w.attrs.k) {
    Refuse("TernaryLinear", {&x, &w.panels},
           fmt::format("the rows must be [rows, {}] for weights [{}, {}]", w.attrs.k, w.attrs.n,
                       w.attrs.k));
  }
  const Tensor rows = Contiguous(ctx, x.Detached());
  const Tensor scales = Scales(ctx, w);
  Tensor y = ctx.EmptyLike(x, {x.dim(0), w.attrs.n}, DType::kF32);
  const Tensor* inputs[] = {&rows, &w.panels, &scales};
  const Tensor* outputs[] = {&y};
  const OpCall call = {
      .op = Op::kTernaryLinear, .inputs = inputs, .outputs = outputs, .attrs = w.attrs};
  if (!ctx.backend(x.device()).Supports(call)) {
    return Linear(ctx, x, DequantizeTernary(ctx, w), bias);
  }
  ctx.Run(call);
  TernaryWeight weight = w;
  weight.latent = {};
  RecordBackward({&x}, {&y}, [weight](GradientPass& pass) {
    const Tensor dy = Contiguous(pass.ctx(), pass.OutputGradient());
    pass.Add(0, Gemm(pass.ctx(), dy, DequantizeTernary(pass.ctx(), weight), {}));
  });
  return bias.defined() ? Add(ctx, y, bias) : y;
}

}  // namespace tern::ops
