// SPDX-License-Identifier: MIT
// Matrix products for gradients. Internal to tern/ops.
#pragma once

#include "tern/core/context.h"

namespace tern::ops::internal {

// op(a) op(b) of matrices, or of equally long batches of them (rank 3), into a new tensor. Operands
// of any strides; not canonical, so not for a forward pass.
Tensor Gemm(Context& ctx, const Tensor& a, const Tensor& b, const GemmAttrs& attrs = {});

}  // namespace tern::ops::internal
