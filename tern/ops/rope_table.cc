// SPDX-License-Identifier: MIT
#include "tern/base/error.h"
#include "tern/ops/call.h"
#include "tern/ops/transformer.h"

namespace tern::ops {

RopeTable MakeRopeTable(Context& ctx, const Tensor& positions, int64_t head_dim, double theta) {
  if (positions.rank() != 1 || positions.dtype() != DType::kI32 || head_dim < 2 ||
      head_dim % 2 != 0 || !(theta >= 1.0)) {
    internal::Refuse("RopeTable", {&positions},
                     "positions must be i32 [n], head_dim even and theta at least 1");
  }
  const Shape shape = {positions.dim(0), head_dim / 2};
  RopeTable table = {ctx.Empty(shape, DType::kF32), ctx.Empty(shape, DType::kF32)};
  internal::Run(ctx, Op::kRopeTable, {&positions}, {&table.cos, &table.sin}, RopeTableAttrs{theta});
  return table;
}

}  // namespace tern::ops
