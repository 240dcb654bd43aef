// SPDX-License-Identifier: MIT
// Rotary position embedding of one token, in the half-split order of GPT-NeoX (RoFormer,
// arXiv:2104.09864): elements i and half + i of a head turn by the angle whose cosine and sine are
// cos[i] and sin[i].
#pragma once

#include <cstdint>

namespace tern::kernels {

template <typename T>
struct RopeKernels {
  // x: heads of 2 half contiguous elements, head_stride apart; y: the same without gaps, not
  // overlapping x. `inverse` turns back.
  void (*rotate)(const T* x, int64_t head_stride, const T* cos, const T* sin, T* y, int64_t heads,
                 int64_t half, bool inverse) noexcept;
};

}  // namespace tern::kernels
