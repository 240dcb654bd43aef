// SPDX-License-Identifier: MIT
#include "tern/nn/parameter.h"

#include "tern/ops/ops.h"

namespace tern::nn {

Tensor Weight::Get(Context& ctx) const {
  if (!value_.defined() || value_.dtype() != DType::kF32) return value_;
  return ops::RoundTo(ctx, value_, dtype_);
}

void Weight::Freeze(Context& ctx) {
  value_ = Get(ctx);
  dtype_ = DType::kF32;
}

}  // namespace tern::nn
