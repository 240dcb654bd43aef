// SPDX-License-Identifier: MIT
// Elementwise ops with broadcasting, conversions and copies.
#include "tern/autograd/tape.h"
#include "tern/ops/broadcast.h"
#include "tern/ops/call.h"
#include "tern/ops/ops.h"

namespace tern::ops {
namespace {

using internal::JointShape;
using internal::Refuse;
using internal::RequireFloats;
using internal::Run;
using internal::Spread;
using internal::SumTo;

// What a gradient rule reads of the forward pass. The tape keeps no more than that.
struct Saved {
  bool inputs;
  bool output;

  Tensor Input(const Tensor& a) const { return inputs ? a.Detached() : Tensor(); }
  Tensor Output(const Tensor& y) const { return output ? y : Tensor(); }
};
constexpr Saved kNothing = {false, false};
constexpr Saved kInputs = {true, false};
constexpr Saved kOutput = {false, true};
constexpr Saved kAll = {true, true};

// y = op(a); backward(ctx, a, y, dy) -> da.
template <typename Backward>
Tensor Unary(Context& ctx, Op op, const Tensor& a, const OpAttrs& attrs, Saved saved,
             Backward backward) {
  RequireFloats(OpName(op), {&a});
  Tensor y = ctx.EmptyLike(a, a.shape(), a.dtype());
  Run(ctx, op, {&a}, {&y}, attrs);
  if (a.link().tape != nullptr) {
    RecordBackward({&a}, {&y},
                   [backward, a = saved.Input(a), y = saved.Output(y)](GradientPass& pass) {
                     pass.Add(0, backward(pass.ctx(), a, y, pass.OutputGradient()));
                   });
  }
  return y;
}

// y = op(a, b); backward(ctx, a, b, y, dy, i) -> the gradient of operand i, before it is summed to
// the operand's shape.
template <typename Backward>
Tensor Binary(Context& ctx, Op op, const Tensor& a, const Tensor& b, Saved saved,
              Backward backward) {
  RequireFloats(OpName(op), {&a, &b});
  const Shape shape = JointShape(OpName(op), a, b);
  const Tensor wide_a = Spread(a, shape);
  const Tensor wide_b = Spread(b, shape);
  Tensor y = ctx.EmptyLike(a, shape, a.dtype());
  Run(ctx, op, {&wide_a, &wide_b}, {&y});
  if (a.link().tape != nullptr || b.link().tape != nullptr) {
    RecordBackward({&a, &b}, {&y},
                   [backward, a_shape = a.shape(), b_shape = b.shape(), a = saved.Input(a),
                    b = saved.Input(b), y = saved.Output(y)](GradientPass& pass) {
                     for (int i = 0; i < 2; ++i) {
                       if (!pass.Needs(i)) continue;
                       const Tensor wide = backward(pass.ctx(), a, b, y, pass.OutputGradient(), i);
                       pass.Add(i, SumTo(pass.ctx(), wide, i == 0 ? a_shape : b_shape));
                     }
                   });
  }
  return y;
}

// op(a, dy), which is an op of the Backend contract.
Tensor Rule(Context& ctx, Op op, const Tensor& a, const Tensor& dy) {
  Tensor da = ctx.EmptyLike(a, a.shape(), a.dtype());
  Run(ctx, op, {&a, &dy}, {&da});
  return da;
}

Tensor EqualMask(Context& ctx, const Tensor& a, const Tensor& b) {
  const Shape shape = JointShape("EqualMask", a, b);
  Tensor mask = ctx.EmptyLike(a, shape, a.dtype());
  const Tensor wide_a = Spread(a, shape);
  const Tensor wide_b = Spread(b, shape);
  Run(ctx, Op::kEqualMask, {&wide_a, &wide_b}, {&mask});
  return mask;
}

// Max and Min: all of the gradient to the operand that was taken, half to each at a tie.
Tensor ExtremumGradient(Context& ctx, const Tensor& a, const Tensor& b, const Tensor& y,
                        const Tensor& dy, int i) {
  const Tensor taken = EqualMask(ctx, i == 0 ? a : b, y);
  const Tensor share = AddScalar(ctx, MulScalar(ctx, EqualMask(ctx, a, b), -0.5), 1.0);
  return Mul(ctx, dy, Mul(ctx, taken, share));
}

}  // namespace

Tensor Add(Context& ctx, const Tensor& a, const Tensor& b) {
  return Binary(ctx, Op::kAdd, a, b, kNothing,
                [](Context&, const Tensor&, const Tensor&, const Tensor&, const Tensor& dy, int) {
                  return dy;
                });
}

Tensor Sub(Context& ctx, const Tensor& a, const Tensor& b) {
  return Binary(ctx, Op::kSub, a, b, kNothing,
                [](Context& c, const Tensor&, const Tensor&, const Tensor&, const Tensor& dy,
                   int i) { return i == 0 ? dy : Neg(c, dy); });
}

Tensor Mul(Context& ctx, const Tensor& a, const Tensor& b) {
  return Binary(ctx, Op::kMul, a, b, kInputs,
                [](Context& c, const Tensor& x, const Tensor& z, const Tensor&, const Tensor& dy,
                   int i) { return Mul(c, dy, i == 0 ? z : x); });
}

Tensor Div(Context& ctx, const Tensor& a, const Tensor& b) {
  return Binary(
      ctx, Op::kDiv, a, b, kAll,
      [](Context& c, const Tensor&, const Tensor& z, const Tensor& y, const Tensor& dy, int i) {
        const Tensor da = Div(c, dy, z);
        return i == 0 ? da : Neg(c, Mul(c, da, y));
      });
}

Tensor Max(Context& ctx, const Tensor& a, const Tensor& b) {
  return Binary(ctx, Op::kMax, a, b, kAll, ExtremumGradient);
}

Tensor Min(Context& ctx, const Tensor& a, const Tensor& b) {
  return Binary(ctx, Op::kMin, a, b, kAll, ExtremumGradient);
}

Tensor AddScalar(Context& ctx, const Tensor& a, double value) {
  return Unary(ctx, Op::kAddScalar, a, ScalarAttrs{value}, kNothing,
               [](Context&, const Tensor&, const Tensor&, const Tensor& dy) { return dy; });
}

Tensor MulScalar(Context& ctx, const Tensor& a, double value) {
  return Unary(ctx, Op::kMulScalar, a, ScalarAttrs{value}, kNothing,
               [value](Context& c, const Tensor&, const Tensor&, const Tensor& dy) {
                 return MulScalar(c, dy, value);
               });
}

Tensor Neg(Context& ctx, const Tensor& a) {
  return Unary(
      ctx, Op::kNeg, a, {}, kNothing,
      [](Context& c, const Tensor&, const Tensor&, const Tensor& dy) { return Neg(c, dy); });
}

Tensor Abs(Context& ctx, const Tensor& a) {
  return Unary(ctx, Op::kAbs, a, {}, kInputs,
               [](Context& c, const Tensor& x, const Tensor&, const Tensor& dy) {
                 const Tensor positive = Rule(c, Op::kReluGrad, x, dy);
                 return Sub(c, positive, Rule(c, Op::kReluGrad, Neg(c, x), dy));
               });
}

Tensor Exp(Context& ctx, const Tensor& a) {
  return Unary(
      ctx, Op::kExp, a, {}, kOutput,
      [](Context& c, const Tensor&, const Tensor& y, const Tensor& dy) { return Mul(c, dy, y); });
}

Tensor Log(Context& ctx, const Tensor& a) {
  return Unary(
      ctx, Op::kLog, a, {}, kInputs,
      [](Context& c, const Tensor& x, const Tensor&, const Tensor& dy) { return Div(c, dy, x); });
}

Tensor Sqrt(Context& ctx, const Tensor& a) {
  return Unary(ctx, Op::kSqrt, a, {}, kOutput,
               [](Context& c, const Tensor&, const Tensor& y, const Tensor& dy) {
                 return MulScalar(c, Div(c, dy, y), 0.5);
               });
}

Tensor Rsqrt(Context& ctx, const Tensor& a) {
  return Unary(ctx, Op::kRsqrt, a, {}, kAll,
               [](Context& c, const Tensor& x, const Tensor& y, const Tensor& dy) {
                 return MulScalar(c, Mul(c, dy, Div(c, y, x)), -0.5);
               });
}

Tensor Square(Context& ctx, const Tensor& a) {
  return Unary(ctx, Op::kSquare, a, {}, kInputs,
               [](Context& c, const Tensor& x, const Tensor&, const Tensor& dy) {
                 return MulScalar(c, Mul(c, dy, x), 2.0);
               });
}

Tensor Relu(Context& ctx, const Tensor& a) {
  return Unary(ctx, Op::kRelu, a, {}, kInputs,
               [](Context& c, const Tensor& x, const Tensor&, const Tensor& dy) {
                 return Rule(c, Op::kReluGrad, x, dy);
               });
}

Tensor Relu2(Context& ctx, const Tensor& a) {
  return Unary(ctx, Op::kRelu2, a, {}, kInputs,
               [](Context& c, const Tensor& x, const Tensor&, const Tensor& dy) {
                 return Rule(c, Op::kRelu2Grad, x, dy);
               });
}

Tensor Silu(Context& ctx, const Tensor& a) {
  return Unary(ctx, Op::kSilu, a, {}, kInputs,
               [](Context& c, const Tensor& x, const Tensor&, const Tensor& dy) {
                 return Rule(c, Op::kSiluGrad, x, dy);
               });
}

Tensor Sigmoid(Context& ctx, const Tensor& a) {
  return Unary(ctx, Op::kSigmoid, a, {}, kOutput,
               [](Context& c, const Tensor&, const Tensor& y, const Tensor& dy) {
                 return Rule(c, Op::kSigmoidGrad, y, dy);
               });
}

Tensor Cast(Context& ctx, const Tensor& a, DType dtype) {
  if (!a.defined()) Refuse("Cast", {&a}, "the operand is undefined");
  if (a.dtype() == dtype) return a;
  Tensor y = ctx.EmptyLike(a, a.shape(), dtype);
  Run(ctx, Op::kCopy, {&a}, {&y});
  if (IsFloat(dtype)) {
    RecordBackward({&a}, {&y}, [from = a.dtype()](GradientPass& pass) {
      pass.Add(0, Cast(pass.ctx(), pass.OutputGradient(), from));
    });
  }
  return y;
}

Tensor RoundTo(Context& ctx, const Tensor& a, DType dtype) {
  RequireFloats("RoundTo", {&a});
  if (!IsFloat(dtype)) Refuse("RoundTo", {&a}, "the type to round to must be a float");
  if (a.dtype() == dtype) return a;
  const Tensor narrow = Cast(ctx, a.Detached(), dtype);
  Tensor y = ctx.EmptyLike(a, a.shape(), a.dtype());
  Run(ctx, Op::kCopy, {&narrow}, {&y});
  RecordBackward({&a}, {&y}, [](GradientPass& pass) { pass.Add(0, pass.OutputGradient()); });
  return y;
}

Tensor Contiguous(Context& ctx, const Tensor& a) {
  if (!a.defined()) Refuse("Contiguous", {&a}, "the operand is undefined");
  if (a.is_contiguous()) return a;
  Tensor y = ctx.EmptyLike(a, a.shape(), a.dtype());
  Run(ctx, Op::kCopy, {&a}, {&y});
  RecordBackward({&a}, {&y}, [](GradientPass& pass) { pass.Add(0, pass.OutputGradient()); });
  return y;
}

void CopyInto(Context& ctx, const Tensor& a, const Tensor& target) {
  if (!a.defined() || !target.defined()) {
    Refuse("CopyInto", {&a, &target}, "an operand is undefined");
  }
  if (!(JointShape("CopyInto", a, target) == target.shape())) {
    Refuse("CopyInto", {&a, &target}, "the source does not broadcast to the target");
  }
  const Tensor wide = Spread(a, target.shape());
  Run(ctx, Op::kCopy, {&wide}, {&target});
}

Tensor Full(Context& ctx, const Shape& shape, DType dtype, double value) {
  Tensor y = ctx.Empty(shape, dtype);
  Run(ctx, Op::kFill, {}, {&y}, ScalarAttrs{value});
  return y;
}

}  // namespace tern::ops
