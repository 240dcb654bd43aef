// SPDX-License-Identifier: MIT
// The reference target: plain loops, the definition of every result.
#include "tern/kernels/adamw/reference.h"
#include "tern/kernels/attention/reference.h"
#include "tern/kernels/elementwise/reference.h"
#include "tern/kernels/gemm/reference.h"
#include "tern/kernels/kernel_table.h"
#include "tern/kernels/linalg/reference.h"
#include "tern/kernels/mlp/reference.h"
#include "tern/kernels/norm/reference.h"
#include "tern/kernels/reduce/reference.h"
#include "tern/kernels/rope/reference.h"
#include "tern/kernels/softmax/reference.h"
#include "tern/kernels/svd/reference.h"
#include "tern/kernels/ternary/reference.h"

namespace tern::kernels {

extern const KernelTable kTable_scalar;
const KernelTable kTable_scalar = {
    .target = "scalar",
    .adamw = reference::kAdamW<float>,
    .attention = reference::kAttention<float>,
    .elementwise = reference::kElementwise,
    .gemm = reference::kGemm,
    .linalg_f32 = reference::kLinalg<float>,
    .linalg_f64 = reference::kLinalg<double>,
    .mlp = reference::kMlp<float>,
    .norm = reference::kNorm<float>,
    .reduce = reference::kReduce<float>,
    .rope = reference::kRope<float>,
    .softmax = reference::kSoftmax<float>,
    .svd_f32 = reference::kSvd<float>,
    .svd_f64 = reference::kSvd<double>,
    .ternary = {.dots = reference::Dots,
                .bit_linear = reference::BitLinear,
                .quantize_rows = reference::QuantizeRows,
                .dequantize_rows = reference::DequantizeRows,
                .sum_weight_chunk = SumWeightChunk,
                .quantize_panels = reference::QuantizePanels,
                .pack_panels = reference::PackPanels,
                .pack_base3 = reference::PackBase3,
                .unpack_panels = reference::UnpackPanels,
                .dequantize_panels = reference::DequantizePanels,
                .fast_base3 = false,
                .register_peak = nullptr},
};

}  // namespace tern::kernels
