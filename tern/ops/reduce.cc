// SPDX-License-Identifier: MIT
// Reductions.
#include "tern/autograd/tape.h"
#include "tern/ops/broadcast.h"
#include "tern/ops/call.h"
#include "tern/ops/ops.h"

namespace tern::ops {
namespace {

using internal::Refuse;
using internal::RequireAxis;
using internal::RequireFloats;
using internal::Run;

// y [..., 1, ...] and its shape without the axis, unless that is kept.
Tensor Finish(const Tensor& y, int axis, bool keep_axis) {
  return keep_axis ? y : y.Reshaped(y.shape().Without(axis));
}

}  // namespace

Tensor Sum(Context& ctx, const Tensor& a, int axis, bool keep_axis) {
  RequireFloats("Sum", {&a});
  const int at = RequireAxis("Sum", a, axis);
  const Shape kept = a.shape().With(at, 1);
  const Tensor sum = ctx.EmptyLike(a, kept, a.dtype());
  if (a.dim(at) == 0) {
    Run(ctx, Op::kFill, {}, {&sum}, ScalarAttrs{0});
  } else {
    Run(ctx, Op::kSumAxis, {&a}, {&sum}, AxisAttrs{at});
  }
  Tensor y = Finish(sum, at, keep_axis);
  RecordBackward({&a}, {&y}, [kept, shape = a.shape()](GradientPass& pass) {
    pass.Add(0, pass.OutputGradient().Reshaped(kept).Broadcast(shape));
  });
  return y;
}

Tensor Mean(Context& ctx, const Tensor& a, int axis, bool keep_axis) {
  RequireFloats("Mean", {&a});
  const int64_t extent = a.dim(RequireAxis("Mean", a, axis));
  if (extent == 0) Refuse("Mean", {&a}, "there is no mean of no elements");
  return MulScalar(ctx, Sum(ctx, a, axis, keep_axis), 1.0 / static_cast<double>(extent));
}

Tensor MaxOver(Context& ctx, const Tensor& a, int axis, bool keep_axis) {
  RequireFloats("MaxOver", {&a});
  const int at = RequireAxis("MaxOver", a, axis);
  if (a.dim(at) == 0) Refuse("MaxOver", {&a}, "there is no maximum of no elements");
  const Tensor maximum = ctx.EmptyLike(a, a.shape().With(at, 1), a.dtype());
  Run(ctx, Op::kMaxAxis, {&a}, {&maximum}, AxisAttrs{at});
  Tensor y = Finish(maximum, at, keep_axis);
  RecordBackward({&a}, {&y}, [a = a.Detached(), maximum, at](GradientPass& pass) {
    Context& c = pass.ctx();
    const Tensor wide = maximum.Broadcast(a.shape());
    const Tensor mask = c.EmptyLike(a, a.shape(), a.dtype());
    Run(c, Op::kEqualMask, {&a, &wide}, {&mask});
    const Tensor dy = pass.OutputGradient().Reshaped(maximum.shape());
    pass.Add(0, Mul(c, mask, Div(c, dy, Sum(c, mask, at, /*keep_axis=*/true))));
  });
  return y;
}

Tensor SumAll(Context& ctx, const Tensor& a) {
  RequireFloats("SumAll", {&a});
  return Sum(ctx, Reshape(ctx, a, {a.elements()}), 0, /*keep_axis=*/true);
}

Tensor MeanAll(Context& ctx, const Tensor& a) {
  RequireFloats("MeanAll", {&a});
  return Mean(ctx, Reshape(ctx, a, {a.elements()}), 0, /*keep_axis=*/true);
}

}  // namespace tern::ops
