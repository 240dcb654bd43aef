// SPDX-License-Identifier: MIT
// The reference target: plain loops, the definition of every result.
#include "tern/kernels/gemm/reference.h"
#include "tern/kernels/kernel_table.h"

namespace tern::kernels {

extern const KernelTable kTable_scalar;
const KernelTable kTable_scalar = {
    .target = "scalar",
    .gemm = {.dot_rows = reference::DotRows},
    .ternary = {},
};

}  // namespace tern::kernels
