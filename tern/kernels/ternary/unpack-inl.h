// SPDX-License-Identifier: MIT
// UnpackCodes of products-inl.h: [columns / 4][16 rows][4 columns], every code a byte. Takes Codes,
// LoadCodes, StoreCodes and Field.
#pragma once

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kPieces = kPanelBlockBytes / kVectorBytes;  // vectors that hold a field of a block

template <int kField>
HWY_INLINE void UnpackField(const uint8_t* packed, uint8_t* codes) {
  for (int v = 0; v < kPieces; ++v) {
    StoreCodes(Field<kField>(LoadCodes(packed + v * kVectorBytes)),
               codes + kField * kPanelBlockBytes + v * kVectorBytes);
  }
}

void UnpackCodes(const uint8_t* packed, int64_t columns, uint8_t* codes) {
  for (int64_t c = 0; c < columns; c += kPanelBlockColumns) {
    UnpackField<0>(packed, codes);
    UnpackField<1>(packed, codes);
    UnpackField<2>(packed, codes);
    UnpackField<3>(packed, codes);
    packed += kPanelBlockBytes;
    codes += kPanelBlockColumns * kPanelRows;
  }
}

}  // namespace ternary
TERN_END_TARGET
