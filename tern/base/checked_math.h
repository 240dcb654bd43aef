// SPDX-License-Identifier: MIT
// Integer arithmetic on sizes that come from outside: every function returns nothing instead of
// a wrapped, negative or truncated result. The caller turns nothing into an Error that names the
// file and the place.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>

namespace tern {

template <std::integral T>
constexpr std::optional<T> CheckedAdd(T a, T b) {
  T result = 0;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}

template <std::integral T>
constexpr std::optional<T> CheckedSub(T a, T b) {
  T result = 0;
  if (__builtin_sub_overflow(a, b, &result)) return std::nullopt;
  return result;
}

template <std::integral T>
constexpr std::optional<T> CheckedMul(T a, T b) {
  T result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

// The value as a To, where To can hold it.
template <std::integral To, std::integral From>
constexpr std::optional<To> CheckedCast(From value) {
  if (!std::in_range<To>(value)) return std::nullopt;
  return static_cast<To>(value);
}

// The product of dimensions, 1 for none. Nothing when a dimension is negative or the product does
// not fit; a dimension of zero does not hide an overflow of the others.
constexpr std::optional<int64_t> CheckedElementCount(std::span<const int64_t> dims) {
  int64_t nonzero_product = 1;
  bool has_zero = false;
  for (const int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) {
      has_zero = true;
      continue;
    }
    const std::optional<int64_t> product = CheckedMul(nonzero_product, dim);
    if (!product) return std::nullopt;
    nonzero_product = *product;
  }
  return has_zero ? 0 : nonzero_product;
}

// ceil(a / b) for a >= 0 and b > 0; cannot overflow.
template <std::integral T>
constexpr T CeilDiv(T a, T b) {
  return static_cast<T>(a / b + (a % b != 0 ? 1 : 0));
}

// The least multiple of `multiple` (> 0) that is not below value (>= 0).
template <std::integral T>
constexpr std::optional<T> CheckedRoundUp(T value, T multiple) {
  return CheckedMul(CeilDiv(value, multiple), multiple);
}

// Whether [offset, offset + bytes) lies within [0, limit).
constexpr bool RangeFits(uint64_t offset, uint64_t bytes, uint64_t limit) {
  return offset <= limit && bytes <= limit - offset;
}

}  // namespace tern
