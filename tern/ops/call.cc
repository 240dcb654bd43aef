// SPDX-License-Identifier: MIT
#include "tern/ops/call.h"

#include <string>

#include "tern/base/error.h"

namespace tern::ops::internal {

void Refuse(std::string_view op, std::initializer_list<const Tensor*> operands,
            std::string_view why) {
  std::string list;
  for (const Tensor* operand : operands) {
    if (!list.empty()) list += ", ";
    if (operand->defined()) {
      list += DTypeName(operand->dtype()) + operand->shape().ToString();
    } else {
      list += "undefined";
    }
  }
  Fail(ErrorKind::kInvalidArgument, "{}({}): {}", op, list, why);
}

void RequireFloats(std::string_view op, std::initializer_list<const Tensor*> operands) {
  const Tensor& first = **operands.begin();
  for (const Tensor* operand : operands) {
    if (!operand->defined()) Refuse(op, operands, "an operand is undefined");
    if (operand->dtype() != DType::kF32 && operand->dtype() != DType::kF64) {
      Refuse(op, operands, "operands must be f32 or f64");
    }
    if (operand->dtype() != first.dtype()) Refuse(op, operands, "operands must have one dtype");
  }
}

}  // namespace tern::ops::internal
