// SPDX-License-Identifier: MIT
#include "tern/base/portable_math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tern {

double PortableExp(double x) {
  if (std::isnan(x)) return x;
  if (x > 709.0) return std::numeric_limits<double>::infinity();
  if (x < -708.0) return 0.0;
  // e^x = 2^k e^r with |r| <= log(2) / 2. log(2) is split so that k * high is exact.
  constexpr double kLog2High = 6.93147180369123816490e-01;
  constexpr double kLog2Low = 1.90821492927058770002e-10;
  const double k = std::floor(x * 1.4426950408889634074 + 0.5);
  const double r = (x - k * kLog2High) - k * kLog2Low;
  // Taylor's series, highest power first. The first term left out, r^14 / 14!, is below 5e-18.
  constexpr double kCoefficients[] = {1.0 / 6227020800,
                                      1.0 / 479001600,
                                      1.0 / 39916800,
                                      1.0 / 3628800,
                                      1.0 / 362880,
                                      1.0 / 40320,
                                      1.0 / 5040,
                                      1.0 / 720,
                                      1.0 / 120,
                                      1.0 / 24,
                                      1.0 / 6,
                                      0.5,
                                      1.0,
                                      1.0};
  double series = 0.0;
  for (const double coefficient : kCoefficients) series = series * r + coefficient;
  const auto exponent = static_cast<uint64_t>(static_cast<int64_t>(k) + 1023);
  return series * std::bit_cast<double>(exponent << 52);
}

double PortableLog(double x) {
  // With m in [sqrt(1/2), sqrt(2)) and s = (m - 1) / (m + 1), log m = 2 (s + s^3/3 + s^5/5 + ...);
  // the first term left out is below 2e-18 relative.
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL);
  if (m > 1.4142135623730951) {
    m = m * 0.5;
    ++exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double series = 0.0;
  for (int k = 23; k >= 3; k -= 2) series = (series + 1.0 / k) * s2;
  return exponent * 0.6931471805599453094 + 2.0 * (s + s * series);
}

}  // namespace tern
