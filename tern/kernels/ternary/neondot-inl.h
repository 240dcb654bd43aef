// SPDX-License-Identifier: MIT
// One SDOT multiplies four codes by four activations in each of 4 rows.
#pragma once

#include <arm_neon.h>

#include <cstring>

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kVectorBytes = 16;
constexpr int kTileRows = 6;
constexpr int kTilePanels = 1;
constexpr int kTileUnroll = 1;
constexpr int kSteps = 1 << 14;
static_assert(int64_t{kSteps} * 4 * 128 * 2 <= INT32_MAX);
static_assert(kMaxTernaryColumns * 128 * 2 <= INT32_MAX);

using Codes = uint8x16_t;
using Columns = int8x16_t;
using Sums = int32x4_t;

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
  return vdotq_s32(sums, vreinterpretq_s8_u8(w), x);
}
HWY_INLINE void AddSums(Sums sums, int32_t* acc) {
  vst1q_s32(acc, vaddq_s32(vld1q_s32(acc), sums));
}

}  // namespace ternary
TERN_END_TARGET

#include "tern/kernels/ternary/narrow-inl.h"
#include "tern/kernels/ternary/products-inl.h"
