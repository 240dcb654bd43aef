// SPDX-License-Identifier: MIT
// One VPDPBUSD multiplies four codes by four activations in each of 16 rows.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kVectorBytes = 64;
constexpr int kTileRows = 6;
constexpr int kTilePanels = 4;
constexpr int kTileUnroll = 4;
constexpr int kSteps = 1 << 14;
static_assert(int64_t{kSteps} * 4 * 128 * 2 <= INT32_MAX);
static_assert(kMaxTernaryColumns * 128 * 2 <= INT32_MAX);

using Codes = __m512i;
using Columns = __m512i;
// Of the type that the instructions work on: compilers keep loops over __m512i, which is of 64-bit
// lanes, in twice the registers.
using Sums = __v16si;

HWY_INLINE Codes LoadCodes(const uint8_t* p) { return _mm512_loadu_si512(p); }
HWY_INLINE void StoreCodes(Codes v, uint8_t* p) { _mm512_storeu_si512(p, v); }
HWY_INLINE Columns LoadColumns(const int8_t* p) {
  int32_t four;
  std::memcpy(&four, p, sizeof(four));
  return _mm512_set1_epi32(four);
}
HWY_INLINE void Touch(Columns& x) { asm volatile("" : "+v"(x)); }
template <int kField>
HWY_INLINE Codes Field(Codes packed) {
  return _mm512_and_si512(_mm512_srli_epi32(packed, 2 * kField), _mm512_set1_epi8(3));
}
HWY_INLINE Sums MultiplyAdd(Codes w, Columns x, Sums sums) {
  return reinterpret_cast<Sums>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums), w, x));
}
HWY_INLINE void AddSums(Sums sums, int32_t* acc) {
  _mm512_storeu_si512(acc,
                      _mm512_add_epi32(_mm512_loadu_si512(acc), reinterpret_cast<__m512i>(sums)));
}

// Weights are read once and from memory, faster than the CPU looks ahead by itself.
constexpr int64_t kFetchAhead = 1024;

// Fields are masked where they lie, not shifted down, which saves half of the work beside the dot
// products: the sums of field i are 4^i times too large, and divided exactly at the end.
HWY_INLINE void RowDots(const uint8_t* panel, int64_t k, const int8_t* q, int32_t* acc) {
  static_assert(kMaxTernaryColumns / 4 * 128 * 128 <= INT32_MAX);
  constexpr int kBlocks = 2;
  static_assert(kPanelColumnMultiple % (kBlocks * kPanelBlockColumns) == 0);
  Sums sums[kBlocks][4] = {};
  const Codes mask[4] = {_mm512_set1_epi8(0x03), _mm512_set1_epi8(0x0C), _mm512_set1_epi8(0x30),
                         _mm512_set1_epi8(static_cast<char>(0xC0))};
  for (int64_t c = 0; c < PaddedColumns(k); c += kBlocks * kPanelBlockColumns) {
    for (int u = 0; u < kBlocks; ++u) {
      __builtin_prefetch(panel + u * kPanelBlockBytes + kFetchAhead);
      const Codes packed = LoadCodes(panel + u * kPanelBlockBytes);
      for (int i = 0; i < 4; ++i) {
        const Columns x = LoadColumns(q + c + u * kPanelBlockColumns + 4 * i);
        sums[u][i] = MultiplyAdd(_mm512_and_si512(packed, mask[i]), x, sums[u][i]);
      }
    }
    panel += kBlocks * kPanelBlockBytes;
  }
  __m512i total = _mm512_setzero_si512();
  for (int u = 0; u < kBlocks; ++u) {
    for (int i = 0; i < 4; ++i) {
      const __m512i sum = reinterpret_cast<__m512i>(sums[u][i]);
      total = _mm512_add_epi32(total, _mm512_srai_epi32(sum, static_cast<unsigned>(2 * i)));
    }
  }
  _mm512_storeu_si512(acc, total);
}

}  // namespace ternary
TERN_END_TARGET

#include "tern/kernels/ternary/products-inl.h"
