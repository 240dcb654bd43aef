// SPDX-License-Identifier: MIT
// dots and bit_linear of ternary.h on what a target is good at, and its table of ternary kernels.
// The target gives before this include
//   RowDots<S>(panel, stream_bytes, k, q, int32_t* acc)
//       acc [S][16] = one row times the 16 rows of S panels in kPanels2Bit, that many bytes apart:
//       q * code. S is 1 or kStreams.
//   kFastBase3, ExpandGroup, Base3RowDots<S>
//       The same of kPanelsBase3 (groups-base3-inl.h).
//   kDepth, kCodeBytes
//       How many columns of a panel are unpacked at once at most, and into how many bytes.
//   PieceColumns(columns)
//       How many of so many columns, a multiple of kPanelColumnMultiple.
//   kTileRows, kTilePanels
//       How many rows of activations and panels of weights one pass over the columns computes.
//   AnyTile<P>(tiles, rows, packed, panel_bytes, codes, columns, q, stride, acc, first)
//       Unpacks from P panels, that many bytes apart, to codes [P][kCodeBytes], unless packed is
//       null, since an earlier call did. Then acc [rows][P][16] += (or = where it is the first)
//       rows of q times codes, both from a column on; rows <= kTileRows, columns <= kDepth.
//   Tiles
//       What AnyTile keeps from call to call.
//   RegisterPeak
//
// One row reads the packed codes once, the halves of a range side by side: memory gives two streams
// that never jump faster than one. More rows share codes that were unpacked, kDepth columns at
// a time: at most so many that codes and rows stay in the second cache, from which they stream as
// fast as they are multiplied. Short pieces cost more, since every tile then starts and ends more
// often.
#pragma once

#include <algorithm>
#include <cstring>

#include "tern/kernels/ternary/quantize-inl.h"
#include "tern/kernels/ternary/ternary.h"
#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

// Rows that share unpacked codes: at most so many, and so many bytes.
constexpr int64_t kRowChunk = 256;
constexpr int64_t kRowChunkBytes = 1 << 20;

// What becomes of the dot products of a row with the 16 rows of a panel; Rows: of several rows with
// P panels.
struct StoreDots {
  int32_t* dots;
  int64_t n;
  const int32_t* sum;

  void SetRows(int64_t, int64_t) {}
  const void* Place(int64_t row, int64_t panel) const {
    return dots + row * n + panel * kPanelRows;
  }
  HWY_INLINE void operator()(int64_t row, int64_t panel, const int32_t* acc) const {
    const int64_t count = std::min(kPanelRows, n - panel * kPanelRows);
    int32_t* const to = dots + row * n + panel * kPanelRows;
    for (int64_t r = 0; r < count; ++r) to[r] = acc[r] - sum[row];
  }
  template <int P>
  void Rows(int64_t row, int64_t rows, int64_t panel, const int32_t* acc) const {
    for (int64_t i = 0; i < rows * P; ++i) {
      (*this)(row + i / P, panel + i % P, acc + i * kPanelRows);
    }
  }
};

struct StoreFloats {
  const TernaryOutput& out;
  int64_t n;
  const int32_t* sum;
  int64_t first = 0;
  float factor[kRowChunk] = {};

  void SetRows(int64_t begin, int64_t end) {
    first = begin;
    for (int64_t i = begin; i < end; ++i) factor[i - begin] = out.multiplier / out.scale[i];
  }
  const void* Place(int64_t row, int64_t panel) const {
    return out.y + row * out.y_stride + panel * kPanelRows;
  }
  HWY_INLINE void operator()(int64_t row, int64_t panel, const int32_t* acc) const {
    const int64_t j = panel * kPanelRows;
    const int64_t count = std::min(kPanelRows, n - j);
    const VI row_sum = hn::Set(DI(), sum[row]);
    V16 y;
    for (int p = 0; p < kParts; ++p) {
      const VI dot = hn::Sub(hn::LoadU(DI(), acc + p * kLanes), row_sum);
      y.part[p] = hn::ConvertTo(D(), dot);
    }
    y = Mul(y, Set16(factor[row - first]));
    float* const to = out.y + row * out.y_stride + j;
    if (count == kPanelRows) {
      if (out.bias != nullptr) y = Add(y, Load16(out.bias + j));
      Store16(y, to);
    } else {
      if (out.bias != nullptr) y = Add(y, LoadN16(out.bias + j, count));
      StoreN16(y, to, count);
    }
  }
  template <int P>
  void Rows(int64_t row, int64_t rows, int64_t panel, const int32_t* acc) const {
    if (out.bias != nullptr || (panel + P) * kPanelRows > n) {
      for (int64_t i = 0; i < rows * P; ++i) {
        (*this)(row + i / P, panel + i % P, acc + i * kPanelRows);
      }
      return;
    }
    // The usual case, with everything that rows share in registers.
    const int64_t stride = out.y_stride;
    float* to = out.y + row * stride + panel * kPanelRows;
    const int32_t* const sums = sum + row;
    const float* const factors = factor + (row - first);
    for (int64_t r = 0; r < rows; ++r, to += stride) {
      const VI row_sum = hn::Set(DI(), sums[r]);
      const auto row_factor = hn::Set(D(), factors[r]);
      for (int p = 0; p < P * kParts; ++p, acc += kLanes) {
        const VI dot = hn::Sub(hn::LoadU(DI(), acc), row_sum);
        hn::StoreU(hn::Mul(hn::ConvertTo(D(), dot), row_factor), D(), to + p * kLanes);
      }
    }
  }
};

