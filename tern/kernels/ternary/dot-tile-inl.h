// SPDX-License-Identifier: MIT
// AnyTile of products-inl.h on vectors: a target's dot products of four columns. The target gives
//   Codes, Columns    kVectorBytes bytes: codes of kVectorBytes / 4 rows by 4 columns; four columns
//                     of an activation row, repeated
//   Sums              partial sums for the rows of a Codes, starting at Sums{}
//   LoadCodes, StoreCodes, LoadColumns
//   Field<i>(packed)  the codes of field i (pack/ternary_layout.h)
//   MultiplyAdd(codes, columns, sums)   at most kSteps times on one Sums
//   Touch(columns)    makes the compiler believe that they changed
//   AddSums(sums, int32_t* acc)         adds to the accumulators of its kVectorBytes / 4 rows
//   kTileUnroll       steps of four columns between two tests for the end
//   kTileRows, kTilePanels              their Sums fill the registers
#pragma once

#include <cstring>

#include "tern/kernels/ternary/ternary.h"
#include "tern/kernels/ternary/unpack-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kPieceRows = kVectorBytes / 4;
constexpr int64_t kDepth = 2560 < 4 * kSteps ? 2560 : 4 * kSteps;
constexpr int64_t kCodeBytes = kDepth * kPanelRows;  // of a panel's unpacked codes
constexpr int64_t PieceColumns(int64_t) { return kDepth; }
static_assert(kDepth % kPanelColumnMultiple == 0 && kPanelColumnMultiple % (4 * kTileUnroll) == 0);

// acc [T][P][16] += T rows of q, from a column on, times codes [P][kCodeBytes]; columns <= kDepth.
template <int T, int P>
HWY_NOINLINE void Tile(const uint8_t* codes, int64_t columns, const int8_t* q, int64_t stride,
                       int32_t* acc) noexcept {
  constexpr int kCount = P * kPieces;
  Sums sums[T][kCount];
  TERN_UNROLL
  for (int t = 0; t < T; ++t) {
    TERN_UNROLL
    for (int v = 0; v < kCount; ++v) sums[t][v] = Sums{};
  }
  int64_t c = 0;
  do {  // there are columns: a loop that may not run would cost copies of all sums
    TERN_UNROLL
    for (int u = 0; u < kTileUnroll; ++u, c += 4) {
      Codes w[kCount];
      TERN_UNROLL
      for (int v = 0; v < kCount; ++v) {
        w[v] = LoadCodes(codes + v / kPieces * kCodeBytes + c * kPanelRows +
                         v % kPieces * kVectorBytes);
      }
      TERN_UNROLL
      for (int t = 0; t < T; ++t) {
        const Columns x = LoadColumns(q + t * stride + c);
        TERN_UNROLL
        for (int v = 0; v < kCount; ++v) sums[t][v] = MultiplyAdd(w[v], x, sums[t][v]);
      }
    }
  } while (c < columns);
  TERN_UNROLL
  for (int t = 0; t < T; ++t) {
    TERN_UNROLL
    for (int v = 0; v < kCount; ++v) AddSums(sums[t][v], acc + (t * kCount + v) * kPieceRows);
  }
}

// Tile<rows, P> for 1 <= rows <= T.
template <int P, int T = kTileRows>
HWY_INLINE void TileOfRows(int64_t rows, const uint8_t* codes, int64_t columns, const int8_t* q,
                           int64_t stride, int32_t* acc) {
  if constexpr (T > 0) {
    if (rows == T) {
      Tile<T, P>(codes, columns, q, stride, acc);
    } else {
      TileOfRows<P, T - 1>(rows, codes, columns, q, stride, acc);
    }
  }
}

struct Tiles {};  // nothing to set up

template <int P>
HWY_INLINE void AnyTile(Tiles&, int64_t rows, const uint8_t* packed, int64_t panel_bytes,
                        uint8_t* codes, int64_t columns, const int8_t* q, int64_t stride,
                        int32_t* acc, bool first) {
  for (int p = 0; packed != nullptr && p < P; ++p) {
    UnpackCodes(packed + p * panel_bytes, columns, codes + p * kCodeBytes);
  }
  if (first) std::memset(acc, 0, static_cast<size_t>(rows * P * kPanelRows) * sizeof(int32_t));
  TileOfRows<P>(rows, codes, columns, q, stride, acc);
}

int64_t RegisterPeak(int64_t rounds) noexcept {
  constexpr int kCount = kTileRows * kTilePanels * kPieces;
  const uint8_t ones[kVectorBytes] = {1};
  const Codes w = LoadCodes(ones);
  Columns x = LoadColumns(reinterpret_cast<const int8_t*>(ones));
  Sums sums[kCount];
  TERN_UNROLL
  for (int v = 0; v < kCount; ++v) sums[v] = Sums{};
  int64_t i = 0;
  do {
    TERN_UNROLL
    for (int v = 0; v < kCount; ++v) {
      Touch(x);  // or the compiler sees that all products are equal
      sums[v] = MultiplyAdd(w, x, sums[v]);
    }
  } while (++i < rounds);
  int32_t acc[kPieceRows] = {};
  TERN_UNROLL
  for (int v = 0; v < kCount; ++v) AddSums(sums[v], acc);
  asm volatile("" : : "r"(acc) : "memory");
  return rounds * kCount * kVectorBytes;
}

}  // namespace ternary
TERN_END_TARGET
