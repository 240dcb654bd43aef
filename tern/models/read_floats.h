// SPDX-License-Identifier: MIT
// Float tensors of checkpoints into memory, checked to be finite. Internal to the room.
#pragma once

#include "tern/core/context.h"
#include "tern/core/dtype.h"
#include "tern/io/safetensors.h"

namespace tern {

// BF16 or F16.
bool IsNarrow(const TensorInfo& info);

// The elements in f32, or as they are stored where `out` is of that type. Error(kNumeric) that
// names the first that is not finite, Error(kInvalidFile) for a tensor that is not F32, BF16 or
// F16.
void ReadFloats(Context& ctx, const TensorInfo& info, DType out_type, void* out);

}  // namespace tern
