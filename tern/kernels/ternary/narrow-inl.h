// SPDX-License-Identifier: MIT
// RowDots of products-inl.h for targets whose Sums are narrow: fields are shifted down, so that
// codes stay 0, 1, 2. Takes what products-inl.h lists.
#pragma once

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

// Weights are read once and from memory, faster than the CPU looks ahead by itself.
constexpr int64_t kFetchAhead = 2048;

HWY_INLINE void RowDots(const uint8_t* panel, int64_t k, const int8_t* q, int32_t* acc) {
  constexpr int kVectors = kPanelBlockBytes / kVectorBytes;
  constexpr int64_t kRun = kSteps / 4 * kPanelBlockColumns;  // columns before sums must be widened
  for (int r = 0; r < kPanelRows; ++r) acc[r] = 0;
  const int64_t padded = PaddedColumns(k);
  for (int64_t begin = 0; begin < padded; begin += kRun) {
    const int64_t end = begin + kRun < padded ? begin + kRun : padded;
    Sums sums[kVectors] = {};
    for (int64_t c = begin; c < end; c += kPanelBlockColumns) {
      __builtin_prefetch(panel + kFetchAhead);
      const Columns x0 = LoadColumns(q + c);
      const Columns x1 = LoadColumns(q + c + 4);
      const Columns x2 = LoadColumns(q + c + 8);
      const Columns x3 = LoadColumns(q + c + 12);
      for (int v = 0; v < kVectors; ++v) {
        const Codes packed = LoadCodes(panel + v * kVectorBytes);
        sums[v] = MultiplyAdd(Field<0>(packed), x0, sums[v]);
        sums[v] = MultiplyAdd(Field<1>(packed), x1, sums[v]);
        sums[v] = MultiplyAdd(Field<2>(packed), x2, sums[v]);
        sums[v] = MultiplyAdd(Field<3>(packed), x3, sums[v]);
      }
      panel += kPanelBlockBytes;
    }
    for (int v = 0; v < kVectors; ++v) AddSums(sums[v], acc + v * (kVectorBytes / 4));
  }
}

}  // namespace ternary
TERN_END_TARGET
