// SPDX-License-Identifier: MIT
// Float tensors of checkpoints into memory, checked to be finite, and the trits in those that are
// ternary already. Internal to the room.
#pragma once

#include <optional>

#include "tern/core/context.h"
#include "tern/core/dtype.h"
#include "tern/core/tensor.h"
#include "tern/io/safetensors.h"

namespace tern {

// BF16 or F16.
bool IsNarrow(const TensorInfo& info);

// The elements in f32, or as they are stored where `out` is of that type. Error(kNumeric) that
// names the first that is not finite, Error(kInvalidFile) for a tensor that is not F32, BF16 or
// F16.
void ReadFloats(Context& ctx, const TensorInfo& info, DType out_type, void* out);

struct TritsAndScales {
  Tensor trits;   // i8 [n, k]
  Tensor scales;  // f32 [n, groups]
};

// FindTrits (pack/scales.h) of floats [n, k] in any of the three types.
std::optional<TritsAndScales> FindTritsIn(Context& ctx, const Tensor& weights);

}  // namespace tern
