// SPDX-License-Identifier: MIT
// elementwise.h for vector targets: plain loops, which the compiler vectorizes for the target once
// strides are constants. Every element is computed alone, so the bits are those of the reference.
#pragma once

#include "tern/kernels/elementwise/reference.h"

// An output that is exactly an input carries nothing from one iteration to another. Clang finds out
// by comparing addresses at run time, and warns if it is told and then does not vectorize.
#if defined(__clang__)
#define TERN_INDEPENDENT
#else
#define TERN_INDEPENDENT _Pragma("GCC ivdep")
#endif

TERN_BEGIN_TARGET

template <typename F>
void UnaryLoop(const float* a, int64_t a_stride, float* y, int64_t y_stride, int64_t n) noexcept {
  if (a_stride == 1 && y_stride == 1) {
    TERN_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) y[i] = F::Of(a[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i * y_stride] = F::Of(a[i * a_stride]);
  }
}

template <typename F>
void BinaryLoop(const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* y,
                int64_t y_stride, int64_t n) noexcept {
  if (n == 0) return;
  if (a_stride == 1 && b_stride == 1 && y_stride == 1) {
    TERN_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) y[i] = F::Of(a[i], b[i]);
  } else if (a_stride == 1 && b_stride == 0 && y_stride == 1) {
    const float value = *b;
    TERN_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) y[i] = F::Of(a[i], value);
  } else if (a_stride == 0 && b_stride == 1 && y_stride == 1) {
    const float value = *a;
    TERN_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) y[i] = F::Of(value, b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i * y_stride] = F::Of(a[i * a_stride], b[i * b_stride]);
  }
}

template <typename From, typename To>
void CopyLoop(const void* a, int64_t a_stride, void* y, int64_t y_stride, int64_t n) noexcept {
  const From* from = static_cast<const From*>(a);
  To* to = static_cast<To*>(y);
  if (a_stride == 1 && y_stride == 1) {
    TERN_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) to[i] = functions::Convert<To>(from[i]);
  } else if (a_stride == 0 && y_stride == 1 && n > 0) {
    const To value = functions::Convert<To>(*from);
    for (int64_t i = 0; i < n; ++i) to[i] = value;
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * y_stride] = functions::Convert<To>(from[i * a_stride]);
  }
}

// The reference's conversions, but for the ones that models spend time in.
constexpr ElementwiseKernels kElementwise = [] {
  ElementwiseKernels k = {.unary =
                              {
#define TERN_UNARY(name, expression) UnaryLoop<functions::name>,
#define TERN_BINARY(name, expression)
#include "tern/kernels/elementwise/elementwise.inc"
#undef TERN_UNARY
#undef TERN_BINARY
                              },
                          .binary =
                              {
#define TERN_UNARY(name, expression)
#define TERN_BINARY(name, expression) BinaryLoop<functions::name>,
#include "tern/kernels/elementwise/elementwise.inc"
#undef TERN_UNARY
#undef TERN_BINARY
                              },
                          .copy = {}};
  for (size_t i = 0; i < static_cast<size_t>(Element::kCount); ++i) {
    for (size_t j = 0; j < static_cast<size_t>(Element::kCount); ++j) {
      k.copy[i][j] = reference::kElementwise.copy[i][j];
    }
  }
  constexpr auto kF32 = static_cast<size_t>(Element::kF32);
  constexpr auto kBF16 = static_cast<size_t>(Element::kBF16);
  k.copy[kF32][kF32] = CopyLoop<float, float>;
  k.copy[kF32][kBF16] = CopyLoop<float, BF16>;
  k.copy[kBF16][kF32] = CopyLoop<BF16, float>;
  return k;
}();

TERN_END_TARGET
