// SPDX-License-Identifier: MIT
// VPDPBUSD on 256 bits, in its VEX encoding: four codes by four activations in each of 8 rows.
#pragma once

#include "tern/kernels/ternary/avx2-codes-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kTileRows = 6;
constexpr int kTilePanels = 1;
constexpr int kTileUnroll = 1;
constexpr int kSteps = 1 << 14;
static_assert(int64_t{kSteps} * 4 * 128 * 2 <= INT32_MAX);
static_assert(kMaxTernaryColumns * 128 * 2 <= INT32_MAX);

using Sums = __v8si;  // see vnni512-inl.h

HWY_INLINE Sums MultiplyAdd(Codes w, Columns x, Sums sums) {
  return reinterpret_cast<Sums>(_mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sums), w, x));
}
HWY_INLINE void AddSums(Sums sums, int32_t* acc) {
  __m256i* const to = reinterpret_cast<__m256i*>(acc);
  _mm256_storeu_si256(to,
                      _mm256_add_epi32(_mm256_loadu_si256(to), reinterpret_cast<__m256i>(sums)));
}
template <int kField>
HWY_INLINE Codes MaskedField(Codes packed) {
  return _mm256_and_si256(packed, _mm256_set1_epi8(static_cast<char>(3 << 2 * kField)));
}
constexpr int kMaskedShift[4] = {0, 2, 4, 6};

// Weights are read once and from memory, faster than the CPU looks ahead by itself.
constexpr int64_t kFetchAhead = 1024;
constexpr int64_t kFetchFar = 0;

}  // namespace ternary
TERN_END_TARGET

#include "tern/kernels/ternary/dot-tile-inl.h"
#include "tern/kernels/ternary/masked-inl.h"
#include "tern/kernels/ternary/plain-base3-inl.h"
#include "tern/kernels/ternary/products-inl.h"
