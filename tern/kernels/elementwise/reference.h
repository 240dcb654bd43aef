// SPDX-License-Identifier: MIT
// elementwise.h, slow and obvious, for float and double.
#pragma once

#include <iterator>

#include "tern/kernels/elementwise/elementwise.h"
#include "tern/kernels/elementwise/functions.h"

namespace tern::kernels::reference {

template <typename F, typename T>
void UnaryLoop(const T* a, int64_t a_stride, T* y, int64_t y_stride, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i * y_stride] = F::Of(a[i * a_stride]);
}

template <typename F, typename T>
void BinaryLoop(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y, int64_t y_stride,
                int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i * y_stride] = F::Of(a[i * a_stride], b[i * b_stride]);
}

// Static, because vector targets take most of these into their own objects (check_isa_leak).
template <typename From, typename To>
static void CopyLoop(const void* a, int64_t a_stride, void* y, int64_t y_stride,
                     int64_t n) noexcept {
  const From* from = static_cast<const From*>(a);
  To* to = static_cast<To*>(y);
  for (int64_t i = 0; i < n; ++i) {
    to[i * y_stride] = functions::Convert<To>(from[i * a_stride]);
  }
}

template <typename T>
inline constexpr UnaryFn<T> kUnary[static_cast<size_t>(Unary::kCount)] = {
#define TERN_UNARY(name, expression) UnaryLoop<functions::name, T>,
#define TERN_BINARY(name, expression)
#include "tern/kernels/elementwise/elementwise.inc"
#undef TERN_UNARY
#undef TERN_BINARY
};

template <typename T>
inline constexpr BinaryFn<T> kBinary[static_cast<size_t>(Binary::kCount)] = {
#define TERN_UNARY(name, expression)
#define TERN_BINARY(name, expression) BinaryLoop<functions::name, T>,
#include "tern/kernels/elementwise/elementwise.inc"
#undef TERN_UNARY
#undef TERN_BINARY
};

// A row of ElementwiseKernels::copy.
template <typename From>
constexpr void FillCopies(CopyFn (&to)[static_cast<size_t>(Element::kCount)]) {
  to[static_cast<size_t>(Element::kF64)] = CopyLoop<From, double>;
  to[static_cast<size_t>(Element::kF32)] = CopyLoop<From, float>;
  to[static_cast<size_t>(Element::kBF16)] = CopyLoop<From, BF16>;
  to[static_cast<size_t>(Element::kF16)] = CopyLoop<From, F16>;
  to[static_cast<size_t>(Element::kI8)] = CopyLoop<From, int8_t>;
  to[static_cast<size_t>(Element::kU8)] = CopyLoop<From, uint8_t>;
  to[static_cast<size_t>(Element::kI32)] = CopyLoop<From, int32_t>;
}

inline constexpr ElementwiseKernels kElementwise = [] {
  ElementwiseKernels k = {};
  for (size_t i = 0; i < std::size(k.unary); ++i) k.unary[i] = kUnary<float>[i];
  for (size_t i = 0; i < std::size(k.binary); ++i) k.binary[i] = kBinary<float>[i];
  FillCopies<double>(k.copy[static_cast<size_t>(Element::kF64)]);
  FillCopies<float>(k.copy[static_cast<size_t>(Element::kF32)]);
  FillCopies<BF16>(k.copy[static_cast<size_t>(Element::kBF16)]);
  FillCopies<F16>(k.copy[static_cast<size_t>(Element::kF16)]);
  FillCopies<int8_t>(k.copy[static_cast<size_t>(Element::kI8)]);
  FillCopies<uint8_t>(k.copy[static_cast<size_t>(Element::kU8)]);
  FillCopies<int32_t>(k.copy[static_cast<size_t>(Element::kI32)]);
  return k;
}();

}  // namespace tern::kernels::reference
