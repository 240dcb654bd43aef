// SPDX-License-Identifier: MIT
// Ternary matrices [n, k] as GGUF tensors hold them: rows of blocks of columns, with the scales
// among the codes. A type of trit_blocks.inc says how a block's trits become bytes and where scales
// lie; what is common stands here. Plain loops: what kernels read is made from trits
// (ternary_layout.h).
//
//   kTensor: blocks, which run over the ends of rows, then a tail: f32 scale and 28 bytes 0 (I2_S)
//   kRow: for each row its scale, then its blocks
//   kBlock: blocks, each with a scale of its own
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tern/core/dtype.h"

namespace tern {

enum class ScaleSpan : uint8_t { kTensor, kRow, kBlock };

struct TritBlock {
  std::string_view name;
  std::string_view type;  // of the GGUF tensors that are stored so
  int64_t columns;        // of a block
  int64_t bytes;          // of a block, its own scale included
  int64_t codes_at = 0;   // in the block
  ScaleSpan span = ScaleSpan::kBlock;
  DType scale_type = DType::kF16;  // or f32
  int64_t scale_at = 0;            // in the block, for kBlock
  int64_t rows_together = 1;       // a block runs along the rows of a group, then along the columns
  // trits [columns] -> codes; null for what Tern reads and does not write.
  void (*encode)(const int8_t* trits, uint8_t* codes) = nullptr;
  // The way back; false where a code is no trit.
  bool (*decode)(const uint8_t* codes, int8_t* trits);

  // Bytes of [n, k]; nothing where blocks do not fill it or the number overflows.
  std::optional<int64_t> Bytes(int64_t n, int64_t k) const;
  // Scales of a row: 1, or one a block.
  int64_t Groups(int64_t k) const { return span == ScaleSpan::kBlock ? k / columns : 1; }
  // Whether it holds scales [n, groups] of [n, k]; 0 groups: one scale for all.
  bool Holds(int64_t groups, int64_t k) const;
};

std::span<const TritBlock* const> TritBlocks();
// By TritBlock::name; null if there is none.
const TritBlock* FindTritBlock(std::string_view name);

// bytes [Bytes(n, k)] -> trits [n, k] and scales [n, Groups(k)]. Returns the number of the first
// block with a code that is no trit, -1 if none; scales may be any float.
int64_t DecodeTritBlocks(const TritBlock& block, std::span<const uint8_t> bytes, int64_t n,
                         int64_t k, int8_t* trits, float* scales);

// The way back, with one scale or scales [n, groups] of a number of groups that the type Holds(),
// each as the type holds it (RoundTritScale). The scale of a block or row of zeros alone becomes 0,
// as ggml's quantizers leave it.
void EncodeTritBlocks(const TritBlock& block, const int8_t* trits, int64_t n, int64_t k,
                      std::span<const float> scales, std::span<uint8_t> bytes);

// The scale as the type holds it.
float RoundTritScale(const TritBlock& block, float scale);

}  // namespace tern
