// SPDX-License-Identifier: MIT
#include "tern/pack/formats/hf_u8.h"

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

int64_t Decode(const uint8_t* codes, int64_t n, int64_t k, int8_t* trits) {
  const int64_t quarter = n / 4 * k;
  for (int64_t j = 0; j < quarter; ++j) {
    if ((codes[j] & codes[j] >> 1 & 0x55) != 0) return j;
    for (int i = 0; i < 4; ++i) {
      trits[i * quarter + j] = static_cast<int8_t>((codes[j] >> (2 * i) & 3) - 1);
    }
  }
  return -1;
}

}  // namespace

const TritFormatInfo hf_u8 = {.name = "hf_u8",
                              .byte_rows = 4,
                              .byte_columns = 1,
                              .shapes = "rows come in fours",
                              .bytes = Bytes,
                              .encode = Encode,
                              .decode = Decode};

}  // namespace tern::formats
