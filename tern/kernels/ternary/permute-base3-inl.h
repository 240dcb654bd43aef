// SPDX-License-Identifier: MIT
// kPanelsBase3 of products-inl.h with VPERMI2B, which looks 64 bytes up in a table of 128. VPERMB
// finds 84 times the fifth code of a byte by its upper six bits. What the byte has beyond that is
// below 81; the table has its four codes as fields of kPanels2Bit. The fifth code times 84 is
// multiplied as it is, and the sum divided exactly at the end.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "tern/kernels/ternary/groups-base3-inl.h"
#include "tern/kernels/ternary/vnni512-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr bool kFastBase3 = true;

struct alignas(64) Base3Tables {
  uint8_t fields[128] = {};
  uint8_t fifth[64] = {};  // by a byte's upper six bits

  constexpr Base3Tables() {
    for (int i = 0; i < 63; ++i) fifth[i] = static_cast<uint8_t>(4 * i / 84 * 84);
    for (int low = 0; low < 81; ++low) {
      fields[low] =
          static_cast<uint8_t>(low % 3 | low / 3 % 3 << 2 | low / 9 % 3 << 4 | low / 27 << 6);
    }
  }
};
constexpr Base3Tables kBase3Tables;

struct Base3Codes {
  Codes fields;  // the lower four codes, as in kPanels2Bit
  Codes fifth;   // the fifth code times 84
};

HWY_INLINE Base3Codes LoadBase3(const uint8_t* base3) {
  const uint8_t* const fields = kBase3Tables.fields;
  const __m512i bytes = _mm512_loadu_si512(base3);
  const __m512i fifth =
      _mm512_permutexvar_epi8(_mm512_srli_epi16(bytes, 2), _mm512_load_si512(kBase3Tables.fifth));
  const __m512i low = _mm512_sub_epi8(bytes, fifth);
  return {_mm512_permutex2var_epi8(_mm512_load_si512(fields), low, _mm512_load_si512(fields + 64)),
          fifth};
}

template <int kMask>
HWY_INLINE __m512i Masked(__m512i x) {
  return _mm512_and_si512(x, _mm512_set1_epi8(static_cast<char>(kMask)));
}

// 84 and 168 have 1 and 2 in their bits 2 and 3, 4 and 5, 6 and 7: a fifth code is there already
// where most fields of kPanels2Bit want it.
HWY_INLINE void ExpandGroup(const uint8_t* HWY_RESTRICT base3, uint8_t* HWY_RESTRICT packed) {
  const Base3Codes a = LoadBase3(base3);
  const Base3Codes b = LoadBase3(base3 + kPanelBlockBytes);
  const Base3Codes c = LoadBase3(base3 + 2 * kPanelBlockBytes);
  const Base3Codes d = LoadBase3(base3 + 3 * kPanelBlockBytes);
  const __m512i blocks[k2BitBlocks] = {
      a.fields,
      _mm512_or_si512(_mm512_srli_epi16(Masked<0x0C>(a.fifth), 2),
                      _mm512_slli_epi16(Masked<0x3F>(b.fields), 2)),
      _mm512_or_si512(
          _mm512_or_si512(_mm512_srli_epi16(Masked<0xC0>(b.fields), 6), Masked<0x0C>(b.fifth)),
          _mm512_slli_epi16(Masked<0x0F>(c.fields), 4)),
      _mm512_or_si512(
          _mm512_or_si512(_mm512_srli_epi16(Masked<0xF0>(c.fields), 4), Masked<0x30>(c.fifth)),
          _mm512_slli_epi16(Masked<0x03>(d.fields), 6)),
      _mm512_or_si512(_mm512_srli_epi16(Masked<0xFC>(d.fields), 2), Masked<0xC0>(d.fifth))};
  for (int i = 0; i < k2BitBlocks; ++i) {
    _mm512_storeu_si512(packed + i * kPanelBlockBytes, blocks[i]);
  }
}

// acc [S][16] of S streams, kBase3Step blocks at a time: enough sums to hide a dot product's time.
constexpr int kBase3Step = 2;
constexpr int64_t kBase3StepColumns = kBase3Step * kBase3BlockColumns;
static_assert(kBase3ColumnMultiple % kBase3StepColumns == 0);

template <int S>
struct Base3Sums {
  static constexpr int kSets = S == 1 ? kBase3Step : 1;
  Sums sums[S][kSets][5] = {};

  HWY_INLINE void Add(const uint8_t* base3, int64_t stream_bytes, const int8_t* q) {
    TERN_UNROLL
    for (int u = 0; u < kBase3Step; ++u) {
      TERN_UNROLL
      for (int v = 0; v < S; ++v) {
        const uint8_t* const from = base3 + v * stream_bytes + u * kPanelBlockBytes;
        const int8_t* const x = q + u * kBase3BlockColumns;
        FetchAhead(from);
        const Base3Codes codes = LoadBase3(from);
        Sums* const s = sums[v][u % kSets];
        s[0] = MultiplyAdd(MaskedField<0>(codes.fields), LoadColumns(x), s[0]);
        s[1] = MultiplyAdd(MaskedField<1>(codes.fields), LoadColumns(x + 4), s[1]);
        s[2] = MultiplyAdd(MaskedField<2>(codes.fields), LoadColumns(x + 8), s[2]);
        s[3] = MultiplyAdd(MaskedField<3>(codes.fields), LoadColumns(x + 12), s[3]);
        s[4] = MultiplyAdd(codes.fifth, LoadColumns(x + 16), s[4]);
      }
    }
  }

  HWY_INLINE void Store(int32_t* acc) {
    constexpr uint32_t kInverse = 0x3CF3CF3D;  // of 21, modulo 2^32: products divide exactly
    static_assert(kInverse * 21U == 1);
    const __m512i inverse = _mm512_set1_epi32(static_cast<int32_t>(kInverse));
    TERN_UNROLL
    for (int v = 0; v < S; ++v) {
      Sums* const s = sums[v][0];
      TERN_UNROLL
      for (int i = 0; i < 5 && kSets == 2; ++i) s[i] += sums[v][kSets - 1][i];
      const __m512i fifth = _mm512_mullo_epi32(reinterpret_cast<__m512i>(s[4]), inverse);
      const Sums total = (s[0] >> kMaskedShift[0]) + (s[1] >> kMaskedShift[1]) +
                         (s[2] >> kMaskedShift[2]) + (s[3] >> kMaskedShift[3]) +
                         (reinterpret_cast<Sums>(fifth) >> 2);
      _mm512_storeu_si512(acc + v * kPanelRows, reinterpret_cast<__m512i>(total));
    }
  }
};

template <int S>
HWY_INLINE void Base3RowDots(const uint8_t* base3, int64_t stream_bytes, int64_t k, const int8_t* q,
                             int32_t* acc) {
  static_assert((kMaxTernaryColumns + kBase3ColumnMultiple) / 5 * 128 * 168 <= INT32_MAX);
  Base3Sums<S> sums;
  const int64_t columns = PaddedColumns(k);
  int64_t c = 0;
  for (; c + kBase3StepColumns <= columns; c += kBase3StepColumns) {
    sums.Add(base3, stream_bytes, q + c);
    base3 += kBase3Step * kPanelBlockBytes;
  }
  if (c < columns) {  // the row may end here
    int8_t rest[kBase3StepColumns] = {};
    std::memcpy(rest, q + c, static_cast<size_t>(columns - c));
    sums.Add(base3, stream_bytes, rest);
  }
  sums.Store(acc);
}

}  // namespace ternary
TERN_END_TARGET
