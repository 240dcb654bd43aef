// SPDX-License-Identifier: MIT
// VPDPBUSD on 512 bits: one multiplies four codes by four activations in each of 16 rows. For
// targets that have it, with RowDots and UnpackCodes of products-inl.h.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "tern/kernels/ternary/ternary.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kVectorBytes = 64;
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

template <int kField>
HWY_INLINE Codes MaskedField(Codes packed) {
  return _mm512_and_si512(packed, _mm512_set1_epi8(static_cast<char>(3 << 2 * kField)));
}
constexpr int kMaskedShift[4] = {0, 2, 4, 6};

// Weights are read once and from memory, faster than the CPU looks ahead by itself.
constexpr int64_t kFetchAhead = 1024;
constexpr int64_t kFetchFar = 4096;

}  // namespace ternary
TERN_END_TARGET

#include "tern/kernels/ternary/masked-inl.h"
#include "tern/kernels/ternary/unpack-inl.h"
