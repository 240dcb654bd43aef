// SPDX-License-Identifier: MIT
// The transcendental functions of canonical float: + - * / sqrt and integer operations on the bits
// in a fixed order, so that every target gives the same bits. No libm, no fused multiply-add.
// Rounding to nearest even is assumed. NaN gives NaN; which NaN is not fixed.
//
// Error bounds, in units in the last place of the result (checked in math_test.cc):
//   Exp      float 1, double 1; subnormal results included. Overflow gives infinity
//   Log      float 0.51, double 1
//   Pow      double, x > 0: 1.5 + 2 |y ln x|
//   Sin, Cos double, |x| <= kMaxAngle: 2; float 0.51
//   Sigmoid  float 2.5 while x > -87; below, the error is at most 2^-125. Silu: likewise, times x
//
// What a vector target's loop may call is inlined by force: then such loops vectorize. math-inl.h
// has Exp for vectors held in registers. Exp, and Log in double, are base's.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tern/base/portable_math.h"

namespace tern::kernels::math {

using ExpF32 = PortableExpF32;

[[gnu::always_inline]] inline float Exp(float x) { return PortableExp(x); }
[[gnu::always_inline]] inline double Exp(double x) { return PortableExp(x); }
[[gnu::always_inline]] inline double Log(double x) { return PortableLog(x); }
[[gnu::always_inline]] inline float Log(float x) {
  return static_cast<float>(Log(static_cast<double>(x)));
}

// x^y for x > 0.
inline double Pow(double x, double y) { return Exp(y * Log(x)); }

// The largest angle whose reduction is exact; beyond, Sin and Cos lose accuracy.
inline constexpr double kMaxAngle = 0x1p27;

// x - quadrant * pi / 2, in [-pi / 4, pi / 4]. Cody and Waite's way: pi / 2 in three pieces of 25
// bits, whose products with the quadrant (28 bits) are exact, and a last one.
inline double ReduceAngle(double x, int64_t* quadrant) {
  constexpr double kRound = 0x1.8p+52;
  const double shifted = x * 0x1.45f306dc9c883p-1 + kRound;
  const double n = shifted - kRound;
  *quadrant = std::bit_cast<int64_t>(shifted) - std::bit_cast<int64_t>(kRound);
  const double exact = (x - n * 0x1.921fb5p+0) - n * 0x1.110b46p-26;
  const double third = n * 0x1.1a6263p-54;
  const double high = exact - third;
  const double low = ((exact - high) - third) - n * 0x1.8a2e03707344ap-81;
  return high + low;
}

// sin (odd) or cos of the reduced angle by Taylor's series; the rest is below 2^-60.
inline double SinCosSeries(double r, bool cosine) {
  const double z = r * r;
  double sum = 0;
  for (int i = cosine ? 18 : 19; i >= 2; i -= 2) {
    const double factor = -1.0 / static_cast<double>(i * (i - 1));
    sum = (sum + 1.0) * (z * factor);
  }
  return cosine ? 1.0 + sum : r + r * sum;
}

inline double Sin(double x) {
  int64_t quadrant = 0;
  const double r = ReduceAngle(x, &quadrant);
  const double y = SinCosSeries(r, (quadrant & 1) != 0);
  return (quadrant & 2) != 0 ? -y : y;
}

inline double Cos(double x) {
  int64_t quadrant = 0;
  const double r = ReduceAngle(x, &quadrant);
  const double y = SinCosSeries(r, (quadrant & 1) == 0);
  return ((quadrant + 1) & 2) != 0 ? -y : y;
}

inline float Sin(float x) { return static_cast<float>(Sin(static_cast<double>(x))); }
inline float Cos(float x) { return static_cast<float>(Cos(static_cast<double>(x))); }

template <typename T>
[[gnu::always_inline]] inline T Rsqrt(T x) {
  return T(1) / std::sqrt(x);
}

template <typename T>
[[gnu::always_inline]] inline T Sigmoid(T x) {
  return T(1) / (T(1) + Exp(-x));
}

template <typename T>
[[gnu::always_inline]] inline T Silu(T x) {
  return x / (T(1) + Exp(-x));
}

}  // namespace tern::kernels::math
