// SPDX-License-Identifier: MIT
// kPanelsBase3 of products-inl.h for targets without anything better: plain loops, which become the
// target's vectors, expand it to kPanels2Bit.
#pragma once

#include <algorithm>

#include "tern/kernels/ternary/groups-base3-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr bool kFastBase3 = false;

HWY_INLINE void ExpandGroup(const uint8_t* HWY_RESTRICT base3, uint8_t* HWY_RESTRICT packed) {
  uint8_t codes[kGroupFields][kPanelBlockBytes];
  for (int block = 0; block < kBase3Blocks; ++block) {
    for (int i = 0; i < kPanelBlockBytes; ++i) {
      uint8_t rest = base3[block * kPanelBlockBytes + i];
      for (int field = 4; field >= 0; --field) {
        const int power = kBase3Powers[field];
        const auto code =
            static_cast<uint8_t>((rest >= power ? 1 : 0) + (rest >= 2 * power ? 1 : 0));
        codes[5 * block + field][i] = code;
        rest = static_cast<uint8_t>(rest - code * power);
      }
    }
  }
  for (int block = 0; block < k2BitBlocks; ++block) {
    const auto* field = &codes[4 * block];
    for (int i = 0; i < kPanelBlockBytes; ++i) {
      packed[block * kPanelBlockBytes + i] = static_cast<uint8_t>(
          field[0][i] | field[1][i] << 2 | field[2][i] << 4 | field[3][i] << 6);
    }
  }
}

template <int S>
HWY_INLINE void Base3RowDots(const uint8_t* base3, int64_t stream_bytes, int64_t k, const int8_t* q,
                             int32_t* acc) {
  HWY_ALIGN uint8_t packed[ExpandedBytes(kDepth)];
  for (int r = 0; r < S * kPanelRows; ++r) acc[r] = 0;
  for (int64_t c = 0; c < PaddedColumns(k); c += kDepth) {
    const int64_t columns = std::min(kDepth, PaddedColumns(k) - c);
    for (int s = 0; s < S; ++s) {
      HWY_ALIGN int32_t part[kPanelRows];
      RowDots<1>(ExpandBase3(base3 + s * stream_bytes, c, columns, packed), 0, columns, q + c,
                 part);
      for (int r = 0; r < kPanelRows; ++r) acc[s * kPanelRows + r] += part[r];
    }
  }
}

}  // namespace ternary
TERN_END_TARGET
