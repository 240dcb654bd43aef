// SPDX-License-Identifier: MIT
// gemm.h, slow and obvious.
#pragma once

#include <algorithm>

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

inline void DotBF16(const float* a, const uint16_t* b, int64_t b_stride, const float* bias,
                    float* out, int64_t n, int64_t k) noexcept {
  for (int64_t j = 0; j < n; ++j) {
    const uint16_t* const y = b + j * b_stride;
    const float sum = CanonicalSum<float>(k, [&](int64_t t) { return a[t] * ToF32(BF16{y[t]}); });
    out[j] = bias != nullptr ? sum + bias[j] : sum;
  }
}

inline void DotCodes(const int8_t* a, int64_t a_stride, const uint8_t* b, int64_t b_stride,
                     int32_t* out, int64_t out_stride, int64_t n, int64_t k) noexcept {
  for (int64_t r = 0; r < 2; ++r) {
    for (int64_t j = 0; j < n; ++j) {
      int32_t sum = 0;
      for (int64_t t = 0; t < k; ++t) sum += a[r * a_stride + t] * (b[j * b_stride + t] - 128);
      out[r * out_stride + j] = sum;
    }
  }
}

// The workspace is not needed here.
template <typename T>
void Product(StridedMatrix<T> a, StridedMatrix<T> b, T* out, int64_t out_stride, int64_t m,
             int64_t n, int64_t k, bool accumulate, T* /*workspace*/) noexcept {
  for (int64_t i = 0; i < m; ++i) {
    T* const row = out + i * out_stride;
    if (!accumulate) std::fill_n(row, n, T(0));
    for (int64_t t = 0; t < k; ++t) {
      const T x = a.data[i * a.row_stride + t * a.column_stride];
      const T* const y = b.data + t * b.row_stride;
      for (int64_t j = 0; j < n; ++j) row[j] += x * y[j * b.column_stride];
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
    .dot_bf16 = DotBF16,
    .dot_codes = DotCodes,
    .product = Product<float>,
    .widen_bf16 = WidenBF16,
    .widen_f16 = WidenF16,
};

}  // namespace tern::kernels::reference
