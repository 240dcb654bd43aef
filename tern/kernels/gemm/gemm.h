// SPDX-License-Identifier: MIT
// Float matrix products. dot_rows is canonical float: every output is one dot product over k in 16
// virtual lanes, so it does not depend on tiling, threads or batch. No blocking for caches beyond a
// tile of registers: the caller cuts b into pieces that stay in the cache. `product` is for
// gradients: fused where the target can, so its bits depend on the target, and on the shape of the
// call, but on nothing else.
#pragma once

#include <cstdint>

namespace tern::kernels {

// A matrix whose element (i, j) is data[i * row_stride + j * column_stride].
template <typename T>
struct StridedMatrix {
  const T* data;
  int64_t row_stride;
  int64_t column_stride;
};

// The most rows and columns of a call of `product`, and how many floats it works in.
inline constexpr int64_t kMaxProductExtent = 256;
inline constexpr int64_t kProductDepth = 256;  // of k at a time
inline constexpr int64_t kProductWorkspace = 2 * (kMaxProductExtent + 32) * kProductDepth;

// Columns whose products of codes an int32 holds.
inline constexpr int64_t kMaxCodeColumns = 65536;
static_assert(kMaxCodeColumns * 128 * 255 <= INT32_MAX);

struct GemmKernels {
  // out[m, n] = sum over k of a[m, k] * b[n, k], plus bias[n] unless it is null; strides of rows in
  // elements, rows of a and b contiguous.
  void (*dot_rows)(const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                   const float* bias, float* out, int64_t out_stride, int64_t m, int64_t n,
                   int64_t k) noexcept;
  // The same for one row of a, and b in bf16, which is widened as it is read.
  void (*dot_bf16)(const float* a, const uint16_t* b, int64_t b_stride, const float* bias,
                   float* out, int64_t n, int64_t k) noexcept;
  // out[2, n] = sum over k of a[2, k] * (b[n, k] - 128), exactly; rows lie out_stride,
  // a_stride and b_stride apart; k at most kMaxCodeColumns.
  void (*dot_codes)(const int8_t* a, int64_t a_stride, const uint8_t* b, int64_t b_stride,
                    int32_t* out, int64_t out_stride, int64_t n, int64_t k) noexcept;
  // out[m, n] = a[m, k] b[k, n], added to out if `accumulate`; m and n at most kMaxProductExtent.
  // Rows of out contiguous; workspace of kProductWorkspace floats, aligned to 64 bytes.
  void (*product)(StridedMatrix<float> a, StridedMatrix<float> b, float* out, int64_t out_stride,
                  int64_t m, int64_t n, int64_t k, bool accumulate, float* workspace) noexcept;
  // n bf16 or f16 numbers to f32, exactly.
  void (*widen_bf16)(const uint16_t* x, float* out, int64_t n) noexcept;
  void (*widen_f16)(const uint16_t* x, float* out, int64_t n) noexcept;
};

}  // namespace tern::kernels
