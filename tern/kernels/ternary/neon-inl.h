// SPDX-License-Identifier: MIT
// SMLAL multiplies codes by activations into int16, which holds kSteps of them, two rows a vector.
#pragma once

#include "tern/kernels/ternary/neon-codes-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kTileRows = 2;
constexpr int kTilePanels = 1;
constexpr int kTileUnroll = 1;
constexpr int kSteps = 128;
static_assert(kSteps * 2 * 127 <= INT16_MAX && kSteps * 2 * -128 >= INT16_MIN);
static_assert(kMaxTernaryColumns * 128 * 2 <= INT32_MAX);

struct Sums {
  int16x8_t low;  // rows 0, 1
  int16x8_t high;
};

template <int kField>
HWY_INLINE Codes MaskedField(Codes packed) {
  const Codes low = kField < 2 ? packed : vshrq_n_u8(packed, 4);
  return vandq_u8(low, vdupq_n_u8(kField % 2 == 0 ? 3 : 12));
}
HWY_INLINE Sums MultiplyAdd(Codes w, Columns x, Sums sums) {
  const int8x16_t codes = vreinterpretq_s8_u8(w);
  return {vmlal_s8(sums.low, vget_low_s8(codes), vget_low_s8(x)),
          vmlal_high_s8(sums.high, codes, x)};
}
HWY_INLINE void AddSums(Sums sums, int32_t* acc) {
  const int32x4_t wide = vpaddq_s32(vpaddlq_s16(sums.low), vpaddlq_s16(sums.high));
  vst1q_s32(acc, vaddq_s32(vld1q_s32(acc), wide));
}

}  // namespace ternary
TERN_END_TARGET

#include "tern/kernels/ternary/dot-tile-inl.h"
#include "tern/kernels/ternary/narrow-inl.h"
#include "tern/kernels/ternary/plain-base3-inl.h"
#include "tern/kernels/ternary/products-inl.h"
