// SPDX-License-Identifier: MIT
// PMADDUBSW multiplies codes by activations and adds pairs into int16, which holds kSteps of them.
#pragma once

#include <smmintrin.h>

#include <cstring>

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kVectorBytes = 16;
constexpr int kTileRows = 2;
constexpr int kTilePanels = 1;
constexpr int kTileUnroll = 1;
constexpr int kSteps = 64;
static_assert(kSteps * 2 * 2 * 127 <= INT16_MAX && kSteps * 2 * 2 * -128 >= INT16_MIN);
static_assert(kMaxTernaryColumns * 128 * 2 <= INT32_MAX);

using Codes = __m128i;
using Columns = __m128i;
using Sums = __v8hi;  // see vnni512-inl.h

HWY_INLINE Codes LoadCodes(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
HWY_INLINE void StoreCodes(Codes v, uint8_t* p) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
}
HWY_INLINE Columns LoadColumns(const int8_t* p) {
  int32_t four;
  std::memcpy(&four, p, sizeof(four));
  return _mm_set1_epi32(four);
}
HWY_INLINE void Touch(Columns& x) { asm volatile("" : "+x"(x)); }
template <int kField>
HWY_INLINE Codes Field(Codes packed) {
  return _mm_and_si128(_mm_srli_epi16(packed, 2 * kField), _mm_set1_epi8(3));
}
template <int kField>
HWY_INLINE Codes MaskedField(Codes packed) {
  const Codes low = kField < 2 ? packed : _mm_srli_epi16(packed, 4);
  return _mm_and_si128(low, _mm_set1_epi8(kField % 2 == 0 ? 3 : 12));
}
HWY_INLINE Sums MultiplyAdd(Codes w, Columns x, Sums sums) {
  const __m128i products = _mm_maddubs_epi16(w, x);
  return reinterpret_cast<Sums>(_mm_add_epi16(reinterpret_cast<__m128i>(sums), products));
}
HWY_INLINE void AddSums(Sums sums, int32_t* acc) {
  __m128i* const to = reinterpret_cast<__m128i*>(acc);
  const __m128i wide = _mm_madd_epi16(reinterpret_cast<__m128i>(sums), _mm_set1_epi16(1));
  _mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), wide));
}

}  // namespace ternary
TERN_END_TARGET

#include "tern/kernels/ternary/dot-tile-inl.h"
#include "tern/kernels/ternary/narrow-inl.h"
#include "tern/kernels/ternary/plain-base3-inl.h"
#include "tern/kernels/ternary/products-inl.h"