// Rows begin .. end - 1, at most kRowChunk, times P panels.
template <int P, typename Store>
HWY_NOINLINE void MultiplyChunk(const TernaryPanels& w, const TernaryRows& x, int64_t begin,
                                int64_t end, int64_t panel, const Store& store) noexcept {
  constexpr int64_t kPieceBytes = ExpandedBytes(kDepth);
  HWY_ALIGN uint8_t pieces[P * kPieceBytes];
  HWY_ALIGN uint8_t codes[P * kCodeBytes];
  HWY_ALIGN int32_t acc[kRowChunk * P * kPanelRows];
  const int64_t rows = end - begin;
  Tiles state;
  // Tiles of nearly equal height: a low one would leave the multipliers waiting for each other.
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  const int64_t depth = PieceColumns(PaddedColumns(w.k));
  for (int64_t c = 0; c < PaddedColumns(w.k); c += depth) {
    const int64_t columns = std::min(depth, PaddedColumns(w.k) - c);
    const bool expands = w.layout == TernaryLayout::kPanelsBase3;
    const uint8_t* const packed = PanelPiece(w, panel, c, columns, pieces);
    for (int p = 1; p < P && expands; ++p) {
      PanelPiece(w, panel + p, c, columns, pieces + p * kPieceBytes);
    }
    const int64_t piece_stride = expands ? kPieceBytes : PanelBytes(w.k);
    const bool last = c + columns == PaddedColumns(w.k);
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t row = rows * i / tiles;
      const int64_t row_end = rows * (i + 1) / tiles;
      for (int64_t r = row; last && r < row_end; ++r) {  // results lie far apart: fetch their lines
        for (int p = 0; p < P; ++p) __builtin_prefetch(store.Place(begin + r, panel + p), 1);
      }
      AnyTile<P>(state, row_end - row, i == 0 ? packed : nullptr, piece_stride, codes, columns,
                 x.q + (begin + row) * x.stride + c, x.stride, acc + row * P * kPanelRows, c == 0);
      if (last) {
        store.template Rows<P>(begin + row, row_end - row, panel, acc + row * P * kPanelRows);
      }
    }
  }
}

// The same for any number of panels.
template <int P, typename Store>
HWY_INLINE void MultiplyPanels(const TernaryPanels& w, const TernaryRows& x, int64_t begin,
                               int64_t end, int64_t panel, int64_t panel_end, const Store& store) {
  for (; panel + P <= panel_end; panel += P) MultiplyChunk<P>(w, x, begin, end, panel, store);
  if constexpr (P > 1) MultiplyPanels<P / 2>(w, x, begin, end, panel, panel_end, store);
}

// One row times S panels.
template <int S, typename Store>
HWY_INLINE void MultiplyRow(const TernaryPanels& w, const int8_t* q, int64_t row, int64_t panel,
                            int64_t stream_panels, const Store& store) {
  const int64_t bytes = PanelBytes(w.k, w.layout);
  const uint8_t* const data = w.data + panel * bytes;
  HWY_ALIGN int32_t acc[S * kPanelRows];
  if (w.layout == TernaryLayout::kPanels2Bit) {
    RowDots<S>(data, stream_panels * bytes, w.k, q, acc);
  } else {
    Base3RowDots<S>(data, stream_panels * bytes, w.k, q, acc);
  }
  for (int s = 0; s < S; ++s) store(row, panel + s * stream_panels, acc + s * kPanelRows);
}

template <typename Store>
HWY_INLINE void Multiply(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range,
                         Store store) {
  const int64_t most = std::clamp<int64_t>(kRowChunkBytes / x.stride, kTileRows, kRowChunk);
  const int64_t chunks = (range.row_end - range.row_begin + most - 1) / most;
  for (int64_t i = 0; i < chunks; ++i) {
    const int64_t all = range.row_end - range.row_begin;
    const int64_t begin = range.row_begin + all * i / chunks;
    const int64_t end = range.row_begin + all * (i + 1) / chunks;
    store.SetRows(begin, end);
    if (end - begin > 1) {
      MultiplyPanels<kTilePanels>(w, x, begin, end, range.panel_begin, range.panel_end, store);
      continue;
    }
    const int8_t* const q = x.q + begin * x.stride;
    const int64_t each = (range.panel_end - range.panel_begin) / kStreams;
    for (int64_t p = 0; p < each; ++p) {
      MultiplyRow<kStreams>(w, q, begin, range.panel_begin + p, each, store);
    }
    for (int64_t p = range.panel_begin + kStreams * each; p < range.panel_end; ++p) {
      MultiplyRow<1>(w, q, begin, p, 0, store);
    }
  }
}

void Dots(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range,
          int32_t* dots) noexcept {
  Multiply(w, x, range, StoreDots{dots, w.n, x.sum});
}

void BitLinear(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range,
               const TernaryOutput& out) noexcept {
  Multiply(w, x, range, StoreFloats{.out = out, .n = w.n, .sum = x.sum});
}

}  // namespace ternary

constexpr TernaryKernels kTernary = {
    .dots = ternary::Dots,
    .bit_linear = ternary::BitLinear,
    .quantize_rows = ternary::QuantizeRows,
    .dequantize_rows = ternary::DequantizeRows,
    .sum_weight_chunk = ternary::SumChunk,
    .quantize_panels = ternary::QuantizePanels,
    .pack_panels = ternary::PackPanels,
    .pack_base3 = ternary::PackBase3,
    .unpack_panels = ternary::UnpackPanels,
    .dequantize_panels = ternary::DequantizePanels,
    .fast_base3 = ternary::kFastBase3,
    .register_peak = ternary::RegisterPeak,
};

TERN_END_TARGET
