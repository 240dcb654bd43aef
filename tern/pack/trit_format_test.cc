// SPDX-License-Identifier: MIT
// What holds for every format of formats.inc, and each format against its drawing.
#include "tern/pack/trit_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <vector>

#include "tern/base/error.h"
#include "tern/pack/formats/hf_u8.h"

namespace tern {
namespace {

// An Error of kInvalidArgument whose message has the part.
template <typename F>
void ExpectError(F f, const std::string& part) {
  try {
    f();
    ADD_FAILURE() << "no error that says " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

class TritFormatTest : public testing::Test {
 protected:
  std::vector<uint8_t> Encode(const TritFormatInfo& format, const std::vector<int8_t>& trits,
                              int64_t n, int64_t k) {
    const PackedTrits packed = EncodeTrits(pool_, format, trits, n, k, 0.5f);
    EXPECT_EQ(packed.scale, 0.5f);
    const auto codes = packed.codes.span<uint8_t>();
    return {codes.begin(), codes.end()};
  }

  std::vector<int8_t> Decode(const TritFormatInfo& format, const std::vector<uint8_t>& bytes,
                             int64_t n, int64_t k) {
    const Tensor codes = Tensor::FromExternal(
        pool_, bytes.data(), {static_cast<int64_t>(bytes.size())}, DType::kU8, nullptr);
    const Tensor trits = DecodeTrits(pool_, {.codes = codes, .format = &format, .n = n, .k = k});
    return {trits.span<int8_t>().begin(), trits.span<int8_t>().end()};
  }

  MemoryPool pool_;
};

TEST_F(TritFormatTest, EveryGroupOfTritsHasAByteOfItsOwn) {
  for (const TritFormatInfo* format : TritFormats()) {
    const int64_t n = format->byte_rows, k = format->byte_columns;
    std::vector<int8_t> trits(n * k, -1);
    std::set<uint8_t> seen;
    int64_t groups = 0;
    for (bool more = true; more; ++groups) {
      const std::vector<uint8_t> bytes = Encode(*format, trits, n, k);
      ASSERT_EQ(bytes.size(), 1u);
      ASSERT_TRUE(seen.insert(bytes[0]).second) << format->name;
      ASSERT_EQ(Decode(*format, bytes, n, k), trits) << format->name;
      more = false;
      for (int8_t& t : trits) {  // counts in base 3
        more = t < 1;
        t = static_cast<int8_t>(more ? t + 1 : -1);
        if (more) break;
      }
    }
    EXPECT_EQ(groups, std::pow(3, n * k)) << format->name;
  }
}

TEST_F(TritFormatTest, EveryOtherByteIsRefused) {
  for (const TritFormatInfo* format : TritFormats()) {
    const int64_t n = format->byte_rows, k = format->byte_columns;
    int64_t accepted = 0;
    for (int value = 0; value < 256; ++value) {
      const std::vector<uint8_t> bytes = {static_cast<uint8_t>(value)};
      try {
        const std::vector<int8_t> trits = Decode(*format, bytes, n, k);
        EXPECT_EQ(Encode(*format, trits, n, k), bytes) << format->name;
        ++accepted;
      } catch (const Error& error) {
        const std::string part = "byte 0 is " + std::to_string(value);
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      }
    }
    EXPECT_EQ(accepted, std::pow(3, n * k)) << format->name;
  }
}

TEST_F(TritFormatTest, MatricesComeBack) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (const TritFormatInfo* format : TritFormats()) {
    for (int round = 0; round < 200; ++round) {
      const int64_t n = static_cast<int64_t>(random() % 20) * format->byte_rows;
      const int64_t k = static_cast<int64_t>(random() % 40);
      std::vector<int8_t> trits(n * k);
      for (int8_t& t : trits) t = static_cast<int8_t>(static_cast<int>(random() % 3) - 1);
      const std::vector<uint8_t> bytes = Encode(*format, trits, n, k);
      EXPECT_EQ(static_cast<int64_t>(bytes.size()), format->bytes(n, k));
      EXPECT_EQ(Decode(*format, bytes, n, k), trits) << format->name << " " << n << " " << k;
    }
  }
}

TEST_F(TritFormatTest, WrongInputIsNamed) {
  for (const TritFormatInfo* format : TritFormats()) {
    const int64_t n = 2 * format->byte_rows, k = 2 * format->byte_columns;
    std::vector<int8_t> trits(n * k, 0);
    std::vector<uint8_t> bytes = Encode(*format, trits, n, k);
    bytes[1] = 255;
    ExpectError([&] { Decode(*format, bytes, n, k); }, "byte 1 is 255");
    bytes.pop_back();
    ExpectError([&] { Decode(*format, bytes, n, k); }, "bytes, not");
    trits[3] = 2;
    ExpectError([&] { Encode(*format, trits, n, k); }, "the value at 3 is 2");
    const int64_t huge = int64_t{1} << 62;
    ExpectError([&] { Decode(*format, {}, huge, huge); }, format->name);
    ExpectError([&] { Decode(*format, {}, -4, 1); }, "[-4, 1]");
  }
}

TEST_F(TritFormatTest, AreFoundByName) {
  for (const TritFormatInfo* format : TritFormats()) {
    EXPECT_EQ(FindTritFormat(format->name), format);
  }
  EXPECT_EQ(FindTritFormat("i2_s"), nullptr);
}

TEST_F(TritFormatTest, HuggingFaceRowsLieAQuarterApart) {
  const TritFormatInfo& format = *FindTritFormat("hf_u8");
  // Row r of 8: all r % 3 - 1, but for column 1, which is 0.
  std::vector<int8_t> trits;
  for (int r = 0; r < 8; ++r) trits.insert(trits.end(), {static_cast<int8_t>(r % 3 - 1), 0});
  // Byte [0, 0] has rows 0, 2, 4, 6: codes 0, 2, 1, 0; byte [1, 0] rows 1, 3, 5, 7: 1, 0, 2, 1.
  EXPECT_EQ(Encode(format, trits, 8, 2),
            (std::vector<uint8_t>{0b00'01'10'00, 0b01'01'01'01, 0b01'10'00'01, 0b01'01'01'01}));
  ExpectError([&] { Encode(format, std::vector<int8_t>(6), 6, 1); }, "rows come in fours");
  // Rows of bytes one by one, as threads share them.
  const std::vector<uint8_t> codes = Encode(format, trits, 8, 2);
  std::vector<int8_t> decoded(trits.size(), 9);
  for (int64_t row : {1, 0}) {
    EXPECT_EQ(formats::DecodeHfU8Rows(codes.data(), 8, 2, row, row + 1, decoded.data()), -1);
  }
  EXPECT_EQ(decoded, trits);
  const std::vector<uint8_t> wrong = {0, 0, 0, 0b11};
  EXPECT_EQ(formats::DecodeHfU8Rows(wrong.data(), 8, 2, 0, 1, decoded.data()), -1);
  EXPECT_EQ(formats::DecodeHfU8Rows(wrong.data(), 8, 2, 1, 2, decoded.data()), 3);
}

TEST_F(TritFormatTest, TwoBitRowsStartAtBytes) {
  const TritFormatInfo& format = *FindTritFormat("two_bit");
  EXPECT_EQ(Encode(format, {-1, 0, 1, 0, 1, 0, 0, 0, 0, -1}, 2, 5),
            (std::vector<uint8_t>{0b01'10'01'00, 0b10, 0b01'01'01'01, 0b00}));
  ExpectError([&] { Decode(format, {0, 0b0100}, 1, 5); }, "byte 1 is 4");
}

TEST_F(TritFormatTest, BaseThreeRowsStartAtBytes) {
  const TritFormatInfo& format = *FindTritFormat("base3");
  EXPECT_EQ(Encode(format, {1, 0, -1, -1, 1, 0, /**/ 1, 1, 1, 1, 1, 1}, 2, 6),
            (std::vector<uint8_t>{2 + 3 + 2 * 81, 1, 242, 2}));
  ExpectError([&] { Decode(format, {0, 3}, 1, 6); }, "byte 1 is 3");
}

}  // namespace
}  // namespace tern
