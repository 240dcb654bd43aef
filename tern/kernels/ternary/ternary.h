// SPDX-License-Identifier: MIT
// Ternary kernels: int8 activations times weights of one trit, in the layout of
// pack/ternary_layout.h; the quantizers that make both; and the way back.
//
// Integer results are exact, and the float steps are a fixed sequence of single operations, so
// every target gives the same bits for any split into rows and panels. Reading happens within the
// operands as padded by the layout; writing only within the given range of rows and panels, and
// only to rows of weights below n.
#pragma once

#include <cstdint>

#include "tern/pack/quantizers.h"
#include "tern/pack/ternary_layout.h"

namespace tern::kernels {

// A matrix of weights [n, k] as panels.
struct TernaryPanels {
  const uint8_t* data = nullptr;
  int64_t n = 0;
  int64_t k = 0;  // at most kMaxTernaryColumns
  TernaryLayout layout = TernaryLayout::kPanels2Bit;
};

// int8 rows: q [rows, stride], zeros from k to PaddedColumns(k); sum [rows] of q.
struct TernaryRows {
  const int8_t* q = nullptr;
  int64_t stride = 0;
  const int32_t* sum = nullptr;
};

// Rows of activations and panels of weights that a call computes.
struct TernaryRange {
  int64_t row_begin = 0;
  int64_t row_end = 0;
  int64_t panel_begin = 0;
  int64_t panel_end = 0;
};

// y [rows, y_stride] = float(dot) * (multiplier / scale[row]) + bias: the quotient once per row,
// then multiply, then (if there is a bias) add.
struct TernaryOutput {
  float multiplier = 0;
  const float* scale = nullptr;  // [rows]
  const float* bias = nullptr;   // [n] or null
  float* y = nullptr;
  int64_t y_stride = 0;
};

struct TernaryKernels {
  // dots[row * n + j] = sum over k of q[row] * trit[j].
  void (*dots)(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range,
               int32_t* dots) noexcept;
  void (*bit_linear)(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range,
                     const TernaryOutput& out) noexcept;

  // Rows x [rows, x_stride] -> q [rows, q_stride] with zeros from k to q_stride, scale, sum.
  void (*quantize_rows)(const float* x, int64_t x_stride, int64_t rows, int64_t k, int8_t* q,
                        int64_t q_stride, float* scale, int32_t* sum) noexcept;
  // x [rows, k] = q / scale.
  void (*dequantize_rows)(const int8_t* q, int64_t q_stride, const float* scale, int64_t rows,
                          int64_t k, float* x) noexcept;

  // SumWeightChunk.
  WeightSums (*sum_weight_chunk)(const float* w, int64_t count) noexcept;
  // w f32 [n, k] -> panels panel_begin .. panel_end - 1 of `panels`, the whole matrix's, in
  // kPanels2Bit.
  void (*quantize_panels)(const float* w, int64_t n, int64_t k, const TernaryRule& rule,
                          int64_t panel_begin, int64_t panel_end, uint8_t* panels) noexcept;
  // The same from trits i8 [n, k] in -1, 0, 1.
  void (*pack_panels)(const int8_t* trits, int64_t n, int64_t k, int64_t panel_begin,
                      int64_t panel_end, uint8_t* panels) noexcept;
  // Panels in kPanels2Bit -> the same in kPanelsBase3.
  void (*pack_base3)(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
                     uint8_t* base3) noexcept;
  // Panels -> trits i8 [n, k]; panels -> w f32 [n, k] = trit * multiplier.
  void (*unpack_panels)(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
                        int8_t* trits) noexcept;
  void (*dequantize_panels)(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
                            float multiplier, float* out) noexcept;

  // Whether one row reads kPanelsBase3 as fast as memory gives it; else it only saves memory.
  bool fast_base3;

  // Multiplies and adds in registers, `rounds` times as many as a tile takes; returns how many
  // multiply-adds that were. What the target could reach, for benchmarks. Null where the target
  // has no vectors.
  int64_t (*register_peak)(int64_t rounds) noexcept;
};

}  // namespace tern::kernels
