// SPDX-License-Identifier: MIT
// The functions of elementwise.inc as types with a member Of(), and conversions: what the loops of
// the reference and of every vector target inline.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "tern/base/float16.h"
#include "tern/kernels/math/math.h"

namespace tern::kernels::functions {

#define TERN_UNARY(name, expression)          \
  struct name {                               \
    template <typename T>                     \
    [[gnu::always_inline]] static T Of(T a) { \
      return expression;                      \
    }                                         \
  };
#define TERN_BINARY(name, expression)              \
  struct name {                                    \
    template <typename T>                          \
    [[gnu::always_inline]] static T Of(T a, T b) { \
      return expression;                           \
    }                                              \
  };
#include "tern/kernels/elementwise/elementwise.inc"
#undef TERN_UNARY
#undef TERN_BINARY

template <typename T>
inline constexpr bool kIsHalf = std::is_same_v<T, BF16> || std::is_same_v<T, F16>;

template <typename To, typename From>
[[gnu::always_inline]] inline To Convert(From value) {
  if constexpr (kIsHalf<From>) {
    return Convert<To>(ToF32(value));
  } else if constexpr (std::is_same_v<To, BF16>) {
    return RoundToBF16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, F16>) {
    return RoundToF16(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else {
    // Every integer type here fits into double.
    constexpr double kLow = std::numeric_limits<To>::min();
    constexpr double kHigh = std::numeric_limits<To>::max();
    constexpr double kRound = 0x1.8p+52;
    const double wide = static_cast<double>(value);
    const double bounded = wide != wide ? 0.0 : std::clamp(wide, kLow, kHigh);
    return static_cast<To>(bounded + kRound - kRound);
  }
}

}  // namespace tern::kernels::functions
