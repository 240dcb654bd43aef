// SPDX-License-Identifier: MIT
// Every type of trit_blocks.inc against a decoder of its own, which looks one weight up at a time.
#include "tern/pack/trit_blocks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tern/base/float16.h"
#include "tern/base/random.h"

namespace tern {
namespace {

using Bytes = std::vector<uint8_t>;

float Half(const uint8_t* at) {
  uint16_t bits = 0;
  std::memcpy(&bits, at, 2);
  return ToF32(F16{bits});
}

float Single(const uint8_t* at) {
  float value = 0;
  std::memcpy(&value, at, 4);
  return value;
}

// The weight at (row, column) of [n, k].
using LookUp = float (*)(const Bytes& b, int64_t n, int64_t k, int64_t row, int64_t column);

float I2S(const Bytes& b, int64_t n, int64_t k, int64_t row, int64_t column) {
  const int64_t element = row * k + column;
  const int code = b[element / 128 * 32 + element % 32] >> (6 - element % 128 / 32 * 2) & 3;
  return static_cast<float>(code - 1) * Single(&b[n * k / 4]);
}

float I2S64(const Bytes& b, int64_t n, int64_t k, int64_t row, int64_t column) {
  const int64_t element = row * k + column;
  const int code = b[element / 64 * 16 + element % 16] >> (6 - element % 64 / 16 * 2) & 3;
  return static_cast<float>(code - 1) * Single(&b[n * k / 4]);
}

float I2SRows(const Bytes& b, int64_t n, int64_t k, int64_t row, int64_t column) {
  const int code = b[row / 4 * k + column] >> (6 - row % 4 * 2) & 3;
  return static_cast<float>(code - 1) * Single(&b[n * k / 4]);
}

float Tq20(const Bytes& b, int64_t, int64_t k, int64_t row, int64_t column) {
  const uint8_t* block = &b[(row * (k / 256) + column / 256) * 66];
  const int64_t in_block = column % 256;
  const uint8_t byte = block[in_block / 128 * 32 + in_block % 32];
  return static_cast<float>((byte >> in_block % 128 / 32 * 2 & 3) - 1) * Half(block + 64);
}

float Tq10(const Bytes& b, int64_t, int64_t k, int64_t row, int64_t column) {
  constexpr uint8_t kPowers[] = {1, 3, 9, 27, 81};
  const uint8_t* block = &b[(row * (k / 256) + column / 256) * 54];
  const int64_t c = column % 256;
  uint8_t byte = 0;
  if (c < 160) {
    byte = static_cast<uint8_t>(block[c % 32] * kPowers[c / 32]);
  } else if (c < 240) {
    byte = static_cast<uint8_t>(block[32 + (c - 160) % 16] * kPowers[(c - 160) / 16]);
  } else {
    byte = static_cast<uint8_t>(block[48 + (c - 240) % 4] * kPowers[(c - 240) / 4]);
  }
  return static_cast<float>((uint16_t{byte} * 3 >> 8) - 1) * Half(block + 52);
}

template <int64_t kColumns>
float Q20(const Bytes& b, int64_t, int64_t k, int64_t row, int64_t column) {
  const uint8_t* block = &b[(row * (k / kColumns) + column / kColumns) * (2 + kColumns / 4)];
  const int64_t c = column % kColumns;
  return static_cast<float>((block[2 + c / 4] >> 2 * (c % 4) & 3) - 1) * Half(block);
}

float Iq2Bn(const Bytes& b, int64_t, int64_t k, int64_t row, int64_t column) {
  const uint8_t* line = &b[row * (4 + k / 4)];
  const int64_t c = column % 64;
  const int code = line[4 + column / 64 * 16 + c % 16] >> c / 16 * 2 & 3;
  return static_cast<float>(code - 1) * Single(line);
}

float Iq1Bn(const Bytes& b, int64_t, int64_t k, int64_t row, int64_t column) {
  const uint8_t* line = &b[row * (2 + k / 64 * 13)];
  const uint8_t* block = line + 2 + column / 64 * 13;
  const int64_t group = column % 64 / 16, c = column % 16;
  const uint8_t byte = c == 15 ? block[12] : block[3 * group + c / 5];
  const int64_t digit = c == 15 ? group : c % 5;
  // byte = ceil(256 v / 243), so v = floor(243 byte / 256), whose digits are trits + 1.
  int value = byte * 243 / 256;
  for (int64_t i = 0; i < digit; ++i) value /= 3;
  return static_cast<float>(value % 3 - 1) * Half(line);
}

const std::map<std::string_view, LookUp> kLookUps = {
    {"i2_s", I2S},           {"i2_s_64", I2S64}, {"i2_s_rows", I2SRows},
    {"tq1_0", Tq10},         {"tq2_0", Tq20},    {"q2_0", Q20<64>},
    {"q2_0_g128", Q20<128>}, {"iq1_bn", Iq1Bn},  {"iq2_bn", Iq2Bn},
};

struct Decoded {
  std::vector<int8_t> trits;
  std::vector<float> scales;
  int64_t wrong = -1;
};

Decoded Decode(const TritBlock& block, const Bytes& bytes, int64_t n, int64_t k) {
  Decoded decoded;
  decoded.trits.resize(n * k);
  decoded.scales.resize(n * block.Groups(k));
  decoded.wrong = DecodeTritBlocks(block, bytes, n, k, decoded.trits.data(), decoded.scales.data());
  return decoded;
}

// Random bytes whose every code is a trit.
Bytes RandomBytes(const TritBlock& block, int64_t n, int64_t k, Random* random) {
  Bytes bytes(*block.Bytes(n, k));
  const bool base3 = block.name == "tq1_0" || block.name == "iq1_bn";
  for (uint8_t& byte : bytes) {
    byte = 0;
    for (int field = 0; field < 4; ++field) {
      byte = static_cast<uint8_t>(byte << 2 | random->Below(3));
    }
    // Of base 3 only what encoders write.
    if (base3) byte = static_cast<uint8_t>((random->Below(243) * 256 + 242) / 243);
  }
  return bytes;
}

TEST(TritBlocks, DecodeWhatTheDrawingSays) {
  constexpr uint64_t kSeed = 11;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  for (const TritBlock* block : TritBlocks()) {
    SCOPED_TRACE(block->name);
    const LookUp look_up = kLookUps.at(block->name);
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{4, 256}, {8, 768}}) {
      Bytes bytes = RandomBytes(*block, n, k, &random);
      const Decoded decoded = Decode(*block, bytes, n, k);
      ASSERT_EQ(decoded.wrong, -1);
      const int64_t groups = block->Groups(k);
      for (int64_t i = 0; i < n * k; ++i) {
        const int64_t row = i / k, column = i % k;
        const float scale = decoded.scales[row * groups + column * groups / k];
        const float weight = static_cast<float>(decoded.trits[i]) * scale;
        const float wanted = look_up(bytes, n, k, row, column);
        // The bytes of an f16 scale may be those of NaN.
        ASSERT_TRUE(weight == wanted || (std::isnan(weight) && std::isnan(wanted)))
            << row << ", " << column;
      }
    }
  }
}

