// SPDX-License-Identifier: MIT
// IQ1_BN of ik_llama.cpp (type 134): a row is an f16 scale and blocks of 64 columns in 13 bytes.
// Bytes 3 g + b, b = 0 .. 2, hold columns 16 g + 5 b + i, i = 0 .. 4, and byte 12 the columns
// 16 g + 15 as its trit g. A byte is ceil(v * 256 / 243) of the base-3 number v whose digits are
// trits + 1, the first trit the least significant.
#include <cstdint>

#include "tern/pack/trit_blocks.h"

namespace tern::blocks {

extern const TritBlock iq1_bn;

namespace {

int8_t Trit(uint8_t byte, int digit) {
  constexpr int kShifts[] = {81, 27, 9, 3, 1};  // brings the digit to the front
  return static_cast<int8_t>(((byte * kShifts[digit] & 255) * 3 >> 8) - 1);
}

bool Decode(const uint8_t* codes, int8_t* trits) {
  for (int group = 0; group < 4; ++group) {
    for (int column = 0; column < 15; ++column) {
      *trits++ = Trit(codes[3 * group + column / 5], column % 5);
    }
    *trits++ = Trit(codes[12], group);
  }
  return true;
}

}  // namespace

const TritBlock iq1_bn = {.name = "iq1_bn",
                          .type = "IQ1_BN",
                          .columns = 64,
                          .bytes = 13,
                          .span = ScaleSpan::kRow,
                          .decode = Decode};

}  // namespace tern::blocks
