// SPDX-License-Identifier: MIT
// VPMADDUBSW multiplies codes by activations and adds pairs into int16, which holds kSteps of them.
#pragma once

#include "tern/kernels/ternary/avx2-codes-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kTileRows = 4;
constexpr int kTilePanels = 1;
constexpr int kTileUnroll = 1;
constexpr int kSteps = 64;
static_assert(kSteps * 2 * 2 * 127 <= INT16_MAX && kSteps * 2 * 2 * -128 >= INT16_MIN);
static_assert(kMaxTernaryColumns * 128 * 2 <= INT32_MAX);

using Sums = __v16hi;  // see vnni512-inl.h

template <int kField>
HWY_INLINE Codes MaskedField(Codes packed) {
  const Codes low = kField < 2 ? packed : _mm256_srli_epi16(packed, 4);
  return _mm256_and_si256(low, _mm256_set1_epi8(kField % 2 == 0 ? 3 : 12));
}
HWY_INLINE Sums MultiplyAdd(Codes w, Columns x, Sums sums) {
  const __m256i products = _mm256_maddubs_epi16(w, x);
  return reinterpret_cast<Sums>(_mm256_add_epi16(reinterpret_cast<__m256i>(sums), products));
}
HWY_INLINE void AddSums(Sums sums, int32_t* acc) {
  __m256i* const to = reinterpret_cast<__m256i*>(acc);
  const __m256i wide = _mm256_madd_epi16(reinterpret_cast<__m256i>(sums), _mm256_set1_epi16(1));
  _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), wide));
}

}  // namespace ternary
TERN_END_TARGET

#include "tern/kernels/ternary/dot-tile-inl.h"
#include "tern/kernels/ternary/narrow-inl.h"
#include "tern/kernels/ternary/plain-base3-inl.h"
#include "tern/kernels/ternary/products-inl.h"
