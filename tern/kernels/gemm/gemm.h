// SPDX-License-Identifier: MIT
// Float matrix products. No blocking for caches beyond a tile of registers: the caller cuts
// operands into pieces that stay in the cache.
#pragma once

#include <cstdint>

namespace tern::kernels {

// out[m, n] = sum over k of a(i, t) * b[k, n], added to out if `accumulate`. a has any strides, b
// and out have contiguous rows.
template <typename T>
struct MultiplyArgs {
  const T* a = nullptr;
  int64_t a_row_stride = 0;
  int64_t a_k_stride = 0;
  const T* b = nullptr;
  int64_t b_stride = 0;
  T* out = nullptr;
  int64_t out_stride = 0;
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  bool accumulate = false;
};

struct GemmKernels {
  // Canonical float: every output is one dot product over k in 16 virtual lanes, so it does not
  // depend on tiling, threads or batch. out[m, n] = sum over k of a[m, k] * b[n, k], plus bias[n]
  // unless it is null; strides of rows in elements, rows of a and b contiguous.
  void (*dot_rows)(const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                   const float* bias, float* out, int64_t out_stride, int64_t m, int64_t n,
                   int64_t k) noexcept;
  // For gradients: with fused multiply-adds where the target has them, so not canonical.
  void (*multiply)(const MultiplyArgs<float>& args) noexcept;
  // n bf16 or f16 numbers to f32, exactly.
  void (*widen_bf16)(const uint16_t* x, float* out, int64_t n) noexcept;
  void (*widen_f16)(const uint16_t* x, float* out, int64_t n) noexcept;
};

}  // namespace tern::kernels