TEST(TritBlocks, ComeBackWithTheirScale) {
  constexpr uint64_t kSeed = 12;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  for (const TritBlock* block : TritBlocks()) {
    if (block->encode == nullptr) continue;
    SCOPED_TRACE(block->name);
    const int64_t n = 3, k = 512;
    const float scale = RoundTritScale(*block, 0.7f);
    EXPECT_NEAR(scale, 0.7f, 0.7f * 0x1p-11f);
    std::vector<int8_t> trits(n * k);
    for (int8_t& trit : trits) trit = static_cast<int8_t>(random.Below(3)) - 1;
    std::fill(trits.begin(), trits.begin() + 256, int8_t{0});
    Bytes bytes(*block->Bytes(n, k), 0xaa);
    EncodeTritBlocks(*block, trits.data(), n, k, std::span(&scale, 1), bytes);
    const Decoded decoded = Decode(*block, bytes, n, k);
    EXPECT_EQ(decoded.trits, trits);
    for (size_t i = 0; i < decoded.scales.size(); ++i) {
      const bool zeros = i == 0 && block->span == ScaleSpan::kBlock;
      EXPECT_EQ(decoded.scales[i], zeros ? 0.0f : scale) << i;
    }
  }
}

TEST(TritBlocks, ComeBackWithScalesOfGroups) {
  constexpr uint64_t kSeed = 13;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  for (const char* name : {"tq1_0", "tq2_0"}) {
    const TritBlock& block = *FindTritBlock(name);
    for (const int64_t groups : {1, 2, 4}) {
      SCOPED_TRACE(fmt::format("{} {}", name, groups));
      const int64_t n = 3, k = 1024;
      ASSERT_TRUE(block.Holds(groups, k));
      std::vector<int8_t> trits(n * k);
      for (int8_t& trit : trits) trit = static_cast<int8_t>(random.Below(2) * 2) - 1;
      std::vector<float> scales(n * groups);
      for (float& scale : scales) scale = static_cast<float>(1 + random.Below(1000)) / 1024;
      Bytes bytes(*block.Bytes(n, k));
      EncodeTritBlocks(block, trits.data(), n, k, scales, bytes);
      const Decoded decoded = Decode(block, bytes, n, k);
      EXPECT_EQ(decoded.trits, trits);
      for (int64_t i = 0; i < n * 4; ++i) {
        EXPECT_EQ(decoded.scales[i], scales[i / 4 * groups + i % 4 * groups / 4]) << i;
      }
    }
    EXPECT_TRUE(block.Holds(0, 1024));
    EXPECT_FALSE(block.Holds(8, 1024));
    EXPECT_FALSE(block.Holds(3, 1024));
    EXPECT_TRUE(block.Holds(3, 768));
  }
  EXPECT_FALSE(FindTritBlock("i2_s")->Holds(1, 1024));
  EXPECT_TRUE(FindTritBlock("iq2_bn")->Holds(1, 1024));
  EXPECT_FALSE(FindTritBlock("iq2_bn")->Holds(2, 1024));
}

