// SPDX-License-Identifier: MIT
// The quantizers of ternary.h and the way back. Elementwise loops are written plainly: compiled
// for the target they become its vectors, and give the same bits.
#pragma once

#include <algorithm>
#include <cstring>

#include "tern/kernels/ternary/groups-base3-inl.h"
#include "tern/kernels/ternary/ternary.h"
#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET
namespace ternary {

// max|x|; NaN if there is one. Bits of absolute values compare as the numbers do, NaN above all.
HWY_INLINE float AbsMax(const float* x, int64_t k) {
  int32_t bits = 0;
  for (int64_t i = 0; i < k; ++i) {
    const int32_t b = __builtin_bit_cast(int32_t, x[i]) & 0x7FFFFFFF;
    bits = bits > b ? bits : b;
  }
  return __builtin_bit_cast(float, bits);
}

// q [k] = clamp(round(x scale)), and their sum. 1.5 2^23 + v, rounded to even as every addition,
// has v in its low bits as two's complement. What is not a number becomes -128.
HWY_INLINE int32_t QuantizeRow(const float* HWY_RESTRICT x, int64_t k, float scale,
                               int8_t* HWY_RESTRICT q) {
  int32_t sum = 0;
  for (int64_t i = 0; i < k; ++i) {
    float v = x[i] * scale;
    v = v > -128.0f ? v : -128.0f;
    v = v < 127.0f ? v : 127.0f;
    const int8_t value = static_cast<int8_t>(__builtin_bit_cast(int32_t, v + 12582912.0f));
    q[i] = value;
    sum += value;
  }
  return sum;
}

void QuantizeRows(const float* x, int64_t x_stride, int64_t rows, int64_t k, int8_t* q,
                  int64_t q_stride, float* scale, int32_t* sum) noexcept {
  for (int64_t row = 0; row < rows; ++row) {
    const float absmax = AbsMax(x + row * x_stride, k);
    scale[row] = absmax != absmax ? __builtin_nanf("")
                                  : 127.0f / (absmax > kQuantizerFloor ? absmax : kQuantizerFloor);
    int8_t* const to = q + row * q_stride;
    sum[row] = QuantizeRow(x + row * x_stride, k, scale[row], to);
    std::memset(to + k, 0, static_cast<size_t>(q_stride - k));
  }
}

void DequantizeRows(const int8_t* q, int64_t q_stride, const float* scale, int64_t rows, int64_t k,
                    float* HWY_RESTRICT x) noexcept {
  for (int64_t row = 0; row < rows; ++row) {
    const float s = scale[row];
    for (int64_t i = 0; i < k; ++i) {
      x[row * k + i] = static_cast<float>(q[row * q_stride + i]) / s;
    }
  }
}

WeightSums SumChunk(const float* w, int64_t count) noexcept {
  using D64 = hn::CappedTag<double, 8>;
  using D32 = hn::Rebind<float, D64>;
  constexpr int kDoubles = HWY_MAX_BYTES / 8 < 8 ? HWY_MAX_BYTES / 8 : 8;
  constexpr int kVectors = 16 / kDoubles;
  HWY_ALIGN double sum[16], abs[16];
  hn::Vec<D64> sums[kVectors], abs_sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = abs_sums[v] = hn::Zero(D64());
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int v = 0; v < kVectors; ++v) {
      const auto x = hn::PromoteTo(D64(), hn::LoadU(D32(), w + i + v * kDoubles));
      sums[v] = hn::Add(sums[v], x);
      abs_sums[v] = hn::Add(abs_sums[v], hn::Abs(x));
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    hn::StoreU(sums[v], D64(), sum + v * kDoubles);
    hn::StoreU(abs_sums[v], D64(), abs + v * kDoubles);
  }
  for (int lane = 0; i < count; ++i, ++lane) {
    const double x = w[i];
    sum[lane] += x;
    abs[lane] += x < 0 ? -x : x;
  }
  for (int half = 8; half >= 1; half /= 2) {
    for (int lane = 0; lane < half; ++lane) {
      sum[lane] += sum[lane + half];
      abs[lane] += abs[lane + half];
    }
  }
  return {sum[0], abs[0]};
}

constexpr int64_t kCodeRun = 1024;  // columns of a row that are coded at once
static_assert(kCodeRun % kPanelColumnMultiple == 0);

// Fills panels with the codes that code(row, column, count, uint8_t* codes) gives.
template <typename Code>
HWY_INLINE void FillPanels(int64_t n, int64_t k, int64_t panel_begin, int64_t panel_end,
                           uint8_t* panels, Code code) {
  HWY_ALIGN uint8_t codes[kCodeRun];
  const int64_t padded = PaddedColumns(k);
  for (int64_t row = panel_begin * kPanelRows; row < panel_end * kPanelRows; ++row) {
    uint8_t* to = panels + row / kPanelRows * PanelBytes(k) + row % kPanelRows * 4;
    for (int64_t column = 0; column < padded; column += kCodeRun) {
      const int64_t count = row < n ? std::clamp<int64_t>(k - column, 0, kCodeRun) : 0;
      const int64_t all = std::min(kCodeRun, padded - column);
      if (count > 0) code(row, column, count, codes);
      std::memset(codes + count, 1, static_cast<size_t>(all - count));
      for (int64_t c = 0; c < all; c += kPanelBlockColumns) {
        uint32_t field[4];
        std::memcpy(field, codes + c, sizeof(field));
        // Codes are below 4: no bit crosses into another byte.
        const uint32_t word = field[0] | field[1] << 2 | field[2] << 4 | field[3] << 6;
        std::memcpy(to, &word, sizeof(word));
        to += kPanelBlockBytes;
      }
    }
  }
}

