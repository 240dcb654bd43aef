// SPDX-License-Identifier: MIT
// gemm.h for vector targets.
#pragma once

#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET

void DotRows(const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* out,
             int64_t out_stride, int64_t m, int64_t n, int64_t k) noexcept {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const float* x = a + i * a_stride;
      const float* y = b + j * b_stride;
      V16 sum = Zero16();
      int64_t t = 0;
      for (; t + 16 <= k; t += 16) sum = Add(sum, Mul(Load16(x + t), Load16(y + t)));
      if (t < k) sum = Add(sum, Mul(LoadN16(x + t, k - t), LoadN16(y + t, k - t)));
      out[i * out_stride + j] = Sum(sum);
    }
  }
}

constexpr GemmKernels kGemm = {.dot_rows = DotRows};

TERN_END_TARGET
