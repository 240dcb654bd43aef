// SPDX-License-Identifier: MIT
// gemm.h, slow and obvious.
#pragma once

#include "tern/base/float16.h"
#include "tern/kernels/canonical.h"
#include "tern/kernels/gemm/gemm.h"

namespace tern::kernels::reference {

template <typename T>
void DotRows(const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* bias, T* out,
             int64_t out_stride, int64_t m, int64_t n, int64_t k) noexcept {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const T* x = a + i * a_stride;
      const T* y = b + j * b_stride;
      const T sum = CanonicalSum<T>(k, [&](int64_t t) { return x[t] * y[t]; });
      out[i * out_stride + j] = bias != nullptr ? sum + bias[j] : sum;
    }
  }
}

template <typename T>
[[gnu::always_inline]] inline void Multiply(const MultiplyArgs<T>& in) noexcept {
  for (int64_t i = 0; i < in.m; ++i) {
    T* out = in.out + i * in.out_stride;
    for (int64_t j = 0; j < in.n; ++j) {
      T sum = in.accumulate ? out[j] : T(0);
      for (int64_t t = 0; t < in.k; ++t) {
        sum += in.a[i * in.a_row_stride + t * in.a_k_stride] * in.b[t * in.b_stride + j];
      }
      out[j] = sum;
    }
  }
}

inline void WidenBF16(const uint16_t* x, float* out, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) out[i] = ToF32(BF16{x[i]});
}

inline void WidenF16(const uint16_t* x, float* out, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) out[i] = ToF32(F16{x[i]});
}

inline constexpr GemmKernels kGemm = {
    .dot_rows = DotRows<float>,
    .multiply = Multiply<float>,
    .widen_bf16 = WidenBF16,
    .widen_f16 = WidenF16,
};

}  // namespace tern::kernels::reference
