// SPDX-License-Identifier: MIT
#include "tern/pack/formats/two_bit.h"

#include <algorithm>

#include "tern/base/checked_math.h"

namespace tern::formats {
namespace {

std::optional<int64_t> Bytes(int64_t n, int64_t k) { return CheckedMul(n, CeilDiv<int64_t>(k, 4)); }

void Encode(const int8_t* trits, int64_t n, int64_t k, uint8_t* codes) {
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t column = 0; column < k; column += 4) {
      const int64_t count = std::min<int64_t>(4, k - column);
      int byte = 0;
      for (int64_t i = 0; i < count; ++i) byte |= (*trits++ + 1) << (2 * i);
      *codes++ = static_cast<uint8_t>(byte);
    }
  }
}

int64_t Decode(const uint8_t* codes, int64_t n, int64_t k, int8_t* trits) {
  const uint8_t* next = codes;
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t column = 0; column < k; column += 4) {
      const int64_t count = std::min<int64_t>(4, k - column);
      const int byte = *next;
      if ((byte & byte >> 1 & 0x55) != 0 || byte >> (2 * count) != 0) return next - codes;
      for (int64_t i = 0; i < count; ++i) *trits++ = static_cast<int8_t>((byte >> (2 * i) & 3) - 1);
      ++next;
    }
  }
  return -1;
}

}  // namespace

const TritFormatInfo two_bit = {.name = "two_bit",
                                .byte_rows = 1,
                                .byte_columns = 4,
                                .shapes = "any",
                                .bytes = Bytes,
                                .encode = Encode,
                                .decode = Decode};

}  // namespace tern::formats
