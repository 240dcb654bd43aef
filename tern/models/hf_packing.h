// SPDX-License-Identifier: MIT
// Trits as transformers packs them (integrations/bitnet.py, pack_weights): for a matrix [n, k], n a
// multiple of 4, byte [r, c] of [n / 4, k] holds in bits 2 i and 2 i + 1 the code (trit + 1) of row
// i * n / 4 + r, column c. Internal to the room.
#pragma once

#include <cstdint>

namespace tern {

inline void PackHuggingFace(const int8_t* trits, int64_t n, int64_t k, uint8_t* bytes) {
  const int64_t quarter = n / 4 * k;
  for (int64_t j = 0; j < quarter; ++j) {
    uint8_t byte = 0;
    for (int i = 0; i < 4; ++i) {
      byte = static_cast<uint8_t>(byte | (trits[i * quarter + j] + 1) << (2 * i));
    }
    bytes[j] = byte;
  }
}

// Returns the index of the first byte with a code of 3, which no trit has; -1: there is none.
inline int64_t UnpackHuggingFace(const uint8_t* bytes, int64_t n, int64_t k, int8_t* trits) {
  const int64_t quarter = n / 4 * k;
  for (int64_t j = 0; j < quarter; ++j) {
    if ((bytes[j] & (bytes[j] >> 1) & 0x55) != 0) return j;
    for (int i = 0; i < 4; ++i) {
      trits[i * quarter + j] = static_cast<int8_t>(((bytes[j] >> (2 * i)) & 3) - 1);
    }
  }
  return -1;
}

}  // namespace tern
