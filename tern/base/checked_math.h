// SPDX-License-Identifier: MIT
// Integer arithmetic on sizes that come from outside: nothing instead of a wrapped result. The
// caller turns nothing into an Error that names the operand.
#pragma once

#include <concepts>
#include <optional>

namespace tern {

template <std::integral T>
constexpr std::optional<T> CheckedMul(T a, T b) {
  T result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

// ceil(a / b) for a >= 0 and b > 0; cannot overflow.
template <std::integral T>
constexpr T CeilDiv(T a, T b) {
  return static_cast<T>(a / b + (a % b != 0 ? 1 : 0));
}

}  // namespace tern
