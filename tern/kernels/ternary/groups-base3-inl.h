// SPDX-License-Identifier: MIT
// Groups of 80 columns of a panel, which kPanelsBase3 and kPanels2Bit both have in whole blocks.
// The target gives ExpandGroup.
#pragma once

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kGroupColumns = kBase3ColumnMultiple;
constexpr int kGroupFields = kGroupColumns / 4;
constexpr int kBase3Blocks = kGroupColumns / kBase3BlockColumns;
constexpr int k2BitBlocks = kGroupColumns / kPanelBlockColumns;
constexpr int kBase3GroupBytes = kBase3Blocks * kPanelBlockBytes;
constexpr int k2BitGroupBytes = k2BitBlocks * kPanelBlockBytes;

// kBase3GroupBytes of kPanelsBase3 -> k2BitGroupBytes of kPanels2Bit.
HWY_INLINE void ExpandGroup(const uint8_t* HWY_RESTRICT base3, uint8_t* HWY_RESTRICT packed);

// What ExpandBase3 needs for so many columns: they may begin and end within a group.
constexpr int64_t ExpandedBytes(int64_t columns) {
  return (columns / kGroupColumns + 2) * k2BitGroupBytes;
}

// Some columns of a panel in kPanelsBase3, from a multiple of 16 on, as kPanels2Bit: expands them
// to `to` and returns where they begin there.
HWY_INLINE const uint8_t* ExpandBase3(const uint8_t* base3, int64_t begin, int64_t columns,
                                      uint8_t* to) {
  const int64_t first = begin / kGroupColumns;
  for (int64_t group = first; group * kGroupColumns < begin + columns; ++group) {
    ExpandGroup(base3 + group * kBase3GroupBytes, to + (group - first) * k2BitGroupBytes);
  }
  return to + (begin - first * kGroupColumns) / kPanelBlockColumns * kPanelBlockBytes;
}

// The other way round.
HWY_INLINE void PackGroup(const uint8_t* HWY_RESTRICT packed, uint8_t* HWY_RESTRICT base3) {
  uint8_t codes[kGroupFields][kPanelBlockBytes];
  for (int field = 0; field < kGroupFields; ++field) {
    const uint8_t* const from = packed + field / 4 * kPanelBlockBytes;
    for (int i = 0; i < kPanelBlockBytes; ++i) {
      codes[field][i] = static_cast<uint8_t>(from[i] >> field % 4 * 2 & 3);
    }
  }
  for (int block = 0; block < kBase3Blocks; ++block) {
    const auto* c = &codes[5 * block];
    for (int i = 0; i < kPanelBlockBytes; ++i) {
      base3[block * kPanelBlockBytes + i] = static_cast<uint8_t>(
          c[0][i] + 3 * (c[1][i] + 3 * (c[2][i] + 3 * c[3][i])) + kBase3Powers[4] * c[4][i]);
    }
  }
}

}  // namespace ternary
TERN_END_TARGET
