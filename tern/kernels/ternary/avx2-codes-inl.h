// SPDX-License-Identifier: MIT
// What dot-tile-inl.h asks for that is the same for every target of 256 bits.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kVectorBytes = 32;

using Codes = __m256i;
using Columns = __m256i;

HWY_INLINE Codes LoadCodes(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
HWY_INLINE void StoreCodes(Codes v, uint8_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
}
HWY_INLINE Columns LoadColumns(const int8_t* p) {
  int32_t four;
  std::memcpy(&four, p, sizeof(four));
  return _mm256_set1_epi32(four);
}
HWY_INLINE void Touch(Columns& x) { asm volatile("" : "+x"(x)); }
template <int kField>
HWY_INLINE Codes Field(Codes packed) {
  return _mm256_and_si256(_mm256_srli_epi16(packed, 2 * kField), _mm256_set1_epi8(3));
}

}  // namespace ternary
TERN_END_TARGET
