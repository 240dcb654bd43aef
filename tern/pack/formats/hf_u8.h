// SPDX-License-Identifier: MIT
// Trits as transformers packs them (integrations/bitnet.py, pack_weights): four rows a byte, which
// lie a quarter of the matrix apart. For [n, k], n a multiple of 4, byte r k + c of [n / 4, k] is
//
//   bits   7 6            5 4            3 2            1 0
//   row    3 n / 4 + r    2 n / 4 + r    n / 4 + r      r        column c
//
// with code = trit + 1; code 3 is none.
#pragma once

#include "tern/pack/trit_format.h"

namespace tern::formats {
extern const TritFormatInfo hf_u8;

// hf_u8.decode of the rows of bytes row_begin .. row_end - 1 (of n / 4) alone, so that threads can
// share a matrix: writes those rows of each quarter of trits [n, k].
int64_t DecodeHfU8Rows(const uint8_t* codes, int64_t n, int64_t k, int64_t row_begin,
                       int64_t row_end, int8_t* trits);
}  // namespace tern::formats
