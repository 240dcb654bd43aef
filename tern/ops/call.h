// SPDX-License-Identifier: MIT
// What every op here does: run a call of the Backend contract, and refuse operands with a message
// that names the op and the shapes. Internal to tern/ops.
#pragma once

#include <initializer_list>
#include <string_view>

#include "tern/core/context.h"

namespace tern::ops::internal {

inline void Run(Context& ctx, Op op, std::initializer_list<const Tensor*> inputs,
                std::initializer_list<const Tensor*> outputs, const OpAttrs& attrs = {}) {
  ctx.Run({.op = op,
           .inputs = {inputs.begin(), inputs.size()},
           .outputs = {outputs.begin(), outputs.size()},
           .attrs = attrs});
}

// Throws Error(kInvalidArgument): "MatMul(f32[2, 3], f32[4, 5]): <why>".
[[noreturn]] void Refuse(std::string_view op, std::initializer_list<const Tensor*> operands,
                         std::string_view why);

// Refuses unless all are defined, f32 or f64, and of one dtype.
void RequireFloats(std::string_view op, std::initializer_list<const Tensor*> operands);

}  // namespace tern::ops::internal
