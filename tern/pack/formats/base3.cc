// SPDX-License-Identifier: MIT
#include "tern/pack/formats/base3.h"

#include <algorithm>

#include "tern/base/checked_math.h"

namespace tern::formats {
namespace {

std::optional<int64_t> Bytes(int64_t n, int64_t k) { return CheckedMul(n, CeilDiv<int64_t>(k, 5)); }

void Encode(const int8_t* trits, int64_t n, int64_t k, uint8_t* codes) {
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t column = 0; column < k; column += 5) {
      int byte = 0;
      for (int64_t c = std::min(k, column + 5) - 1; c >= column; --c) {
        byte = 3 * byte + trits[row * k + c] + 1;
      }
      *codes++ = static_cast<uint8_t>(byte);
    }
  }
}

int64_t Decode(const uint8_t* codes, int64_t n, int64_t k, int8_t* trits) {
  const uint8_t* next = codes;
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t column = 0; column < k; column += 5) {
      int rest = *next;
      for (int64_t c = column; c < std::min(k, column + 5); ++c) {
        *trits++ = static_cast<int8_t>(rest % 3 - 1);
        rest /= 3;
      }
      if (rest != 0) return next - codes;  // above 242, or a digit behind the row
      ++next;
    }
  }
  return -1;
}

}  // namespace

const TritFormatInfo base3 = {.name = "base3",
                              .byte_rows = 1,
                              .byte_columns = 5,
                              .shapes = "any",
                              .bytes = Bytes,
                              .encode = Encode,
                              .decode = Decode};

}  // namespace tern::formats
