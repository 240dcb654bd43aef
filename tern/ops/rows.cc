// SPDX-License-Identifier: MIT
// Ops on rows: norms, softmax, cross-entropy, gather.
#include "tern/autograd/tape.h"
#include "tern/ops/call.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"

namespace tern::ops {
namespace {

using internal::Refuse;
using internal::RequireFloats;
using internal::Run;

}  // namespace

Tensor RmsNorm(Context& ctx, const Tensor& x, const Tensor& w, double eps) {
  RequireFloats("RmsNorm", {&x, &w});
  if (x.rank() < 1 || w.rank() != 1 || w.dim(0) != x.dim(-1)) {
    Refuse("RmsNorm", {&x, &w}, "the weights must be [n] for rows [..., n]");
  }
  const NormAttrs attrs = {eps};
  const Tensor rows = Contiguous(ctx, x.Detached());
  const Tensor weights = Contiguous(ctx, w.Detached());
  Tensor y = ctx.EmptyLike(x, x.shape(), x.dtype());
  Run(ctx, Op::kRmsNorm, {&rows, &weights}, {&y}, attrs);
  RecordBackward({&x, &w}, {&y}, [rows, weights, attrs](GradientPass& pass) {
    Context& c = pass.ctx();
    Tensor dx = c.EmptyLike(rows, rows.shape(), rows.dtype());
    Tensor dw = c.EmptyLike(weights, weights.shape(), weights.dtype());
    Run(c, Op::kRmsNormGrad, {&rows, &weights, &pass.OutputGradient()}, {&dx, &dw}, attrs);
    pass.Add(0, std::move(dx));
    pass.Add(1, std::move(dw));
  });
  return y;
}

Tensor Softmax(Context& ctx, const Tensor& a) {
  RequireFloats("Softmax", {&a});
  if (a.rank() < 1) Refuse("Softmax", {&a}, "the operand has no axis");
  const Tensor rows = Contiguous(ctx, a.Detached());
  Tensor y = ctx.EmptyLike(a, a.shape(), a.dtype());
  Run(ctx, Op::kSoftmax, {&rows}, {&y});
  const Tensor result = y;
  RecordBackward({&a}, {&y}, [y = result](GradientPass& pass) {
    Tensor da = pass.ctx().EmptyLike(y, y.shape(), y.dtype());
    Run(pass.ctx(), Op::kSoftmaxGrad, {&y, &pass.OutputGradient()}, {&da});
    pass.Add(0, std::move(da));
  });
  return y;
}

Tensor CrossEntropy(Context& ctx, const Tensor& logits, const Tensor& targets,
                    int32_t ignore_index) {
  RequireFloats("CrossEntropy", {&logits});
  if (!targets.defined() || logits.rank() != 2 || targets.dtype() != DType::kI32 ||
      !(targets.shape() == Shape{logits.dim(0)})) {
    Refuse("CrossEntropy", {&logits, &targets}, "expected logits [rows, n] and targets i32 [rows]");
  }
  const LossAttrs attrs = {.scale = 1, .ignore_index = ignore_index};
  const Tensor rows = Contiguous(ctx, logits.Detached());
  const Tensor ids = Contiguous(ctx, targets);
  Tensor loss = ctx.EmptyLike(logits, targets.shape(), logits.dtype());
  Run(ctx, Op::kCrossEntropy, {&rows, &ids}, {&loss}, attrs);
  RecordBackward({&logits}, {&loss}, [rows, ids, attrs](GradientPass& pass) {
    Tensor dlogits = pass.ctx().EmptyLike(rows, rows.shape(), rows.dtype());
    Run(pass.ctx(), Op::kCrossEntropyGrad, {&rows, &ids, &pass.OutputGradient()}, {&dlogits},
        attrs);
    pass.Add(0, std::move(dlogits));
  });
  return loss;
}

Tensor Gather(Context& ctx, const Tensor& table, const Tensor& ids) {
  if (!table.defined() || !ids.defined()) Refuse("Gather", {&table, &ids}, "undefined operand");
  if (table.rank() != 2 || !IsFloat(table.dtype()) || ids.dtype() != DType::kI32) {
    Refuse("Gather", {&table, &ids}, "expected a table [rows, d] of floats and ids i32");
  }
  if (ids.rank() == Shape::kMaxRank) Refuse("Gather", {&table, &ids}, "the ids have too many axes");
  const DType dtype = table.dtype() == DType::kF64 ? DType::kF64 : DType::kF32;
  const int64_t d = table.dim(1);
  const Tensor rows = Contiguous(ctx, table.Detached());
  const Tensor flat = Contiguous(ctx, ids).Reshaped({ids.elements()});
  const Tensor taken = ctx.EmptyLike(table, {ids.elements(), d}, dtype);
  Run(ctx, Op::kGather, {&rows, &flat}, {&taken});
  Tensor y = taken.Reshaped(ids.shape().Inserted(ids.rank(), d));
  RecordBackward({&table}, {&y}, [shape = table.shape(), flat, d](GradientPass& pass) {
    const Tensor& dy = pass.OutputGradient();
    Tensor gradient = pass.ctx().EmptyLike(dy, shape, dy.dtype());
    Run(pass.ctx(), Op::kFill, {}, {&gradient}, ScalarAttrs{0});
    const Tensor dy_rows = dy.Reshaped({flat.elements(), d});
    Run(pass.ctx(), Op::kScatterAdd, {&dy_rows, &flat}, {&gradient});
    pass.Add(0, std::move(gradient));
  });
  return y;
}

}  // namespace tern::ops
