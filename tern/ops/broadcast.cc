// SPDX-License-Identifier: MIT
#include "tern/ops/broadcast.h"

#include <fmt/core.h>

#include "tern/base/error.h"
#include "tern/ops/call.h"
#include "tern/ops/ops.h"

namespace tern::ops::internal {

Shape JointShape(std::string_view op, const Tensor& a, const Tensor& b) {
  if (a.shape() == b.shape()) return a.shape();
  try {
    return BroadcastShapes(a.shape(), b.shape());
  } catch (const Error&) {
    Refuse(op, {&a, &b}, "the shapes do not broadcast");
  }
}

Tensor Spread(const Tensor& a, const Shape& shape) {
  return a.shape() == shape ? a.Detached() : a.Detached().Broadcast(shape);
}

Tensor SumTo(Context& ctx, const Tensor& gradient, const Shape& shape) {
  Tensor sum = gradient;
  while (sum.rank() > shape.rank()) sum = Sum(ctx, sum, 0);
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (sum.dim(axis) != shape[axis]) sum = Sum(ctx, sum, axis, /*keep_axis=*/true);
  }
  return sum;
}

int RequireAxis(std::string_view op, const Tensor& a, int axis) {
  const int normal = axis < 0 ? axis + a.rank() : axis;
  if (normal < 0 || normal >= a.rank()) {
    Refuse(op, {&a}, fmt::format("there is no axis {}", axis));
  }
  return normal;
}

}  // namespace tern::ops::internal
