// SPDX-License-Identifier: MIT
// exp and log from IEEE operations alone, in a fixed order, so that they give the same bits on
// every machine, which the C library's do not. Rounding to nearest even is assumed. Inlined by
// force, so that loops vectorize, that each kernel target may call them (kernels/math/math.h), and
// that no copy of them compiled for one CPU is ever linked into code for another.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace tern {

// Constants of PortableExp(float), for whoever writes it in vectors.
struct PortableExpF32 {
  static constexpr float kMax = 89.0f;    // beyond, the result is infinity
  static constexpr float kMin = -104.0f;  // below, the result is 0
  static constexpr float kLog2E = 0x1.715476p+0f;
  static constexpr float kRound = 0x1.8p+23f;    // adding it rounds to an integer
  static constexpr float kLn2High = 0x1.63p-1f;  // 9 bits: its product with n is exact
  static constexpr float kLn2Low = -0x1.bd0106p-13f;
  // exp(r) = 1 + r + r^2 (c[0] + c[1] r + ...) for |r| <= ln(2) / 2 with relative error 2^-27.8:
  // the minimax polynomial, found by Remez' algorithm.
  static constexpr float kC[5] = {0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558f4p-5f, 0x1.123a6cp-7f,
                                  0x1.6a2352p-10f};
};

// e^x within 1 ulp, subnormal results included. Overflow gives infinity, NaN gives NaN.
[[gnu::always_inline]] inline float PortableExp(float x) {
  using K = PortableExpF32;
  x = x > K::kMax ? K::kMax : x;
  x = x < K::kMin ? K::kMin : x;
  const float shifted = x * K::kLog2E + K::kRound;
  const float n = shifted - K::kRound;
  const float r = (x - n * K::kLn2High) - n * K::kLn2Low;
  float q = K::kC[4];
  q = q * r + K::kC[3];
  q = q * r + K::kC[2];
  q = q * r + K::kC[1];
  q = q * r + K::kC[0];
  const float y = 1.0f + (r + r * r * q);
  // Times 2^n in two steps, of which the first is exact: n reaches from -150 to 128.
  const int32_t k = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(K::kRound);
  const int32_t half = k >> 1;
  const uint32_t first = static_cast<uint32_t>(half + 127) << 23;
  const uint32_t second = static_cast<uint32_t>(k - half + 127) << 23;
  return y * std::bit_cast<float>(first) * std::bit_cast<float>(second);
}

namespace internal {
inline constexpr double kLn2High = 0x1.62e42feep-1;  // 32 bits
inline constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
}  // namespace internal

[[gnu::always_inline]] inline double PortableExp(double x) {
  constexpr double kRound = 0x1.8p+52;
  x = x > 710.0 ? 710.0 : x;
  x = x < -746.0 ? -746.0 : x;
  const double shifted = x * 0x1.71547652b82fep+0 + kRound;
  const double n = shifted - kRound;
  const double r = (x - n * internal::kLn2High) - n * internal::kLn2Low;
  // Taylor's series to r^13; the rest is below 2^-57.
  double q = 0;
  double factorial = 6227020800.0;
  for (int i = 13; i >= 2; --i) {
    q = q * r + 1.0 / factorial;
    factorial /= i;
  }
  const double y = 1.0 + (r + r * r * q);
  const int64_t k = std::bit_cast<int64_t>(shifted) - std::bit_cast<int64_t>(kRound);
  const int64_t half = k >> 1;
  const uint64_t first = static_cast<uint64_t>(half + 1023) << 52;
  const uint64_t second = static_cast<uint64_t>(k - half + 1023) << 52;
  return y * std::bit_cast<double>(first) * std::bit_cast<double>(second);
}

// log x within 1 ulp; -infinity at 0, NaN below.
[[gnu::always_inline]] inline double PortableLog(double x) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!(x > 0)) return x == 0 ? -kInfinity : std::numeric_limits<double>::quiet_NaN();
  if (x == kInfinity) return x;
  int64_t exponent = -1023;
  if (x < std::numeric_limits<double>::min()) {
    x *= 0x1p54;
    exponent -= 54;
  }
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  exponent += static_cast<int64_t>(bits >> 52);
  double m = std::bit_cast<double>((bits & 0xfffffffffffffu) | 0x3ff0000000000000u);
  if (m > 0x1.6a09e667f3bcdp+0) {  // sqrt(2)
    m *= 0.5;
    exponent += 1;
  }
  // log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + R) with s = f / (2 + f), |s| < 0.172, and R the rest of
  // the series of 2 artanh(s) / s: 2 s^2 / 3 + 2 s^4 / 5 + ..., cut off below 2^-60.
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double rest = 0;
  for (int i = 21; i >= 3; i -= 2) rest = (rest + 2.0 / i) * z;
  const double half_square = 0.5 * f * f;
  const double k = static_cast<double>(exponent);
  return k * internal::kLn2High -
         ((half_square - (s * (half_square + rest) + k * internal::kLn2Low)) - f);
}

}  // namespace tern
