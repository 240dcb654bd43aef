// SPDX-License-Identifier: MIT
// A head in 8 bits that tells which of its exact products are worth computing.
#include "tern/ops/call.h"
#include "tern/ops/ops.h"
#include "tern/pack/ternary_layout.h"

namespace tern::ops {

Screen PackScreen(Context& ctx, const Tensor& w) {
  if (!w.defined() || w.rank() != 2 || !IsFloat(w.dtype())) {
    internal::Refuse("PackScreen", {&w}, "weights must be floats [n, k]");
  }
  Screen screen = {.codes = ctx.EmptyLike(w, {w.dim(0), PaddedColumns(w.dim(1))}, DType::kU8),
                   .rows = ctx.EmptyLike(w, {w.dim(0), 3}, DType::kF32)};
  internal::Run(ctx, Op::kPackScreen, {&w}, {&screen.codes, &screen.rows});
  return screen;
}

Tensor ScreenedLinear(Context& ctx, const Tensor& x, const Tensor& w, const Screen& screen,
                      int64_t top) {
  if (x.rank() != 2 || w.rank() != 2 || x.dim(0) != 1 || x.dim(1) != w.dim(1) || top < 1 ||
      screen.codes.shape() != Shape{w.dim(0), PaddedColumns(w.dim(1))} ||
      screen.rows.shape() != Shape{w.dim(0), 3}) {
    internal::Refuse("ScreenedLinear", {&x, &w, &screen.codes},
                     "one row, weights [n, k] with the screen of theirs, and top >= 1 are needed");
  }
  Tensor y = ctx.EmptyLike(x, {1, w.dim(0)}, DType::kF32);
  const Tensor row = Contiguous(ctx, x.Detached());
  const Tensor* inputs[] = {&row, &w, &screen.codes, &screen.rows};
  const Tensor* outputs[] = {&y};
  const OpCall call = {
      .op = Op::kScreenedLinear, .inputs = inputs, .outputs = outputs, .attrs = ScreenAttrs{top}};
  if (!ctx.backend(x.device()).Supports(call)) return Linear(ctx, row, w);
  ctx.Run(call);
  return y;
}

}  // namespace tern::ops
