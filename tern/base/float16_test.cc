// SPDX-License-Identifier: MIT
// Every pattern of both types is widened and narrowed back, and every value halfway between two
// neighbours, or just beside that, is rounded. The values to compare with come from ldexp and from
// comparisons in double, not from the code under test.
#include "tern/base/float16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tern {
namespace {

struct BF16Format {
  using Type = BF16;
  static constexpr int kMantissaBits = 7;
  static constexpr int kExponentBits = 8;
  static Type Round(float value) { return RoundToBF16(value); }
};

struct F16Format {
  using Type = F16;
  static constexpr int kMantissaBits = 10;
  static constexpr int kExponentBits = 5;
  static Type Round(float value) { return RoundToF16(value); }
};

template <typename Format>
class Float16Test : public ::testing::Test {
 public:
  static constexpr uint32_t kSign = 0x8000;
  static constexpr uint32_t kInfinity = ((1u << Format::kExponentBits) - 1)
                                        << Format::kMantissaBits;

  // The value of a finite pattern without sign, by the definition of the format. The pattern of
  // infinity gives the power of two that rounding treats as its neighbour.
  static double Value(uint32_t pattern) {
    const int bias = (1 << (Format::kExponentBits - 1)) - 1;
    const int exponent = static_cast<int>(pattern >> Format::kMantissaBits);
    const uint32_t mantissa = pattern & ((1u << Format::kMantissaBits) - 1);
    if (exponent == 0) return std::ldexp(mantissa, 1 - bias - Format::kMantissaBits);
    return std::ldexp(mantissa + (1u << Format::kMantissaBits),
                      exponent - bias - Format::kMantissaBits);
  }

  static uint32_t Rounded(float value) { return Format::Round(value).bits; }
  static float Widened(uint32_t pattern) {
    return ToF32(typename Format::Type{static_cast<uint16_t>(pattern)});
  }
};

using Formats = ::testing::Types<BF16Format, F16Format>;
TYPED_TEST_SUITE(Float16Test, Formats);

TYPED_TEST(Float16Test, EveryPatternWidensToItsValueAndBack) {
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const uint32_t magnitude = pattern & 0x7fff;
    const float wide = this->Widened(pattern);
    EXPECT_EQ(std::signbit(wide), (pattern & this->kSign) != 0) << pattern;
    if (magnitude > this->kInfinity) {
      const uint32_t quiet = 1u << (TypeParam::kMantissaBits - 1);
      ASSERT_TRUE(std::isnan(wide)) << pattern;
      ASSERT_EQ(this->Rounded(wide), pattern | quiet) << pattern;
      continue;
    }
    if (magnitude == this->kInfinity) {
      ASSERT_TRUE(std::isinf(wide)) << pattern;
    } else {
      ASSERT_EQ(std::fabs(static_cast<double>(wide)), this->Value(magnitude)) << pattern;
    }
    ASSERT_EQ(this->Rounded(wide), pattern);
  }
}

TYPED_TEST(Float16Test, RoundsToNearestWithTiesToEven) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (uint32_t low = 0; low < this->kInfinity; ++low) {
    const double halfway = (this->Value(low) + this->Value(low + 1)) / 2;
    const float tie = static_cast<float>(halfway);
    ASSERT_EQ(static_cast<double>(tie), halfway) << low;  // float holds every tie
    const uint32_t even = (low & 1) == 0 ? low : low + 1;
    ASSERT_EQ(this->Rounded(tie), even) << low;
    ASSERT_EQ(this->Rounded(-tie), even | this->kSign) << low;
    ASSERT_EQ(this->Rounded(std::nextafter(tie, 0.0f)), low) << low;
    ASSERT_EQ(this->Rounded(std::nextafter(tie, infinity)), low + 1) << low;
  }
}

TYPED_TEST(Float16Test, ExtremesOfFloat) {
  const uint32_t sign = this->kSign;
  const uint32_t infinity = this->kInfinity;
  EXPECT_EQ(this->Rounded(std::numeric_limits<float>::max()), infinity);
  EXPECT_EQ(this->Rounded(-std::numeric_limits<float>::max()), infinity | sign);
  EXPECT_EQ(this->Rounded(std::numeric_limits<float>::denorm_min()), 0u);
  EXPECT_EQ(this->Rounded(-std::numeric_limits<float>::denorm_min()), sign);
  EXPECT_EQ(this->Rounded(-0.0f), sign);
}

TYPED_TEST(Float16Test, ASignallingNanBecomesQuietWhenNarrowed) {
  for (const uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fbfffffu, 0x7fffffffu}) {
    const uint32_t rounded = TypeParam::Round(std::bit_cast<float>(bits)).bits;
    EXPECT_GT(rounded & 0x7fff, this->kInfinity) << bits;
    EXPECT_NE(rounded & (1u << (TypeParam::kMantissaBits - 1)), 0u) << bits;
    EXPECT_EQ(rounded & this->kSign, (bits >> 16) & this->kSign) << bits;
  }
}

TEST(Float16ConstexprTest, WorksAtCompileTime) {
  static_assert(RoundToBF16(1.0f).bits == 0x3f80);
  static_assert(RoundToF16(1.0f).bits == 0x3c00);
  static_assert(ToF32(BF16{0xc000}) == -2.0f);
  static_assert(ToF32(F16{0x0001}) == 0x1p-24f);
}

}  // namespace
}  // namespace tern
