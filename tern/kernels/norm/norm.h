// SPDX-License-Identifier: MIT
// RMS normalization (arXiv:1910.07467) of rows, in canonical float, in transformers' order:
//   inv = 1 / sqrt(sum of x^2 / n + eps),  y = w * (x * inv)
#pragma once

#include <cstdint>

namespace tern::kernels {

template <typename T>
struct NormKernels {
  // One row: x [n], w [n] -> y [n]. y may be x.
  void (*rms_norm)(const T* x, const T* w, T eps, T* y, int64_t n) noexcept;
  // One row: dx [n] is written, dw [n] is added to.
  void (*rms_norm_grad)(const T* x, const T* w, const T* dy, T eps, T* dx, T* dw,
                        int64_t n) noexcept;
};

}  // namespace tern::kernels
