// SPDX-License-Identifier: MIT
#include "tern/text/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tern/base/error.h"

namespace tern {
namespace {

TEST(Utf8, EveryScalarValueRoundTrips) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    AppendUtf8(c, &text);
    ASSERT_EQ(ValidUtf8Prefix(text), text.size()) << "code point " << static_cast<uint32_t>(c);
    ASSERT_TRUE(FirstUtf8(text).code_point == c);
    ASSERT_EQ(FirstUtf8(text).size_bytes, text.size());
    ASSERT_TRUE(LastUtf8("\xF0\x9F\x98\x80" + text).code_point == c);
    for (size_t cut = 1; cut < text.size(); ++cut)
      ASSERT_EQ(ValidUtf8Prefix(text.substr(0, cut)), 0);
  }
}

// Unicode 3.9, table 3-7, decided independently by decoding and encoding again.
TEST(Utf8, EveryPairAndTripleOfBytesIsJudgedAsTheTableSays) {
  const auto is_tail = [](int b) { return b >= 0x80 && b <= 0xBF; };
  for (int a = 0x80; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string two{static_cast<char>(a), static_cast<char>(b)};
      const bool valid_two = a >= 0xC2 && a <= 0xDF && is_tail(b);
      ASSERT_EQ(ValidUtf8Prefix(two), valid_two ? 2u : 0u) << a << " " << b;
      for (const int c : {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF}) {
        const std::string three = two + static_cast<char>(c);
        const int code = (a & 0xF) << 12 | (b & 0x3F) << 6 | (c & 0x3F);
        const bool valid = a >= 0xE0 && a <= 0xEF && is_tail(b) && is_tail(c) && code >= 0x800 &&
                           !(code >= 0xD800 && code <= 0xDFFF);
        if (!valid_two) {
          ASSERT_EQ(ValidUtf8Prefix(three), valid ? 3u : 0u) << a << " " << b << " " << c;
        }
      }
    }
  }
}

TEST(Utf8, RefusesWhatIsBeyondUnicode) {
  for (const char* bad :
       {"\xF4\x90\x80\x80", "\xF0\x8F\xBF\xBF", "\xF5\x80\x80\x80", "\xFF", "\x80"}) {
    EXPECT_EQ(ValidUtf8Prefix(bad), 0u);
  }
}

TEST(Utf8, CheckNamesTheOffset) {
  EXPECT_NO_THROW(CheckUtf8("plain, then \xC3\xA9", "text"));
  try {
    CheckUtf8("0123456789abcdef\xC3(", "prompt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_THAT(error.what(), testing::HasSubstr("prompt"));
    EXPECT_THAT(error.what(), testing::HasSubstr("offset 16"));
    EXPECT_THAT(error.what(), testing::HasSubstr("0xc3"));
  }
}

TEST(Utf8, RepairReplacesMaximalSubparts) {
  // Unicode 3.9, table 3-8.
  const std::string bytes =
      "a\xF1\x80\x80\xE1\x80\xC2"
      "b\x80"
      "c\x80\xBF"
      "d";
  std::string out;
  EXPECT_EQ(AppendRepairedUtf8(bytes, true, &out), bytes.size());
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(out, "a" + r + r + r + "b" + r + "c" + r + r + "d");
}

TEST(Utf8, RepairKeepsAnUnfinishedCharacterForLater) {
  std::string out;
  EXPECT_EQ(AppendRepairedUtf8("ab\xF0\x9F\x98", false, &out), 2u);
  EXPECT_EQ(out, "ab");
  EXPECT_EQ(AppendRepairedUtf8("\xF0\x9F\x98", true, &out), 3u);
  EXPECT_EQ(out, "ab\xEF\xBF\xBD");
}

TEST(Utf8, OneLineIsOneLine) {
  EXPECT_EQ(OneLine("a\n\x01\x7F\xFFé"), "a\\n\\x01\\x7f\\xffé");
  EXPECT_EQ(OneLine("\u009B7m\u0085\u00A0"), "\\xc2\\x9b7m\\xc2\\x85\u00A0");
  EXPECT_EQ(OneLine("éééé", 5), "ééé...");
}

TEST(Utf8, WhiteSpaceHasItsTwentyFiveCodePoints) {
  int count = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) count += IsWhiteSpace(c);
  EXPECT_EQ(count, 25);
  EXPECT_TRUE(IsWhiteSpace(0x3000));
  EXPECT_FALSE(IsWhiteSpace(0x180E));
  EXPECT_FALSE(IsWhiteSpace(0x200B));
}

}  // namespace
}  // namespace tern
