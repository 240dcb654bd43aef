// SPDX-License-Identifier: MIT
// RowDots of products-inl.h for targets whose Sums are int32: fields are masked where they lie, not
// shifted down, which saves half of the work beside the dot products. The sums of field i are then
// 4^i times too large, and are divided exactly at the end. Takes what dot-tile-inl.h lists, and
//   MaskedField<i>(packed)   codes times 1 << kMaskedShift[i]
//   kFetchAhead, kFetchFar   bytes ahead to fetch to the first cache, and to the second (0: not)
#pragma once

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

// Narrow vectors have no registers for the sums of two.
constexpr int kStreams = kVectorBytes == kPanelBlockBytes ? 2 : 1;

HWY_INLINE void FetchAhead(const uint8_t* p) {
  if constexpr (kFetchFar > 0) __builtin_prefetch(p + kFetchFar, 0, 2);
  __builtin_prefetch(p + kFetchAhead);
}

template <int S>
HWY_INLINE void RowDots(const uint8_t* panel, int64_t stream_bytes, int64_t k, const int8_t* q,
                        int32_t* acc) {
  static_assert(kMaxTernaryColumns / 4 * 128 * 128 <= INT32_MAX);
  constexpr int kVectors = kPanelBlockBytes / kVectorBytes;
  constexpr int kBlocks = S * kVectors == 1 ? 2 : 1;  // enough sums to hide a dot product's time
  static_assert(kPanelColumnMultiple % (kBlocks * kPanelBlockColumns) == 0);
  Sums sums[kBlocks][S * kVectors][4] = {};
  for (int64_t c = 0; c < PaddedColumns(k); c += kBlocks * kPanelBlockColumns) {
    TERN_UNROLL
    for (int u = 0; u < kBlocks; ++u) {
      const int8_t* const x = q + c + u * kPanelBlockColumns;
      const Columns x0 = LoadColumns(x);
      const Columns x1 = LoadColumns(x + 4);
      const Columns x2 = LoadColumns(x + 8);
      const Columns x3 = LoadColumns(x + 12);
      TERN_UNROLL
      for (int v = 0; v < S * kVectors; ++v) {
        const uint8_t* const from = panel + v / kVectors * stream_bytes;
        if (v % kVectors == 0) FetchAhead(from);
        const Codes packed = LoadCodes(from + v % kVectors * kVectorBytes);
        Sums* const s = sums[u][v];
        s[0] = MultiplyAdd(MaskedField<0>(packed), x0, s[0]);
        s[1] = MultiplyAdd(MaskedField<1>(packed), x1, s[1]);
        s[2] = MultiplyAdd(MaskedField<2>(packed), x2, s[2]);
        s[3] = MultiplyAdd(MaskedField<3>(packed), x3, s[3]);
      }
      panel += kPanelBlockBytes;
    }
  }
  for (int r = 0; r < S * kPanelRows; ++r) acc[r] = 0;
  TERN_UNROLL
  for (int v = 0; v < S * kVectors; ++v) {
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
