// SPDX-License-Identifier: MIT
// One SDOT multiplies four codes by four activations in each of 4 rows.
#pragma once

#include "tern/kernels/ternary/neon-codes-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kTileRows = 6;
constexpr int kTilePanels = 1;
constexpr int kTileUnroll = 1;
constexpr int kSteps = 1 << 14;
static_assert(int64_t{kSteps} * 4 * 128 * 2 <= INT32_MAX);
static_assert(kMaxTernaryColumns * 128 * 2 <= INT32_MAX);

using Sums = int32x4_t;

HWY_INLINE Sums MultiplyAdd(Codes w, Columns x, Sums sums) {
  return vdotq_s32(sums, vreinterpretq_s8_u8(w), x);
}
HWY_INLINE void AddSums(Sums sums, int32_t* acc) {
  vst1q_s32(acc, vaddq_s32(vld1q_s32(acc), sums));
}

// The uppermost field is shifted: SDOT would take it, masked, for a signed number.
template <int kField>
HWY_INLINE Codes MaskedField(Codes packed) {
  if constexpr (kField == 3) {
    return vshrq_n_u8(packed, 6);
  } else {
    return vandq_u8(packed, vdupq_n_u8(3 << 2 * kField));
  }
}
constexpr int kMaskedShift[4] = {0, 2, 4, 0};

// Weights are read once and from memory, faster than the CPU looks ahead by itself.
constexpr int64_t kFetchAhead = 2048;
constexpr int64_t kFetchFar = 0;

}  // namespace ternary
TERN_END_TARGET

#include "tern/kernels/ternary/dot-tile-inl.h"
#include "tern/kernels/ternary/masked-inl.h"
#include "tern/kernels/ternary/plain-base3-inl.h"
#include "tern/kernels/ternary/products-inl.h"
