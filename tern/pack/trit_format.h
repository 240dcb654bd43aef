// SPDX-License-Identifier: MIT
// Packed trits: a matrix [n, k] of -1, 0, 1 in one of the formats of formats.inc, each a layout of
// bytes that does not depend on the machine, with one encoding for each matrix. Encoding and
// decoding are plain loops; what kernels read is made from trits (ternary_layout.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tern/core/memory_pool.h"
#include "tern/core/tensor.h"

namespace tern {

struct TritFormatInfo {
  const char* name;
  // The rows and columns of the matrix that a full byte holds.
  int64_t byte_rows;
  int64_t byte_columns;
  const char* shapes;  // which it takes, for messages
  // Bytes of [n, k]; nothing where the format does not take the shape or the number overflows.
  std::optional<int64_t> (*bytes)(int64_t n, int64_t k);
  // trits [n, k], all in -1, 0, 1 -> codes [bytes(n, k)].
  void (*encode)(const int8_t* trits, int64_t n, int64_t k, uint8_t* codes);
  // The way back. Returns the index of the first byte that encode never writes, -1 if none.
  int64_t (*decode)(const uint8_t* codes, int64_t n, int64_t k, int8_t* trits);
};

// All formats, in the order of formats.inc.
std::span<const TritFormatInfo* const> TritFormats();
// Null if there is none of that name.
const TritFormatInfo* FindTritFormat(std::string_view name);

struct PackedTrits {
  Tensor codes;  // u8 [bytes]
  const TritFormatInfo* format = nullptr;
  int64_t n = 0;
  int64_t k = 0;
  float scale = 1;  // a weight is trit * scale
};

// trits [n, k]. A value that is no trit or a shape that the format does not take is an
// Error(kInvalidArgument).
PackedTrits EncodeTrits(MemoryPool& pool, const TritFormatInfo& format,
                        std::span<const int8_t> trits, int64_t n, int64_t k, float scale);
// i8 [n, k]. A wrong number of bytes or one that encoding never writes is an
// Error(kInvalidArgument) that names it.
Tensor DecodeTrits(MemoryPool& pool, const PackedTrits& packed);

}  // namespace tern
