// SPDX-License-Identifier: MIT
// gemm.h, slow and obvious.
#pragma once

#include "tern/kernels/canonical.h"

namespace tern::kernels::reference {

template <typename T>
void DotRows(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* out, int64_t out_stride,
             int64_t m, int64_t n, int64_t k) noexcept {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const T* x = a + i * a_stride;
      const T* y = b + j * b_stride;
      out[i * out_stride + j] = CanonicalSum<T>(k, [&](int64_t t) { return x[t] * y[t]; });
    }
  }
}

}  // namespace tern::kernels::reference
