// SPDX-License-Identifier: MIT
// Matrix products: forward in canonical float, gradients with Gemm.
#include "tern/autograd/tape.h"
#include "tern/base/error.h"
#include "tern/ops/broadcast.h"
#include "tern/ops/call.h"
#include "tern/ops/gemm.h"
#include "tern/ops/ops.h"

namespace tern::ops {
namespace internal {

Tensor Gemm(Context& ctx, const Tensor& a, const Tensor& b, const GemmAttrs& attrs) {
  const auto batch = [](const Tensor& t) {
    return t.rank() == 3 ? t.Detached() : t.Detached().Reshaped(t.shape().Inserted(0, 1));
  };
  const int64_t m = a.dim(attrs.transpose_a ? -1 : -2);
  const int64_t n = b.dim(attrs.transpose_b ? -2 : -1);
  const Tensor a3 = batch(a), b3 = batch(b);
  const Tensor y = ctx.EmptyLike(a, {a3.dim(0), m, n}, a.dtype());
  Run(ctx, Op::kGemm, {&a3, &b3}, {&y}, attrs);
  return a.rank() == 3 ? y : y.Reshaped({m, n});
}

}  // namespace internal

namespace {

using internal::Gemm;
using internal::Refuse;
using internal::RequireFloats;
using internal::Run;
using internal::Spread;
using internal::SumTo;

Shape WithMatrix(const Shape& lead, int64_t rows, int64_t columns) {
  return lead.Inserted(lead.rank(), rows).Inserted(lead.rank() + 1, columns);
}

Shape LeadOf(const Tensor& t) { return t.shape().Without(-1).Without(-1); }

// t, broadcast to the leading axes, with all of them joined to one.
Tensor AsBatch(Context& ctx, const Tensor& t, const Shape& lead) {
  const Tensor spread = Spread(t, WithMatrix(lead, t.dim(-2), t.dim(-1)));
  const Shape shape = {lead.elements(), t.dim(-2), t.dim(-1)};
  return spread.CanReshape(shape) ? spread.Reshaped(shape)
                                  : Contiguous(ctx, spread).Reshaped(shape);
}

Tensor SumRows(Context& ctx, const Tensor& a) {
  const Tensor sum = ctx.EmptyLike(a, {1, a.dim(1)}, a.dtype());
  Run(ctx, Op::kSumAxis, {&a}, {&sum}, AxisAttrs{0});
  return sum.Reshaped({a.dim(1)});
}

void CheckLinear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  if (bias.defined()) {
    RequireFloats("Linear", {&x, &bias});
  } else {
    RequireFloats("Linear", {&x});
  }
  const bool half = w.defined() && (w.dtype() == DType::kBF16 || w.dtype() == DType::kF16);
  if (!(half && x.dtype() == DType::kF32)) RequireFloats("Linear", {&x, &w});
  if (x.rank() == 0 || w.rank() != 2 || x.dim(-1) != w.dim(1)) {
    Refuse("Linear", {&x, &w, &bias}, "operands must be [..., k] and [n, k]");
  }
  if (bias.defined() && bias.shape() != Shape{w.dim(0)}) {
    Refuse("Linear", {&x, &w, &bias}, "the bias must be [n]");
  }
}

}  // namespace

Tensor MatMul(Context& ctx, const Tensor& a, const Tensor& b) {
  RequireFloats("MatMul", {&a, &b});
  if (a.rank() < 2 || b.rank() < 2 || a.dim(-1) != b.dim(-2)) {
    Refuse("MatMul", {&a, &b}, "operands must be [..., m, k] and [..., k, n]");
  }
  Shape lead = LeadOf(a);
  if (lead != LeadOf(b)) {
    try {
      lead = BroadcastShapes(lead, LeadOf(b));
    } catch (const Error&) {
      Refuse("MatMul", {&a, &b}, "the leading axes do not broadcast");
    }
  }
  const Tensor a3 = AsBatch(ctx, a, lead);
  const Tensor b3 = AsBatch(ctx, b, lead);
  Tensor y = ctx.EmptyLike(a, WithMatrix(lead, a.dim(-2), b.dim(-1)), a.dtype());
  const Tensor y3 = y.Reshaped({lead.elements(), a.dim(-2), b.dim(-1)});
  Run(ctx, Op::kMatMul, {&a3, &b3}, {&y3});
  RecordBackward(
      {&a, &b}, {&y}, [a3, b3, a_shape = a.shape(), b_shape = b.shape(), lead](GradientPass& pass) {
        Context& c = pass.ctx();
        const Tensor dy =
            Contiguous(c, pass.OutputGradient()).Reshaped({a3.dim(0), a3.dim(1), b3.dim(2)});
        if (pass.Needs(0)) {
          const Tensor da = Gemm(c, dy, b3, {.transpose_b = true});
          pass.Add(0, SumTo(c, da.Reshaped(WithMatrix(lead, da.dim(1), da.dim(2))), a_shape));
        }
        if (pass.Needs(1)) {
          const Tensor db = Gemm(c, a3, dy, {.transpose_a = true});
          pass.Add(1, SumTo(c, db.Reshaped(WithMatrix(lead, db.dim(1), db.dim(2))), b_shape));
        }
      });
  return y;
}

Tensor Linear(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias) {
  CheckLinear(x, w, bias);
  const int64_t k = w.dim(1);
  int64_t rows = 1;
  for (int axis = 0; axis < x.rank() - 1; ++axis) rows *= x.dim(axis);
  const Tensor x2 = Contiguous(ctx, x.Detached()).Reshaped({rows, k});
  const Tensor w2 = Contiguous(ctx, w.Detached());
  const Tensor bias1 = bias.defined() ? Contiguous(ctx, bias.Detached()) : bias;
  Tensor y = ctx.EmptyLike(x, x.shape().With(-1, w.dim(0)), x.dtype());
  const Tensor y2 = y.Reshaped({rows, w.dim(0)});
  Run(ctx, Op::kLinear, {&x2, &w2, &bias1}, {&y2});
  RecordBackward({&x, &w, &bias}, {&y}, [x2, w2, shape = x.shape()](GradientPass& pass) {
    Context& c = pass.ctx();
    const Tensor dy = Contiguous(c, pass.OutputGradient()).Reshaped({x2.dim(0), w2.dim(0)});
    if (pass.Needs(0)) pass.Add(0, Gemm(c, dy, Cast(c, w2, dy.dtype())).Reshaped(shape));
    if (pass.Needs(1)) pass.Add(1, Gemm(c, dy, x2, {.transpose_a = true}));
    if (pass.Needs(2)) pass.Add(2, SumRows(c, dy));
  });
  return y;
}

}  // namespace tern::ops
