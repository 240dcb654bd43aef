// SPDX-License-Identifier: MIT
// TQ1_0 of ggml (type 34): 256 columns in 54 bytes: 48 bytes of five trits, 4 of four, an f16
// scale. A byte is ceil(v * 256 / 243) of the base-3 number v whose digits are trits + 1, the first
// trit the most significant; for four trits the last digit is 0. So trit i of a byte is the integer
// part of 3 ((byte * 3^i) mod 256) / 256.
//
//   byte              trit i = 0 ..     column
//   j      0 .. 31    4                 32 i + j
//   32 + j 0 .. 15    4                 160 + 16 i + j
//   48 + j 0 .. 3     3                 240 + 4 i + j
#include "tern/pack/trit_blocks.h"

namespace tern::blocks {

extern const TritBlock tq1_0;

namespace {

constexpr int kDigits = 5;

struct Run {
  int byte;
  int column;
  int width;
  int trits;
};
constexpr Run kRuns[] = {{0, 0, 32, 5}, {32, 160, 16, 5}, {48, 240, 4, 4}};

void Encode(const int8_t* trits, uint8_t* codes) {
  for (const Run& run : kRuns) {
    for (int j = 0; j < run.width; ++j) {
      int value = 0;
      for (int i = 0; i < kDigits; ++i) {
        value *= 3;
        if (i < run.trits) value += trits[run.column + run.width * i + j] + 1;
      }
      codes[run.byte + j] = static_cast<uint8_t>((value * 256 + 242) / 243);
    }
  }
}

bool Decode(const uint8_t* codes, int8_t* trits) {
  for (const Run& run : kRuns) {
    for (int j = 0; j < run.width; ++j) {
      int rest = codes[run.byte + j];
      for (int i = 0; i < run.trits; ++i) {
        trits[run.column + run.width * i + j] = static_cast<int8_t>((rest * 3 >> 8) - 1);
        rest = rest * 3 & 255;
      }
    }
  }
  return true;
}

}  // namespace

const TritBlock tq1_0 = {.name = "tq1_0",
                         .type = "TQ1_0",
                         .columns = 256,
                         .bytes = 54,
                         .scale_at = 52,
                         .encode = Encode,
                         .decode = Decode};

}  // namespace tern::blocks
