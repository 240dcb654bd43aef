// SPDX-License-Identifier: MIT
// rope.h for vector targets.
#pragma once

#include "tern/kernels/rope/reference.h"

TERN_BEGIN_TARGET

void Rotate(const float* x, int64_t head_stride, const float* cos, const float* sin, float* y,
            int64_t heads, int64_t half, bool inverse) noexcept {
  reference::Rotate(x, head_stride, cos, sin, y, heads, half, inverse);
}

constexpr RopeKernels<float> kRope = {.rotate = Rotate};

TERN_END_TARGET
