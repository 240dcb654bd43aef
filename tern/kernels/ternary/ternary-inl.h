// SPDX-License-Identifier: MIT
// A vector target's ternary kernels, from the pieces that products-inl.h lists.
#pragma once

#include "tern/kernels/ternary/products-inl.h"
#include "tern/kernels/ternary/quantize-inl.h"

TERN_BEGIN_TARGET

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
