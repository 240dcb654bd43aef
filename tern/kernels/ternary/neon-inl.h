// SPDX-License-Identifier: MIT
// SMLAL multiplies codes by activations into int16, which holds kSteps of them, two rows a vector.
#pragma once

#include <arm_neon.h>

#include <cstring>

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kVectorBytes = 16;
constexpr int kTileRows = 2;
constexpr int kTilePanels = 1;
constexpr int kTileUnroll = 1;
constexpr int kSteps = 128;
static_assert(kSteps * 2 * 127 <= INT16_MAX && kSteps * 2 * -128 >= INT16_MIN);
static_assert(kMaxTernaryColumns * 128 * 2 <= INT32_MAX);

using Codes = uint8x16_t;
using Columns = int8x16_t;
struct Sums {
  int16x8_t low;  // rows 0, 1
  int16x8_t high;
};

HWY_INLINE Codes LoadCodes(const uint8_t* p) { return vld1q_u8(p); }
HWY_INLINE void StoreCodes(Codes v, uint8_t* p) { vst1q_u8(p, v); }
HWY_INLINE Columns LoadColumns(const int8_t* p) {
  int32_t four;
  std::memcpy(&four, p, sizeof(four));
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}
HWY_INLINE void Touch(Columns& x) { asm volatile("" : "+w"(x)); }
template <int kField>
HWY_INLINE Codes Field(Codes packed) {
  if constexpr (kField == 0) {
    return vandq_u8(packed, vdupq_n_u8(3));
  } else {
    return vandq_u8(vshrq_n_u8(packed, 2 * kField), vdupq_n_u8(3));
  }
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

#include "tern/kernels/ternary/narrow-inl.h"
#include "tern/kernels/ternary/products-inl.h"
