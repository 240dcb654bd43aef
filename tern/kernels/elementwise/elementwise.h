// SPDX-License-Identifier: MIT
// Elementwise functions over runs of elements, and conversions among element types. Strides are in
// elements; 1 and 0 (one value for all) are fast. An output may be exactly one of the inputs, with
// the same stride, else it must not overlap them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tern::kernels {

enum class Unary : uint8_t {
#define TERN_UNARY(name, expression) k##name,
#define TERN_BINARY(name, expression)
#include "tern/kernels/elementwise/elementwise.inc"
#undef TERN_UNARY
#undef TERN_BINARY
  kCount
};

enum class Binary : uint8_t {
#define TERN_UNARY(name, expression)
#define TERN_BINARY(name, expression) k##name,
#include "tern/kernels/elementwise/elementwise.inc"
#undef TERN_UNARY
#undef TERN_BINARY
  kCount
};

// Element types that Copy converts among, in the order of tern::DType.
enum class Element : uint8_t { kF64, kF32, kBF16, kF16, kI8, kU8, kI32, kCount };

template <typename T>
using UnaryFn = void (*)(const T* a, int64_t a_stride, T* y, int64_t y_stride, int64_t n) noexcept;
template <typename T>
using BinaryFn = void (*)(const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* y,
                          int64_t y_stride, int64_t n) noexcept;
using CopyFn = void (*)(const void* a, int64_t a_stride, void* y, int64_t y_stride,
                        int64_t n) noexcept;

struct ElementwiseKernels {
  UnaryFn<float> unary[static_cast<size_t>(Unary::kCount)];
  BinaryFn<float> binary[static_cast<size_t>(Binary::kCount)];
  // copy[from][to]. Rounds to nearest even; f64 goes to bf16 and f16 through f32. What an integer
  // type cannot hold becomes its nearest value, NaN 0.
  CopyFn copy[static_cast<size_t>(Element::kCount)][static_cast<size_t>(Element::kCount)];

  UnaryFn<float> of(Unary f) const { return unary[static_cast<size_t>(f)]; }
  BinaryFn<float> of(Binary f) const { return binary[static_cast<size_t>(f)]; }
};

}  // namespace tern::kernels
