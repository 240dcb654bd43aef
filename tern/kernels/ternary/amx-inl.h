// SPDX-License-Identifier: MIT
// TDPBSUD multiplies 16 rows of activations by the 16 rows of a panel, 64 columns at once. Unpacked
// codes are a tile's operand as they lie: 64 bytes hold 16 rows by 4 columns. One row alone is read
// as by avx512vbmi, since memory bounds it.
//
// A thread's tiles are released at the end of a call: the operating system then has none to save
// when it takes the CPU away.
#pragma once

#include <immintrin.h>

#include "tern/kernels/ternary/vnni512-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kTileRows = 32;
constexpr int kTilePanels = 2;
constexpr int64_t kDepth = 960;
constexpr int64_t kCodeBytes = kDepth * kPanelRows;
// Pieces of about 640 columns, all of one size: the codes of two panels and 32 rows then stay in a
// first cache of 48 KB.
constexpr int64_t PieceColumns(int64_t columns) {
  const int64_t pieces = columns < kDepth ? 1 : (columns + 320) / 640;
  return PaddedColumns((columns + pieces - 1) / pieces);
}
constexpr int64_t kTileColumns = 64;
static_assert(kPanelColumnMultiple % kTileColumns == 0);

// Operand of LDTILECFG. Tiles 0 to 3 are sums [2 blocks of rows][2 panels], 4 and 5 activations of
// the blocks, 6 and 7 codes of the panels.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {};
};

// g++ does not know that tile instructions read and write memory, beyond a word of a configuration.
HWY_INLINE void MemoryBarrier(const void* p) { asm volatile("" : : "r"(p) : "memory"); }

// The thread's tiles, for blocks of `high` and `low` rows (0: one block).
class Tiles {
 public:
  HWY_INLINE ~Tiles() {
    if (high != 0) _tile_release();
  }
  HWY_INLINE void SetRows(int64_t rows) {
    const int64_t new_high = rows > 16 ? (rows + 1) / 2 : rows;
    if (new_high == high && rows - new_high == low) return;
    high = new_high;
    low = rows - new_high;
    const uint8_t a = static_cast<uint8_t>(high);
    const uint8_t b = static_cast<uint8_t>(low == 0 ? high : low);
    const TileConfig config = {.rows = {a, a, b, b, a, b, 16, 16}};
    MemoryBarrier(&config);
    _tile_loadconfig(&config);
  }

  int64_t high = 0;
  int64_t low = 0;
};

template <int P>
HWY_INLINE void UnpackStep(const uint8_t* packed, int64_t panel_bytes, int64_t c, uint8_t* codes) {
  TERN_UNROLL
  for (int p = 0; p < P; ++p) {
    UnpackCodes(packed + p * panel_bytes + c * (kPanelRows / 4), kTileColumns,
                codes + p * kCodeBytes + c * kPanelRows);
  }
  MemoryBarrier(codes);
}

// One or two (kTwo) blocks of rows times P panels; unpacks the codes too, one step ahead, if
// `packed` is not null: the tile multiplier and the vectors then work at the same time.
template <bool kTwo, int P>
HWY_NOINLINE void Tile(int64_t high, const uint8_t* packed, int64_t panel_bytes, uint8_t* codes,
                       int64_t columns, const int8_t* q, int64_t stride, int32_t* acc,
                       bool first) noexcept {
  constexpr int64_t kAccStride = P * kPanelRows * sizeof(int32_t);
  const int8_t* const q_low = q + high * stride;
  int32_t* const acc_low = acc + high * P * kPanelRows;
  if (packed != nullptr) UnpackStep<P>(packed, panel_bytes, 0, codes);
  MemoryBarrier(acc);
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, acc, kAccStride);
    if constexpr (P > 1) _tile_loadd(1, acc + kPanelRows, kAccStride);
    if constexpr (kTwo) _tile_loadd(2, acc_low, kAccStride);
    if constexpr (kTwo && P > 1) _tile_loadd(3, acc_low + kPanelRows, kAccStride);
  }
  for (int64_t c = 0; c < columns; c += kTileColumns) {
    if (packed != nullptr && c + kTileColumns < columns) {
      UnpackStep<P>(packed, panel_bytes, c + kTileColumns, codes);
    }
    _tile_loadd(4, q + c, stride);
    _tile_loadd(6, codes + c * kPanelRows, 64);
    _tile_dpbsud(0, 4, 6);
    if constexpr (kTwo) {
      _tile_loadd(5, q_low + c, stride);
      _tile_dpbsud(2, 5, 6);
    }
    if constexpr (P > 1) {
      _tile_loadd(7, codes + kCodeBytes + c * kPanelRows, 64);
      _tile_dpbsud(1, 4, 7);
      if constexpr (kTwo) _tile_dpbsud(3, 5, 7);
    }
  }
  _tile_stored(0, acc, kAccStride);
  if constexpr (P > 1) _tile_stored(1, acc + kPanelRows, kAccStride);
  if constexpr (kTwo) _tile_stored(2, acc_low, kAccStride);
  if constexpr (kTwo && P > 1) _tile_stored(3, acc_low + kPanelRows, kAccStride);
  MemoryBarrier(acc);
}

template <int P>
HWY_INLINE void AnyTile(Tiles& tiles, int64_t rows, const uint8_t* packed, int64_t panel_bytes,
                        uint8_t* codes, int64_t columns, const int8_t* q, int64_t stride,
                        int32_t* acc, bool first) {
  tiles.SetRows(rows);
  if (tiles.low > 0) {
    Tile<true, P>(tiles.high, packed, panel_bytes, codes, columns, q, stride, acc, first);
  } else {
    Tile<false, P>(tiles.high, packed, panel_bytes, codes, columns, q, stride, acc, first);
  }
}

int64_t RegisterPeak(int64_t rounds) noexcept {
  Tiles tiles;
  tiles.SetRows(32);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  int64_t i = 0;
  do {
    _tile_dpbsud(0, 4, 6);
    _tile_dpbsud(2, 5, 6);
    _tile_dpbsud(1, 4, 7);
    _tile_dpbsud(3, 5, 7);
  } while (++i < rounds);
  return rounds * 4 * 16 * 16 * 64;
}

}  // namespace ternary
TERN_END_TARGET

#include "tern/kernels/ternary/permute-base3-inl.h"
#include "tern/kernels/ternary/products-inl.h"
