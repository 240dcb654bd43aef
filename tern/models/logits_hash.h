// SPDX-License-Identifier: MIT
// A hash of logits, to show that two ways of computing them gave the same bits.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace tern {

// FNV-1a over the little-endian bytes: the same on every machine.
inline uint64_t HashLogits(std::span<const float> logits) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const float value : logits) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) {
      hash = (hash ^ ((bits >> shift) & 0xffu)) * 0x100000001b3u;
    }
  }
  return hash;
}

}  // namespace tern
