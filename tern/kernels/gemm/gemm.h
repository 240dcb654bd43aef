// SPDX-License-Identifier: MIT
// Float matrix products in canonical float: every output is one dot product over k in 16 virtual
// lanes, so it does not depend on tiling, threads or batch.
#pragma once

#include <cstdint>

namespace tern::kernels {

struct GemmKernels {
  // out[m, n] = sum over k of a[m, k] * b[n, k]; strides in elements, rows of a and b contiguous.
  void (*dot_rows)(const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* out,
                   int64_t out_stride, int64_t m, int64_t n, int64_t k) noexcept;
};

}  // namespace tern::kernels
