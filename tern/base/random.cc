// SPDX-License-Identifier: MIT
#include "tern/base/random.h"

#include <cmath>
#include <cstddef>
#include <numeric>

#include "tern/base/check.h"
#include "tern/base/portable_math.h"

namespace tern {
namespace {

__extension__ using uint128 = unsigned __int128;

template <size_t n>
double Polynomial(const std::array<double, n>& coefficients, double x) {
  double value = coefficients[n - 1];
  for (size_t i = n - 1; i-- > 0;) value = value * x + coefficients[i];
  return value;
}

// Wichura, "Algorithm AS 241: the percentage points of the normal distribution" (PPND16),
// Applied Statistics 37 (1988). Numerator and denominator, lowest power first.
constexpr std::array<double, 8> kCentreNumerator = {
    3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
    1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
    3.3430575583588128105e+4, 2.5090809287301226727e+3};
constexpr std::array<double, 8> kCentreDenominator = {1.0,
                                                      4.2313330701600911252e+1,
                                                      6.8718700749205790830e+2,
                                                      5.3941960214247511077e+3,
                                                      2.1213794301586595867e+4,
                                                      3.9307895800092710610e+4,
                                                      2.8729085735721942674e+4,
                                                      5.2264952788528545610e+3};
constexpr std::array<double, 8> kMiddleNumerator = {
    1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
    3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
    2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr std::array<double, 8> kMiddleDenominator = {1.0,
                                                      2.05319162663775882187e0,
                                                      1.67638483018380384940e0,
                                                      6.89767334985100004550e-1,
                                                      1.48103976427480074590e-1,
                                                      1.51986665636164571966e-2,
                                                      5.47593808499534494600e-4,
                                                      1.05075007164441684324e-9};
constexpr std::array<double, 8> kTailNumerator = {
    6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
    2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
    2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr std::array<double, 8> kTailDenominator = {1.0,
                                                    5.99832206555887937690e-1,
                                                    1.36929880922735805310e-1,
                                                    1.48753612908506148525e-2,
                                                    7.86869131145613259100e-4,
                                                    1.84631831751005468180e-5,
                                                    1.42151175831644588870e-7,
                                                    2.04426310338993978564e-15};

}  // namespace

std::array<uint32_t, 4> PhiloxBlock(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

double NormalQuantile(double p) {
  TERN_CHECK(p > 0.0 && p < 1.0);
  const double q = p - 0.5;
  if (q >= -0.425 && q <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * (Polynomial(kCentreNumerator, r) / Polynomial(kCentreDenominator, r));
  }
  double r = std::sqrt(-PortableLog(q < 0.0 ? p : 1.0 - p));
  double x = 0.0;
  if (r <= 5.0) {
    r -= 1.6;
    x = Polynomial(kMiddleNumerator, r) / Polynomial(kMiddleDenominator, r);
  } else {
    r -= 5.0;
    x = Polynomial(kTailNumerator, r) / Polynomial(kTailDenominator, r);
  }
  return q < 0.0 ? -x : x;
}

uint32_t Random::NextU32() {
  const uint64_t block = position_ / 4;
  if (block != cached_block_) {
    words_ = PhiloxBlock({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                          static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)},
                         {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
    cached_block_ = block;
  }
  return words_[position_++ % 4];
}

uint64_t Random::NextU64() {
  const uint64_t low = NextU32();
  return low | (uint64_t{NextU32()} << 32);
}

float Random::UniformF32() { return static_cast<float>(NextU32() >> 8) * 0x1p-24f; }

double Random::Uniform() { return static_cast<double>(NextU64() >> 11) * 0x1p-53; }

uint64_t Random::Below(uint64_t bound) {
  TERN_CHECK(bound >= 1);
  // Lemire, "Fast random integer generation in an interval", 2019: of the 2^64 products, those
  // whose low half is below 2^64 mod bound are drawn again. The remainder is below bound, so that
  // most draws need no division.
  uint128 product = static_cast<uint128>(NextU64()) * bound;
  if (static_cast<uint64_t>(product) < bound) {
    const uint64_t threshold = (0 - bound) % bound;
    while (static_cast<uint64_t>(product) < threshold) {
      product = static_cast<uint128>(NextU64()) * bound;
    }
  }
  return static_cast<uint64_t>(product >> 64);
}

double Random::Normal() {
  // The middle of one of 2^52 equal intervals: exact, never 0 or 1, symmetric about 1/2.
  const double p = (static_cast<double>(NextU64() >> 12) + 0.5) * 0x1p-52;
  return NormalQuantile(p);
}

void Random::Permutation(std::span<int64_t> out) {
  std::iota(out.begin(), out.end(), int64_t{0});
  Shuffle(out);
}

}  // namespace tern