void QuantizePanels(const float* w, int64_t n, int64_t k, const TernaryRule& rule,
                    int64_t panel_begin, int64_t panel_end, uint8_t* panels) noexcept {
  FillPanels(n, k, panel_begin, panel_end, panels,
             [&](int64_t row, int64_t column, int64_t count, uint8_t* HWY_RESTRICT codes) {
               const float* const from = w + row * k + column;
               const float factor = rule.factor, low = rule.low, high = rule.high;
               for (int64_t i = 0; i < count; ++i) {
                 const float v = from[i] * factor;
                 codes[i] = static_cast<uint8_t>((v > low ? 1 : 0) + (v > high ? 1 : 0));
               }
             });
}

void PackPanels(const int8_t* trits, int64_t n, int64_t k, int64_t panel_begin, int64_t panel_end,
                uint8_t* panels) noexcept {
  FillPanels(n, k, panel_begin, panel_end, panels,
             [&](int64_t row, int64_t column, int64_t count, uint8_t* HWY_RESTRICT codes) {
               const int8_t* const from = trits + row * k + column;
               for (int64_t i = 0; i < count; ++i) codes[i] = static_cast<uint8_t>(from[i] + 1);
             });
}

void PackBase3(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
               uint8_t* base3) noexcept {
  const int64_t packed_bytes = PanelBytes(w.k);
  const int64_t base3_bytes = PanelBytes(w.k, TernaryLayout::kPanelsBase3);
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    const uint8_t* from = w.data + panel * packed_bytes;
    uint8_t* to = base3 + panel * base3_bytes;
    const uint8_t* const end = from + packed_bytes;
    for (; from + k2BitGroupBytes <= end; from += k2BitGroupBytes, to += kBase3GroupBytes) {
      PackGroup(from, to);
    }
    if (from < end) {
      uint8_t group[k2BitGroupBytes];
      std::memset(group, 0x55, sizeof(group));  // codes 1
      std::memcpy(group, from, static_cast<size_t>(end - from));
      PackGroup(group, to);
    }
  }
}

// Some columns of a panel, from a multiple of 16 on, in kPanels2Bit: where they lie, or expanded to
// `expanded` [ExpandedBytes(columns)], at the same place for every panel.
HWY_INLINE const uint8_t* PanelPiece(const TernaryPanels& w, int64_t panel, int64_t column,
                                     int64_t columns, uint8_t* expanded) {
  const uint8_t* const data = w.data + panel * PanelBytes(w.k, w.layout);
  return w.layout == TernaryLayout::kPanels2Bit ? data + column * (kPanelRows / 4)
                                                : ExpandBase3(data, column, columns, expanded);
}

// Gives the codes of every row to use(row, column, count, const uint8_t* codes).
template <typename Use>
HWY_INLINE void ReadPanels(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
                           Use use) {
  HWY_ALIGN uint8_t codes[kCodeRun];
  HWY_ALIGN uint8_t expanded[ExpandedBytes(kCodeRun)];
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    const int64_t rows = std::min(kPanelRows, w.n - panel * kPanelRows);
    for (int64_t column = 0; column < w.k; column += kCodeRun) {
      const int64_t count = std::min(kCodeRun, w.k - column);
      const uint8_t* const packed = PanelPiece(w, panel, column, count, expanded);
      for (int64_t r = 0; r < rows; ++r) {
        const uint8_t* from = packed + r * 4;
        for (int64_t c = 0; c < count; c += kPanelBlockColumns) {
          uint32_t word;
          std::memcpy(&word, from, sizeof(word));
          const uint32_t field[4] = {word & 0x03030303u, word >> 2 & 0x03030303u,
                                     word >> 4 & 0x03030303u, word >> 6 & 0x03030303u};
          std::memcpy(codes + c, field, sizeof(field));
          from += kPanelBlockBytes;
        }
        use(panel * kPanelRows + r, column, count, codes);
      }
    }
  }
}

void UnpackPanels(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
                  int8_t* trits) noexcept {
  ReadPanels(w, panel_begin, panel_end,
             [&](int64_t row, int64_t column, int64_t count, const uint8_t* HWY_RESTRICT codes) {
               int8_t* const to = trits + row * w.k + column;
               for (int64_t i = 0; i < count; ++i) to[i] = static_cast<int8_t>(codes[i] - 1);
             });
}

void DequantizePanels(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
                      float multiplier, float* out) noexcept {
  ReadPanels(w, panel_begin, panel_end,
             [&](int64_t row, int64_t column, int64_t count, const uint8_t* HWY_RESTRICT codes) {
               float* const to = out + row * w.k + column;
               for (int64_t i = 0; i < count; ++i) {
                 to[i] = static_cast<float>(codes[i] - 1) * multiplier;
               }
             });
}

}  // namespace ternary
TERN_END_TARGET
