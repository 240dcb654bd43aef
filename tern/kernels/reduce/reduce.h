// SPDX-License-Identifier: MIT
// Reductions of a run of elements to one value. sum is in canonical float.
#pragma once

#include <cstdint>

namespace tern::kernels {

template <typename T>
struct ReduceKernels {
  // In 16 virtual lanes; 0 when n is 0. The stride is in elements.
  T (*sum)(const T* x, int64_t stride, int64_t n) noexcept;
  // n >= 1. NaN if there is one; 0, not -0.
  T (*max)(const T* x, int64_t stride, int64_t n) noexcept;
  // In 16 virtual lanes of double.
  double (*sum_squares)(const T* x, int64_t n) noexcept;
  // Whether no element is NaN or infinite.
  bool (*all_finite)(const T* x, int64_t n) noexcept;
};

}  // namespace tern::kernels
