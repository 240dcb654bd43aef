// SPDX-License-Identifier: MIT
#pragma once

#include "tern/kernels/ternary/reference.h"

TERN_BEGIN_TARGET

constexpr TernaryKernels kTernary = {
    .dots = reference::Dots,
    .bit_linear = reference::BitLinear,
    .quantize_rows = reference::QuantizeRows,
    .dequantize_rows = reference::DequantizeRows,
    .sum_weight_chunk = SumWeightChunk,
    .quantize_panels = reference::QuantizePanels,
    .pack_panels = reference::PackPanels,
    .unpack_panels = reference::UnpackPanels,
    .dequantize_panels = reference::DequantizePanels,
};

TERN_END_TARGET