TEST(TritBlocks, RefuseTheCodeThatIsNoTrit) {
  for (const TritBlock* block : TritBlocks()) {
    if (block->name == "tq1_0" || block->name == "iq1_bn") continue;
    SCOPED_TRACE(block->name);
    const int64_t n = 4, k = 256;
    Bytes bytes(*block->Bytes(n, k), 0);
    const int64_t header = block->span == ScaleSpan::kRow ? 4 : 0;
    bytes[header + block->bytes + block->codes_at] = 0x30;
    EXPECT_EQ(Decode(*block, bytes, n, k).wrong, 1);
  }
}

TEST(TritBlocks, TakeWhatTheirBlocksFill) {
  const auto bytes = [](const char* name, int64_t n, int64_t k) {
    return FindTritBlock(name)->Bytes(n, k).value_or(-1);
  };
  EXPECT_EQ(bytes("i2_s", 4, 256), 4 * 256 / 4 + 32);
  EXPECT_EQ(bytes("i2_s", 4, 96), 4 * 96 / 4 + 32);
  EXPECT_EQ(bytes("i2_s", 4, 95), -1);
  EXPECT_EQ(bytes("i2_s_rows", 6, 256), -1);
  EXPECT_EQ(bytes("tq2_0", 2, 512), 4 * 66);
  EXPECT_EQ(bytes("tq1_0", 2, 640), -1);
  EXPECT_EQ(bytes("tq1_0", 2, 768), 6 * 54);
  EXPECT_EQ(bytes("iq2_bn", 3, 192), 3 * (4 + 48));
  EXPECT_EQ(bytes("iq1_bn", 3, 192), 3 * (2 + 39));
  EXPECT_EQ(bytes("i2_s", INT64_MAX, 2), -1);
  EXPECT_EQ(bytes("tq2_0", INT64_MAX / 100, 256), -1);
  EXPECT_EQ(FindTritBlock("none"), nullptr);
}

}  // namespace
}  // namespace tern
