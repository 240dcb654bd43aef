// SPDX-License-Identifier: MIT
// Run-time layouts of ternary weights [n, k]: what a kernel reads, the same on every target, made
// when a model is loaded or a layer quantized and never written to disk.
//
// kPanels2Bit: a panel holds 16 rows. For every block of 16 columns it has 64 bytes; byte 4 r + j,
// bits 2 i and 2 i + 1 hold code = trit + 1 (0, 1, 2) of
//
//   row 16 panel + r, column 16 block + 4 i + j        r = 0 .. 15, i, j = 0 .. 3
//
//        byte     0        1        2        3        4   ...  63
//        row      0        0        0        0        1        15
//   bits 1, 0  column 0       1        2        3        0         3
//   bits 3, 2         4       5        6        7        4         7
//   bits 5, 4         8       9       10       11        8        11
//   bits 7, 6        12      13       14       15       12        15
//
// so that the i-th field of the 64 bytes, taken together, is 16 lanes (rows) of four codes each:
// the operand of an int8 dot product of four, whose other operand is columns 4 i .. 4 i + 3 of the
// activations in every lane. Smaller vectors take a part of the rows. Rows to a multiple of 16
// and columns to a multiple of 64 are filled with code 1 (trit 0). Since code = trit + 1,
//   sum over k of q * trit = sum over k of q * code - sum over k of q.
//
// kPanelsBase3: 5 codes in a byte, 1.6 bits each, for CPUs that expand them as fast as memory gives
// them. For every block of 20 columns a panel has 64 bytes; byte 4 r + j is
//
//   c0 + 3 c1 + 9 c2 + 27 c3 + 84 c4,   c_i = code of row 16 panel + r, column 20 block + 4 i + j
//
// with r and j as above. 84, not 81: the upper six bits of a byte alone then say what c4 is.
// Columns to a multiple of 80, which are 4 blocks here and 5 of kPanels2Bit, are filled with
// code 1. It is made from kPanels2Bit.
#pragma once

#include <cstdint>

namespace tern {

enum class TernaryLayout : uint8_t { kPanels2Bit = 0, kPanelsBase3 = 1 };

inline constexpr int64_t kPanelRows = 16;
inline constexpr int64_t kPanelBlockColumns = 16;
inline constexpr int64_t kPanelBlockBytes = 64;
inline constexpr int64_t kPanelColumnMultiple = 64;
inline constexpr int64_t kBase3BlockColumns = 20;
inline constexpr int64_t kBase3ColumnMultiple = 80;
inline constexpr int kBase3Powers[5] = {1, 3, 9, 27, 84};

// The largest k whose dot products every kernel holds in int32; each kernel asserts its own limit.
inline constexpr int64_t kMaxTernaryColumns = 65536;

constexpr int64_t PaddedColumns(int64_t k) {
  return (k + kPanelColumnMultiple - 1) / kPanelColumnMultiple * kPanelColumnMultiple;
}

constexpr int64_t PanelCount(int64_t n) { return (n + kPanelRows - 1) / kPanelRows; }

constexpr int64_t PanelBytes(int64_t k, TernaryLayout layout = TernaryLayout::kPanels2Bit) {
  const int64_t groups = (PaddedColumns(k) + kBase3ColumnMultiple - 1) / kBase3ColumnMultiple;
  return (layout == TernaryLayout::kPanels2Bit
              ? PaddedColumns(k) / kPanelBlockColumns
              : groups * (kBase3ColumnMultiple / kBase3BlockColumns)) *
         kPanelBlockBytes;
}

// Of all panels of a matrix [n, k].
constexpr int64_t PanelsBytes(int64_t n, int64_t k,
                              TernaryLayout layout = TernaryLayout::kPanels2Bit) {
  return PanelCount(n) * PanelBytes(k, layout);
}

// Bytes from one row of int8 activations to the next: an odd multiple of 64, so that the rows of a
// tile start in different sets of the cache whatever power of two k is.
constexpr int64_t QuantRowStride(int64_t k) { return PaddedColumns(k) | kPanelColumnMultiple; }

}  // namespace tern
