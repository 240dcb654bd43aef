// SPDX-License-Identifier: MIT
// RowDots of products-inl.h for targets whose Sums are int32: fields are masked where they lie, not
// shifted down, which saves half of the work beside the dot products. The sums of field i are then
// 4^i times too large, and are divided exactly at the end. Takes what dot-tile-inl.h lists, and
//   MaskedField<i>(packed)   codes times 1 << kMaskedShift[i]
//   kFetchAhead              bytes
#pragma once

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

HWY_INLINE void RowDots(const uint8_t* panel, int64_t k, const int8_t* q, int32_t* acc) {
  static_assert(kMaxTernaryColumns / 4 * 128 * 128 <= INT32_MAX);
  constexpr int kVectors = kPanelBlockBytes / kVectorBytes;
  constexpr int kBlocks = kVectors == 1 ? 2 : 1;  // enough sums to hide the time of a dot product
  static_assert(kPanelColumnMultiple % (kBlocks * kPanelBlockColumns) == 0);
  Sums sums[kBlocks][kVectors][4] = {};
  for (int64_t c = 0; c < PaddedColumns(k); c += kBlocks * kPanelBlockColumns) {
    TERN_UNROLL
    for (int u = 0; u < kBlocks; ++u) {
      __builtin_prefetch(panel + kFetchAhead);
      const int8_t* const x = q + c + u * kPanelBlockColumns;
      const Columns x0 = LoadColumns(x);
      const Columns x1 = LoadColumns(x + 4);
      const Columns x2 = LoadColumns(x + 8);
      const Columns x3 = LoadColumns(x + 12);
      TERN_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Codes packed = LoadCodes(panel + v * kVectorBytes);
        Sums* const s = sums[u][v];
        s[0] = MultiplyAdd(MaskedField<0>(packed), x0, s[0]);
        s[1] = MultiplyAdd(MaskedField<1>(packed), x1, s[1]);
        s[2] = MultiplyAdd(MaskedField<2>(packed), x2, s[2]);
        s[3] = MultiplyAdd(MaskedField<3>(packed), x3, s[3]);
      }
      panel += kPanelBlockBytes;
    }
  }
  for (int r = 0; r < kPanelRows; ++r) acc[r] = 0;
  TERN_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    TERN_UNROLL
    for (int u = 1; u < kBlocks; ++u) {
      TERN_UNROLL
      for (int i = 0; i < 4; ++i) sums[0][v][i] += sums[u][v][i];
    }
    const Sums* const s = sums[0][v];
    const Sums total = (s[0] >> kMaskedShift[0]) + (s[1] >> kMaskedShift[1]) +
                       (s[2] >> kMaskedShift[2]) + (s[3] >> kMaskedShift[3]);
    AddSums(total, acc + v * (kVectorBytes / 4));
  }
}

}  // namespace ternary
TERN_END_TARGET
