// SPDX-License-Identifier: MIT
// Ops on tensors: they check shapes and dtypes, compute on the device of their operands, and record
// a gradient rule when an operand is linked to a tape. One entry for training and for running.
//
// Float ops take f32 or f64 (gradient checks), all operands alike. Wrong operands are an
// Error(kInvalidArgument) that names the op and the shapes. Unless said otherwise the result is a
// new contiguous tensor.
#pragma once

#include <span>

#include "tern/core/context.h"
#include "tern/core/tensor.h"

namespace tern::ops {

// Elementwise; shapes broadcast by NumPy's rule. Gradient of Max and Min at a tie: halves.
Tensor Add(Context& ctx, const Tensor& a, const Tensor& b);
Tensor Sub(Context& ctx, const Tensor& a, const Tensor& b);
Tensor Mul(Context& ctx, const Tensor& a, const Tensor& b);
Tensor Div(Context& ctx, const Tensor& a, const Tensor& b);
Tensor Max(Context& ctx, const Tensor& a, const Tensor& b);
Tensor Min(Context& ctx, const Tensor& a, const Tensor& b);
Tensor AddScalar(Context& ctx, const Tensor& a, double value);
Tensor MulScalar(Context& ctx, const Tensor& a, double value);
Tensor Neg(Context& ctx, const Tensor& a);
Tensor Abs(Context& ctx, const Tensor& a);
Tensor Exp(Context& ctx, const Tensor& a);
Tensor Log(Context& ctx, const Tensor& a);
Tensor Sqrt(Context& ctx, const Tensor& a);
Tensor Rsqrt(Context& ctx, const Tensor& a);
Tensor Square(Context& ctx, const Tensor& a);
Tensor Relu(Context& ctx, const Tensor& a);
Tensor Relu2(Context& ctx, const Tensor& a);
Tensor Silu(Context& ctx, const Tensor& a);
Tensor Sigmoid(Context& ctx, const Tensor& a);

// Converts elements, rounding to nearest even. The gradient is converted back.
Tensor Cast(Context& ctx, const Tensor& a, DType dtype);
// The elements as a narrower float type holds them, in a's own; `a` itself when that is its type.
// The gradient passes unchanged (straight through).
Tensor RoundTo(Context& ctx, const Tensor& a, DType dtype);
// `a` itself when it is contiguous, else a copy.
Tensor Contiguous(Context& ctx, const Tensor& a);
// Writes `a` (broadcast, converted) into the elements of `target`; not recorded.
void CopyInto(Context& ctx, const Tensor& a, const Tensor& target);
Tensor Full(Context& ctx, const Shape& shape, DType dtype, double value);

// Reductions over one axis, kept as extent 1 or removed.
Tensor Sum(Context& ctx, const Tensor& a, int axis, bool keep_axis = false);
Tensor Mean(Context& ctx, const Tensor& a, int axis, bool keep_axis = false);
// The gradient goes to the equal maxima in equal parts.
Tensor MaxOver(Context& ctx, const Tensor& a, int axis, bool keep_axis = false);
// Over all elements; the result has shape [1].
Tensor SumAll(Context& ctx, const Tensor& a);
Tensor MeanAll(Context& ctx, const Tensor& a);

Tensor Softmax(Context& ctx, const Tensor& a);  // over the last axis

// a [..., m, k] times b [..., k, n]; leading axes broadcast.
Tensor MatMul(Context& ctx, const Tensor& a, const Tensor& b);
// x [..., k] times w [n, k] transposed, plus bias [n] unless it is undefined -> [..., n].
Tensor Linear(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias = {});

// What ScreenedLinear reads of w [n, k] (f32, bf16 or f16): its elements in 8 bits, and for each
// row its scale (element = (code - 128) / scale), the norm of what the codes say, and that of what
// they miss.
struct Screen {
  Tensor codes;  // u8 [n, k padded]
  Tensor rows;   // f32 [n, 3]
};
Screen PackScreen(Context& ctx, const Tensor& w);
// Linear of one row x f32 [1, k], in half the time: the products that may be among the `top`
// largest are Linear's, bit for bit, the others may be -infinity. Records no gradient.
Tensor ScreenedLinear(Context& ctx, const Tensor& x, const Tensor& w, const Screen& screen,
                      int64_t top);

// Views that share elements; their gradients are recorded. Reshape copies where it must.
Tensor Reshape(Context& ctx, const Tensor& a, const Shape& shape);
Tensor Transpose(Context& ctx, const Tensor& a, int axis_a, int axis_b);
Tensor Slice(Context& ctx, const Tensor& a, int axis, int64_t begin, int64_t end, int64_t step = 1);
Tensor Broadcast(Context& ctx, const Tensor& a, const Shape& shape);
Tensor Concat(Context& ctx, std::span<const Tensor> parts, int axis);

// Rows of table [rows, d] (f32, f64; bf16 and f16 give f32 and take no gradient) by ids i32 [...]
// -> [..., d]. An id outside [0, rows) is an Error.
Tensor Gather(Context& ctx, const Tensor& table, const Tensor& ids);

// Per-row losses [rows] of logits [rows, n] against targets i32 [rows]: -log
// softmax(logits)[target]; 0 where the target is ignore_index. Other targets outside [0, n) are an
// Error.
Tensor CrossEntropy(Context& ctx, const Tensor& logits, const Tensor& targets,
                    int32_t ignore_index = -1);

}  // namespace tern::ops
