// SPDX-License-Identifier: MIT
// Floats in blocks of few bits, as GGUF files hold embeddings and heads: what each type's bytes
// mean, and ggml's reference quantizers for those that Tern writes. Plain loops over whole blocks.
//
//   Q8_0   32 in 34 bytes:   f16 d, i8 q[32]                              x = d q
//   Q4_0   32 in 18 bytes:   f16 d, u8 q[16]                              x = d (nibble - 8)
//          column j is the low nibble of byte j, 16 + j the high one
//   Q6_K   256 in 210 bytes: u8 low[128], u8 high[64], i8 scale[16], f16 d
//          x = d scale[c / 16] (six bits - 32); for column c = 128 h + 32 f + j with f < 4, j < 32:
//          the low four bits are nibble f / 2 (0 the low one) of low[64 h + 32 (f % 2) + j], the
//          high two are bits 2 f, 2 f + 1 of high[32 h + j]
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tern {

struct FloatBlock {
  std::string_view type;  // of the GGUF tensors
  int64_t elements;
  int64_t bytes;
  void (*decode)(const uint8_t* bytes, float* values);
  void (*encode)(const float* values, uint8_t* bytes);  // null for what Tern reads alone
};

std::span<const FloatBlock> FloatBlocks();
const FloatBlock* FindFloatBlock(std::string_view type);  // null if there is none

}  // namespace tern
