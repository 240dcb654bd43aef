// SPDX-License-Identifier: MIT
// Two bits a trit in reading order: row r of [n, k] is ceil(k / 4) bytes, of which byte j is
//
//   bits     7 6        5 4        3 2        1 0
//   column   4 j + 3    4 j + 2    4 j + 1    4 j
//
// with code = trit + 1; code 3 is none. Bits behind column k - 1 are 0.
#pragma once

#include "tern/pack/trit_format.h"

namespace tern::formats {
extern const TritFormatInfo two_bit;
}  // namespace tern::formats
