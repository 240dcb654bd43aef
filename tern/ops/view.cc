// SPDX-License-Identifier: MIT
// Views that share elements, and Concat.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "tern/autograd/tape.h"
#include "tern/base/error.h"
#include "tern/ops/broadcast.h"
#include "tern/ops/call.h"
#include "tern/ops/ops.h"

namespace tern::ops {
namespace {

using internal::Refuse;
using internal::RequireAxis;
using internal::SumTo;

void RequireDefined(std::string_view op, const Tensor& a) {
  if (!a.defined()) Refuse(op, {&a}, "the operand is undefined");
}

// Of `shape`, zero but for `part`, which View() gives the place of.
template <typename View>
Tensor ZerosAround(Context& ctx, const Tensor& part, const Shape& shape, View view) {
  Tensor whole = ctx.EmptyLike(part, shape, part.dtype());
  internal::Run(ctx, Op::kFill, {}, {&whole}, ScalarAttrs{0});
  CopyInto(ctx, part, view(whole));
  return whole;
}

Tensor ConcatGroup(Context& ctx, std::span<const Tensor> parts, int axis) {
  int64_t extent = 0;
  for (const Tensor& part : parts) extent += part.dim(axis);
  const Tensor& first = parts.front();
  Tensor y = ctx.EmptyLike(first, first.shape().With(axis, extent), first.dtype());
  const Tensor* inputs[Tape::kMaxOperands] = {};
  int64_t extents[Tape::kMaxOperands] = {};
  int64_t at = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    inputs[i] = &parts[i];
    extents[i] = parts[i].dim(axis);
    CopyInto(ctx, parts[i], y.Sliced(axis, at, at + extents[i]));
    at += extents[i];
  }
  const std::span<const Tensor* const> operands(inputs, parts.size());
  if (Tape* tape = LinkedTape(operands)) {
    Tensor* outputs[] = {&y};
    tape->Record(operands, outputs,
                 [axis, count = parts.size(), sizes = std::to_array(extents)](GradientPass& pass) {
                   int64_t begin = 0;
                   for (size_t i = 0; i < count; ++i) {
                     const int64_t end = begin + sizes[i];
                     pass.Add(static_cast<int>(i), pass.OutputGradient().Sliced(axis, begin, end));
                     begin = end;
                   }
                 });
  }
  return y;
}

}  // namespace

Tensor Reshape(Context& ctx, const Tensor& a, const Shape& shape) {
  RequireDefined("Reshape", a);
  if (shape.elements() != a.elements()) {
    Refuse("Reshape", {&a}, "to " + shape.ToString() + " changes the number of elements");
  }
  const Tensor plain = a.Detached();
  Tensor y = (plain.CanReshape(shape) ? plain : Contiguous(ctx, plain)).Reshaped(shape);
  RecordBackward({&a}, {&y}, [from = a.shape()](GradientPass& pass) {
    pass.Add(0, pass.OutputGradient().Reshaped(from));
  });
  return y;
}

Tensor Transpose(Context&, const Tensor& a, int axis_a, int axis_b) {
  RequireDefined("Transpose", a);
  const int from = RequireAxis("Transpose", a, axis_a);
  const int to = RequireAxis("Transpose", a, axis_b);
  Tensor y = a.Detached().Transposed(from, to);
  RecordBackward({&a}, {&y}, [from, to](GradientPass& pass) {
    pass.Add(0, pass.OutputGradient().Transposed(from, to));
  });
  return y;
}

Tensor Slice(Context&, const Tensor& a, int axis, int64_t begin, int64_t end, int64_t step) {
  RequireDefined("Slice", a);
  const int at = RequireAxis("Slice", a, axis);
  if (begin < 0 || end < begin || end > a.dim(at) || step < 1) {
    Refuse("Slice", {&a},
           fmt::format("[{}, {}) by {} is no range of axis {}", begin, end, step, at));
  }
  Tensor y = a.Detached().Sliced(at, begin, end, step);
  RecordBackward({&a}, {&y}, [at, begin, end, step, from = a.shape()](GradientPass& pass) {
    pass.Add(0, ZerosAround(pass.ctx(), pass.OutputGradient(), from, [&](const Tensor& whole) {
               return whole.Sliced(at, begin, end, step);
             }));
  });
  return y;
}

Tensor Broadcast(Context&, const Tensor& a, const Shape& shape) {
  RequireDefined("Broadcast", a);
  Tensor y;
  try {
    y = a.Detached().Broadcast(shape);
  } catch (const Error&) {
    Refuse("Broadcast", {&a}, "to " + shape.ToString() + " is not possible");
  }
  RecordBackward({&a}, {&y}, [from = a.shape()](GradientPass& pass) {
    pass.Add(0, SumTo(pass.ctx(), pass.OutputGradient(), from));
  });
  return y;
}

Tensor Concat(Context& ctx, std::span<const Tensor> parts, int axis) {
  if (parts.empty()) Refuse("Concat", {}, "there is nothing to join");
  for (const Tensor& part : parts) RequireDefined("Concat", part);
  const Tensor& first = parts.front();
  const int at = RequireAxis("Concat", first, axis);
  for (const Tensor& part : parts) {
    if (part.dtype() != first.dtype() || part.rank() != first.rank() ||
        !(part.shape().With(at, 1) == first.shape().With(at, 1))) {
      Refuse("Concat", {&first, &part}, fmt::format("parts must differ in axis {} alone", at));
    }
  }
  if (parts.size() <= Tape::kMaxOperands) return ConcatGroup(ctx, parts, at);
  PoolVector<Tensor> joined(PoolAllocator<Tensor>(&ctx.pool(), MemoryTag::kWorkspace));
  for (size_t i = 0; i < parts.size(); i += Tape::kMaxOperands) {
    const size_t count = std::min<size_t>(Tape::kMaxOperands, parts.size() - i);
    joined.push_back(ConcatGroup(ctx, parts.subspan(i, count), at));
  }
  return Concat(ctx, joined, at);
}

}  // namespace tern::ops
