// SPDX-License-Identifier: MIT
// Cosines and sines of rotary position embedding (arXiv:2104.09864), f32 as transformers computes
// them: inv_freq[i] = 1 / theta^(2i / head_dim), angle = position * inv_freq[i], each rounded to
// f32. The powers, cosines and sines are portable_math.h's: the same bits on every machine.
#pragma once

#include <cstdint>

#include "tern/core/context.h"
#include "tern/core/tensor.h"

namespace tern::nn {

struct RopeTable {
  Tensor cos;  // [positions, head_dim / 2]
  Tensor sin;
};

RopeTable MakeRopeTable(Context& ctx, int64_t positions, int64_t head_dim, double theta);

}  // namespace tern::nn
