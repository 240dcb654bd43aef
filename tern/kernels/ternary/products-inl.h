// SPDX-License-Identifier: MIT
// dots and bit_linear of ternary.h on the vectors of a target, and its table of ternary kernels.
// The target gives before this include
//   Codes, Columns    kVectorBytes bytes: codes of kVectorBytes / 4 rows by 4 columns;
//                     four columns of an activation row, repeated
//   Sums              partial sums for the rows of a Codes, starting at Sums{}
//   LoadCodes, StoreCodes, LoadColumns
//   Field<i>(packed)  the codes of field i (pack/ternary_layout.h)
//   MultiplyAdd(codes, columns, sums)   at most kSteps times on one Sums
//   Touch(columns)    makes the compiler believe that they changed
//   AddSums(sums, int32_t* acc)         adds to the accumulators of its kVectorBytes / 4 rows
//   kTileUnroll       steps of four columns between two tests for the end
//   kTileRows, kTilePanels   how many rows of activations and panels of weights one pass over
//                            the columns computes: their Sums fill the registers
//   RowDots(panel, k, q, int32_t* acc)  one row times the 16 rows of a panel: q * code
//
// One row reads the packed codes once. More rows share codes that were unpacked to bytes, kDepth
// columns at a time: as many as Sums hold, and at most so many that codes and rows stay in the
// second cache, from which they stream as fast as they are multiplied. Short pieces cost more,
// since every tile then starts and ends more often.
#pragma once

#include <algorithm>
#include <cstring>

#include "tern/kernels/ternary/quantize-inl.h"
#include "tern/kernels/ternary/ternary.h"
#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

constexpr int kPieces = kPanelBlockBytes / kVectorBytes;  // vectors that hold a field of a block
constexpr int kPieceRows = kVectorBytes / 4;
constexpr int64_t kDepth = 2560 < 4 * kSteps ? 2560 : 4 * kSteps;
constexpr int64_t kRowChunk = 256;
constexpr int64_t kCodeBytes = kDepth * kPanelRows;  // of a panel's unpacked codes
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
HWY_INLINE void AnyTile(int64_t rows, const uint8_t* codes, int64_t columns, const int8_t* q,
                        int64_t stride, int32_t* acc) {
  if constexpr (T > 0) {
    if (rows == T) {
      Tile<T, P>(codes, columns, q, stride, acc);
    } else {
      AnyTile<P, T - 1>(rows, codes, columns, q, stride, acc);
    }
  }
}

template <int kField>
HWY_INLINE void UnpackField(const uint8_t* packed, uint8_t* codes) {
  for (int v = 0; v < kPieces; ++v) {
    StoreCodes(Field<kField>(LoadCodes(packed + v * kVectorBytes)),
               codes + kField * kPanelBlockBytes + v * kVectorBytes);
  }
}

void UnpackCodes(const uint8_t* packed, int64_t columns, uint8_t* codes) {
  for (int64_t c = 0; c < columns; c += kPanelBlockColumns) {
    UnpackField<0>(packed, codes);
    UnpackField<1>(packed, codes);
    UnpackField<2>(packed, codes);
    UnpackField<3>(packed, codes);
    packed += kPanelBlockBytes;
    codes += kPanelBlockColumns * kPanelRows;
  }
}

// What becomes of the dot products of a row with the 16 rows of a panel.
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
};

// Rows begin .. end - 1, at most kRowChunk, times P panels.
template <int P, typename Store>
HWY_NOINLINE void MultiplyChunk(const TernaryPanels& w, const TernaryRows& x, int64_t begin,
                                int64_t end, int64_t panel, const Store& store) noexcept {
  HWY_ALIGN uint8_t codes[P * kCodeBytes];
  HWY_ALIGN int32_t acc[kRowChunk * P * kPanelRows];
  const int64_t rows = end - begin;
  std::memset(acc, 0, static_cast<size_t>(rows * P * kPanelRows) * sizeof(int32_t));
  // Tiles of nearly equal height: a low one would leave the multipliers waiting for each other.
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  for (int64_t c = 0; c < PaddedColumns(w.k); c += kDepth) {
    const int64_t columns = std::min(kDepth, PaddedColumns(w.k) - c);
    for (int p = 0; p < P; ++p) {
      UnpackCodes(w.data + (panel + p) * PanelBytes(w.k) + c * (kPanelRows / 4), columns,
                  codes + p * kCodeBytes);
    }
    const bool last = c + columns == PaddedColumns(w.k);
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t row = rows * i / tiles;
      const int64_t row_end = rows * (i + 1) / tiles;
      for (int64_t r = row; last && r < row_end; ++r) {  // results lie far apart: fetch their lines
        for (int p = 0; p < P; ++p) __builtin_prefetch(store.Place(begin + r, panel + p), 1);
      }
      AnyTile<P>(row_end - row, codes, columns, x.q + (begin + row) * x.stride + c, x.stride,
                 acc + row * P * kPanelRows);
      if (last) {
        for (int64_t r = row; r < row_end; ++r) {
          for (int p = 0; p < P; ++p) store(begin + r, panel + p, acc + (r * P + p) * kPanelRows);
        }
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

template <typename Store>
HWY_INLINE void Multiply(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range,
                         Store store) {
  const int64_t chunks = (range.row_end - range.row_begin + kRowChunk - 1) / kRowChunk;
  for (int64_t i = 0; i < chunks; ++i) {
    const int64_t all = range.row_end - range.row_begin;
    const int64_t begin = range.row_begin + all * i / chunks;
    const int64_t end = range.row_begin + all * (i + 1) / chunks;
    store.SetRows(begin, end);
    int64_t panel = range.panel_begin;
    if (end - begin == 1) {
      for (; panel < range.panel_end; ++panel) {
        HWY_ALIGN int32_t acc[kPanelRows];
        RowDots(w.data + panel * PanelBytes(w.k), w.k, x.q + begin * x.stride, acc);
        store(begin, panel, acc);
      }
      continue;
    }
    MultiplyPanels<kTilePanels>(w, x, begin, end, panel, range.panel_end, store);
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

constexpr TernaryKernels kTernary = {
    .dots = ternary::Dots,
    .bit_linear = ternary::BitLinear,
    .quantize_rows = ternary::QuantizeRows,
    .dequantize_rows = ternary::DequantizeRows,
    .sum_weight_chunk = ternary::SumChunk,
    .quantize_panels = ternary::QuantizePanels,
    .pack_panels = ternary::PackPanels,
    .unpack_panels = ternary::UnpackPanels,
    .dequantize_panels = ternary::DequantizePanels,
    .register_peak = ternary::RegisterPeak,
};

TERN_END_TARGET
