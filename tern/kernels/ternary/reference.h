// SPDX-License-Identifier: MIT
// ternary.h, slow and obvious. Out of line: the targets that have nothing better share these.
#pragma once

#include "tern/kernels/ternary/ternary.h"

namespace tern::kernels::reference {

void Dots(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range,
          int32_t* dots) noexcept;
void BitLinear(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range,
               const TernaryOutput& out) noexcept;
void QuantizeRows(const float* x, int64_t x_stride, int64_t rows, int64_t k, int8_t* q,
                  int64_t q_stride, float* scale, int32_t* sum) noexcept;
void DequantizeRows(const int8_t* q, int64_t q_stride, const float* scale, int64_t rows, int64_t k,
                    float* x) noexcept;
void QuantizePanels(const float* w, int64_t n, int64_t k, const TernaryRule& rule,
                    int64_t panel_begin, int64_t panel_end, uint8_t* panels) noexcept;
void PackPanels(const int8_t* trits, int64_t n, int64_t k, int64_t panel_begin, int64_t panel_end,
                uint8_t* panels) noexcept;
void PackBase3(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
               uint8_t* base3) noexcept;
void UnpackPanels(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
                  int8_t* trits) noexcept;
void DequantizePanels(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
                      float multiplier, float* out) noexcept;

}  // namespace tern::kernels::reference
