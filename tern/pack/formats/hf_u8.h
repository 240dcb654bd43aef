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
}  // namespace tern::formats
