// SPDX-License-Identifier: MIT
// RowDots of products-inl.h for targets whose Sums are int16. Two of four fields are masked where
// they lie, which saves shifts: their sums are 4 times too large, hold a quarter of the steps, and
// are divided exactly at the end. Takes what dot-tile-inl.h lists, and
//   MaskedField<i>(packed)   codes of field i, times 4 where i is odd
#pragma once

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

// Weights are read once and from memory, faster than the CPU looks ahead by itself.
constexpr int64_t kFetchAhead = 2048;

constexpr int kStreams = 1;

template <int S>
HWY_INLINE void RowDots(const uint8_t* panel, int64_t, int64_t k, const int8_t* q, int32_t* acc) {
  static_assert(S == 1);
  static_assert(kMaxTernaryColumns / 2 * 128 * 8 <= INT32_MAX);
  constexpr int kVectors = kPanelBlockBytes / kVectorBytes;
  // Columns before sums must be widened: a block has two steps of codes times 4.
  constexpr int64_t kRun = kSteps / 4 / 2 * kPanelBlockColumns;
  int32_t of_four[kPanelRows] = {};
  for (int r = 0; r < kPanelRows; ++r) acc[r] = 0;
  const int64_t padded = PaddedColumns(k);
  for (int64_t begin = 0; begin < padded; begin += kRun) {
    const int64_t end = begin + kRun < padded ? begin + kRun : padded;
    Sums sums[kVectors] = {};
    Sums four[kVectors] = {};
    for (int64_t c = begin; c < end; c += kPanelBlockColumns) {
      __builtin_prefetch(panel + kFetchAhead);
      const Columns x0 = LoadColumns(q + c);
      const Columns x1 = LoadColumns(q + c + 4);
      const Columns x2 = LoadColumns(q + c + 8);
      const Columns x3 = LoadColumns(q + c + 12);
      TERN_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Codes packed = LoadCodes(panel + v * kVectorBytes);
        sums[v] = MultiplyAdd(MaskedField<0>(packed), x0, sums[v]);
        four[v] = MultiplyAdd(MaskedField<1>(packed), x1, four[v]);
        sums[v] = MultiplyAdd(MaskedField<2>(packed), x2, sums[v]);
        four[v] = MultiplyAdd(MaskedField<3>(packed), x3, four[v]);
      }
      panel += kPanelBlockBytes;
    }
    TERN_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      AddSums(sums[v], acc + v * (kVectorBytes / 4));
      AddSums(four[v], of_four + v * (kVectorBytes / 4));
    }
  }
  for (int r = 0; r < kPanelRows; ++r) acc[r] += of_four[r] >> 2;
}

}  // namespace ternary
TERN_END_TARGET
