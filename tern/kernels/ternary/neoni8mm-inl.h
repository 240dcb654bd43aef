// SPDX-License-Identifier: MIT
// USMMLA multiplies 2 rows of codes by 2 rows of activations, 8 columns at once; USDOT, for one
// row, four codes by four activations in each of 4 rows.
//
// Unpacked codes are pairs of rows by 8 columns, a vector each:
//   [columns / 8][row pair 0 .. 7][row of the pair][8 columns]
#pragma once

#include <algorithm>
#include <cstring>

#include "tern/kernels/ternary/neon-codes-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kTileRows = 6;
constexpr int kTilePanels = 1;
constexpr int64_t kDepth = 2560;
constexpr int64_t kCodeBytes = kDepth * kPanelRows;
constexpr int64_t PieceColumns(int64_t) { return kDepth; }
constexpr int kRowPairs = kPanelRows / 2;
static_assert(kMaxTernaryColumns * 128 * 2 <= INT32_MAX);

using Sums = int32x4_t;

HWY_INLINE Sums MultiplyAdd(Codes w, Columns x, Sums sums) { return vusdotq_s32(sums, w, x); }
HWY_INLINE void AddSums(Sums sums, int32_t* acc) {
  vst1q_s32(acc, vaddq_s32(vld1q_s32(acc), sums));
}
template <int kField>
HWY_INLINE Codes MaskedField(Codes packed) {
  return vandq_u8(packed, vdupq_n_u8(3 << 2 * kField));
}
constexpr int kMaskedShift[4] = {0, 2, 4, 6};

// Weights are read once and from memory, faster than the CPU looks ahead by itself.
constexpr int64_t kFetchAhead = 2048;
constexpr int64_t kFetchFar = 0;

// Fields kField and kField + 1 of 4 rows, as two pairs of rows.
template <int kField>
HWY_INLINE void UnpackFields(Codes packed, uint8_t* codes) {
  const uint32x4_t left = vreinterpretq_u32_u8(Field<kField>(packed));
  const uint32x4_t right = vreinterpretq_u32_u8(Field<kField + 1>(packed));
  StoreCodes(vreinterpretq_u8_u32(vzip1q_u32(left, right)), codes);
  StoreCodes(vreinterpretq_u8_u32(vzip2q_u32(left, right)), codes + kVectorBytes);
}

void UnpackCodes(const uint8_t* packed, int64_t columns, uint8_t* codes) {
  constexpr int kHalf = kRowPairs * kVectorBytes;
  for (int64_t c = 0; c < columns; c += kPanelBlockColumns) {
    for (int v = 0; v < kPanelBlockBytes / kVectorBytes; ++v) {
      const Codes four_rows = LoadCodes(packed + v * kVectorBytes);
      UnpackFields<0>(four_rows, codes + v * 2 * kVectorBytes);
      UnpackFields<2>(four_rows, codes + kHalf + v * 2 * kVectorBytes);
    }
    packed += kPanelBlockBytes;
    codes += 2 * kHalf;
  }
}

// acc [rows][16] += rows of q, T pairs of them, times codes. The last row of an odd number of rows
// makes a pair with itself.
template <int T>
HWY_NOINLINE void Tile(int64_t rows, const uint8_t* codes, int64_t columns, const int8_t* q,
                       int64_t stride, int32_t* acc) noexcept {
  const int8_t* x_row[2 * T];
  for (int64_t t = 0; t < 2 * T; ++t) x_row[t] = q + std::min(t, rows - 1) * stride;
  Sums sums[T][kRowPairs] = {};  // [2 rows of w][2 rows of x]
  int64_t c = 0;
  do {
    Columns x[T];
    TERN_UNROLL
    for (int t = 0; t < T; ++t) {
      x[t] = vcombine_s8(vld1_s8(x_row[2 * t] + c), vld1_s8(x_row[2 * t + 1] + c));
    }
    TERN_UNROLL
    for (int p = 0; p < kRowPairs; ++p) {
      const Codes w = LoadCodes(codes + c * kPanelRows + p * kVectorBytes);
      TERN_UNROLL
      for (int t = 0; t < T; ++t) sums[t][p] = vusmmlaq_s32(sums[t][p], w, x[t]);
    }
    c += 8;
  } while (c < columns);
  TERN_UNROLL
  for (int t = 0; t < T; ++t) {
    int32_t* const to = acc + 2 * t * kPanelRows;
    TERN_UNROLL
    for (int p = 0; p < kRowPairs; p += 2) {
      AddSums(vuzp1q_s32(sums[t][p], sums[t][p + 1]), to + 2 * p);
      if (2 * t + 1 < rows) {
        AddSums(vuzp2q_s32(sums[t][p], sums[t][p + 1]), to + kPanelRows + 2 * p);
      }
    }
  }
}

struct Tiles {};  // nothing to set up

template <int P>
HWY_INLINE void AnyTile(Tiles&, int64_t rows, const uint8_t* packed, int64_t, uint8_t* codes,
                        int64_t columns, const int8_t* q, int64_t stride, int32_t* acc,
                        bool first) {
  static_assert(P == 1 && kTileRows == 6);
  if (packed != nullptr) UnpackCodes(packed, columns, codes);
  if (first) std::memset(acc, 0, static_cast<size_t>(rows * kPanelRows) * sizeof(int32_t));
  if (rows > 4) {
    Tile<3>(rows, codes, columns, q, stride, acc);
  } else if (rows > 2) {
    Tile<2>(rows, codes, columns, q, stride, acc);
  } else {
    Tile<1>(rows, codes, columns, q, stride, acc);
  }
}

int64_t RegisterPeak(int64_t rounds) noexcept {
  constexpr int kCount = kTileRows / 2 * kRowPairs;
  const Codes w = vdupq_n_u8(1);
  Columns x = vdupq_n_s8(1);
  Sums sums[kCount] = {};
  int64_t i = 0;
  do {
    TERN_UNROLL
    for (int v = 0; v < kCount; ++v) {
      Touch(x);  // or the compiler sees that all products are equal
      sums[v] = vusmmlaq_s32(sums[v], w, x);
    }
  } while (++i < rounds);
  int32_t acc[4] = {};
  for (int v = 0; v < kCount; ++v) AddSums(sums[v], acc);
  asm volatile("" : : "r"(acc) : "memory");
  return rounds * kCount * 2 * 2 * 8;
}

}  // namespace ternary
TERN_END_TARGET

#include "tern/kernels/ternary/masked-inl.h"
#include "tern/kernels/ternary/plain-base3-inl.h"
#include "tern/kernels/ternary/products-inl.h"
