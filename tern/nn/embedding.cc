// SPDX-License-Identifier: MIT
#include "tern/nn/embedding.h"

#include "tern/ops/ops.h"

namespace tern::nn {

Tensor Embedding::Forward(Context& ctx, const Tensor& ids) const {
  return ops::Gather(ctx, table_.Get(ctx), ids);
}

}  // namespace tern::nn
