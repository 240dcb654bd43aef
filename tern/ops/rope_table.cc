// SPDX-License-Identifier: MIT
#include "tern/base/error.h"
#include "tern/ops/call.h"
#include "tern/ops/transformer.h"

namespace tern::ops {

RopeTable MakeRopeTable(Context& ctx, int64_t positions, int64_t head_dim, double theta) {
  // Single precision tells positions apart to 2^24, and angles stay in the range of sine.
  if (positions < 1 || positions > (int64_t{1} << 24) || head_dim < 2 || head_dim % 2 != 0 ||
      !(theta >= 1.0)) {
    Fail(ErrorKind::kInvalidArgument,
         "RopeTable({} positions, head_dim {}, theta {}): positions must be 1 to 2^24, head_dim "
         "even and theta at least 1",
         positions, head_dim, theta);
  }
  const Shape shape = {positions, head_dim / 2};
  RopeTable table = {ctx.Empty(shape, DType::kF32), ctx.Empty(shape, DType::kF32)};
  internal::Run(ctx, Op::kRopeTable, {}, {&table.cos, &table.sin}, RopeTableAttrs{theta});
  return table;
}

}  // namespace tern::ops
