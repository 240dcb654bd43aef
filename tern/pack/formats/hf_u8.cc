// SPDX-License-Identifier: MIT
#include "tern/pack/formats/hf_u8.h"

#include <algorithm>

#include "tern/base/checked_math.h"

namespace tern::formats {
namespace {

std::optional<int64_t> Bytes(int64_t n, int64_t k) {
  if (n % 4 != 0) return std::nullopt;
  return CheckedMul(n / 4, k);
}

void Encode(const int8_t* trits, int64_t n, int64_t k, uint8_t* codes) {
  const int64_t quarter = n / 4 * k;
  for (int64_t j = 0; j < quarter; ++j) {
    int byte = 0;
    for (int i = 0; i < 4; ++i) byte |= (trits[i * quarter + j] + 1) << (2 * i);
    codes[j] = static_cast<uint8_t>(byte);
  }
}

bool IsWrong(uint8_t codes) { return (codes & codes >> 1 & 0x55) != 0; }

// The first byte of begin .. end - 1 with a code that is no trit, or -1. The first loop, without an
// exit, becomes vectors.
int64_t FindWrong(const uint8_t* codes, int64_t begin, int64_t end) {
  int any = 0;
  for (int64_t j = begin; j < end; ++j) any |= codes[j] & codes[j] >> 1 & 0x55;
  if (any == 0) return -1;
  return std::find_if(codes + begin, codes + end, IsWrong) - codes;
}

int64_t Decode(const uint8_t* codes, int64_t n, int64_t k, int8_t* trits) {
  return DecodeHfU8Rows(codes, n, k, 0, n / 4, trits);
}

}  // namespace

int64_t DecodeHfU8Rows(const uint8_t* codes, int64_t n, int64_t k, int64_t row_begin,
                       int64_t row_end, int8_t* trits) {
  const int64_t quarter = n / 4 * k;
  constexpr int64_t kRun = 4096;  // bytes between two looks at what was wrong
  for (int64_t begin = row_begin * k; begin < row_end * k; begin += kRun) {
    const int64_t end = std::min(begin + kRun, row_end * k);
    if (const int64_t wrong = FindWrong(codes, begin, end); wrong >= 0) return wrong;
    for (int i = 0; i < 4; ++i) {
      int8_t* const row = trits + i * quarter;
      for (int64_t j = begin; j < end; ++j) {
        row[j] = static_cast<int8_t>((codes[j] >> (2 * i) & 3) - 1);
      }
    }
  }
  return -1;
}

const TritFormatInfo hf_u8 = {.name = "hf_u8",
                              .byte_rows = 4,
                              .byte_columns = 1,
                              .shapes = "rows come in fours",
                              .bytes = Bytes,
                              .encode = Encode,
                              .decode = Decode};

}  // namespace tern::formats
