// SPDX-License-Identifier: MIT
// A vector target's ternary kernels, from the pieces that products-inl.h lists.
#pragma once

#include "tern/kernels/ternary/products-inl.h"
#include "tern/kernels/ternary/quantize-inl.h"

TERN_BEGIN_TARGET

constexpr TernaryKernels kTernary = {
    .dots = Dots,
    .bit_linear = BitLinear,
    .quantize_rows = QuantizeRows,
    .dequantize_rows = DequantizeRows,
    .sum_weight_chunk = SumChunk,
    .quantize_panels = QuantizePanels,
    .pack_panels = PackPanels,
    .unpack_panels = UnpackPanels,
    .dequantize_panels = DequantizePanels,
};

TERN_END_TARGET
