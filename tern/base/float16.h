// SPDX-License-Identifier: MIT
// bfloat16 and IEEE half precision as storage types, with their conversions from and to float32:
// scalar, in integer arithmetic, the same on every target. Rounding is to nearest, ties to even;
// what is too large becomes infinity, subnormals are kept. A NaN stays a NaN with its sign and
// upper payload, and narrowing makes it quiet. Widening bf16 is exact in every bit; widening f16
// makes a signalling NaN quiet, as the instructions of x86 and ARM do.
#pragma once

#include <bit>
#include <cstdint>

namespace tern {

struct BF16 {
  uint16_t bits = 0;
};

struct F16 {
  uint16_t bits = 0;
};

static_assert(sizeof(BF16) == 2 && sizeof(F16) == 2);

constexpr float ToF32(BF16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16);
}

constexpr BF16 RoundToBF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
  }
  // Adding one less than half, and one more where the result would be odd, rounds ties to even.
  // A carry out of the mantissa raises the exponent, up to infinity.
  const uint32_t bias = 0x7fffu + ((bits >> 16) & 1u);
  return {static_cast<uint16_t>((bits + bias) >> 16)};
}

constexpr float ToF32(F16 value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000u) << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1fu;
  const uint32_t mantissa = value.bits & 0x3ffu;
  if (exponent == 0x1fu) {
    const uint32_t quiet = mantissa != 0 ? 0x400000u : 0u;
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | (mantissa << 13));
  }
  if (exponent == 0) {
    // mantissa * 2^-24, exact; the sign is set apart so that -0 survives.
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

constexpr F16 RoundToF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return {static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu))};
  }
  // 65520 is halfway between the largest half and what would be next.
  if (magnitude >= 0x477ff000u) return {static_cast<uint16_t>(sign | 0x7c00u)};
  if (magnitude >= 0x38800000u) {  // normal in half precision: at least 2^-14
    const uint32_t rebased = magnitude - (112u << 23);
    const uint32_t bias = 0xfffu + ((rebased >> 13) & 1u);
    return {static_cast<uint16_t>(sign | ((rebased + bias) >> 13))};
  }
  if (magnitude < 0x33000000u) return {static_cast<uint16_t>(sign)};  // below 2^-25: zero
  // Subnormal: the mantissa with its hidden bit, shifted to units of 2^-24.
  const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  const uint32_t shift = 126u - (magnitude >> 23);  // 14 ... 24
  const uint32_t half = 1u << (shift - 1);
  const uint32_t rest = mantissa & ((1u << shift) - 1);
  uint32_t result = mantissa >> shift;
  if (rest > half || (rest == half && (result & 1u) != 0)) ++result;
  return {static_cast<uint16_t>(sign | result)};
}

}  // namespace tern
