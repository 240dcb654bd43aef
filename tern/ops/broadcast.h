// SPDX-License-Identifier: MIT
// Broadcasting between ops and their gradients. Internal to tern/ops.
#pragma once

#include <string_view>

#include "tern/core/context.h"

namespace tern::ops::internal {

// The shape that both broadcast to; Error naming the op and the shapes if there is none.
Shape JointShape(std::string_view op, const Tensor& a, const Tensor& b);

// a, without its link, as a view of that shape.
Tensor Spread(const Tensor& a, const Shape& shape);

// The gradient of an operand of `shape` from that of its broadcast: summed over what was repeated.
Tensor SumTo(Context& ctx, const Tensor& gradient, const Shape& shape);

// The axis from the front; Error naming the op and the shape if there is no such axis.
int RequireAxis(std::string_view op, const Tensor& a, int axis);

}  // namespace tern::ops::internal
