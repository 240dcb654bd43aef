// SPDX-License-Identifier: MIT
// What dot-tile-inl.h asks for that is the same for every NEON target.
#pragma once

#include <arm_neon.h>

#include <cstring>

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kVectorBytes = 16;

using Codes = uint8x16_t;
using Columns = int8x16_t;

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

}  // namespace ternary
TERN_END_TARGET
