// SPDX-License-Identifier: MIT
// Five trits a byte, 1.6 bits a trit, in reading order: row r of [n, k] is ceil(k / 5) bytes, of
// which byte j is, with digits d(c) = trit + 1 of column c,
//
//   d(5 j) + 3 d(5 j + 1) + 9 d(5 j + 2) + 27 d(5 j + 3) + 81 d(5 j + 4)
//
// so at most 242. Digits behind column k - 1 are 0.
#pragma once

#include "tern/pack/trit_format.h"

namespace tern::formats {
extern const TritFormatInfo base3;
}  // namespace tern::formats
