// SPDX-License-Identifier: MIT
#include "tern/text/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tern/base/error.h"
#include "tern/text/byte_level.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

std::vector<std::string> Matches(std::string_view pattern, std::string_view text) {
  const Regex regex(pattern, "test");
  RegexScratch scratch;
  MatchIterator matches(regex, text, &scratch);
  std::vector<std::string> out;
  Span match;
  while (matches.Next(&match)) out.emplace_back(text.substr(match.begin, match.end - match.begin));
  return out;
}

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Regex, UnicodeClasses) {
  EXPECT_THAT(Matches(R"(\p{L}+|\p{N}{1,3})", "naïve ٣٤٥١"), ElementsAre("naïve", "٣٤٥", "١"));
  EXPECT_THAT(Matches(R"(\p{Han}+)", "a日本、b"), ElementsAre("日本"));
  EXPECT_THAT(Matches(R"(\P{L}+)", "a1 b"), ElementsAre("1 "));
  EXPECT_THAT(Matches(R"([^\s\p{L}]+)", "a\u00A0--\u3000b"), ElementsAre("--"));
}

TEST(Regex, WhiteSpaceIsUnicodesNotPcres) {
  EXPECT_THAT(Matches(R"(\s+)", "a\u0085b\u180Ec\u2003"), ElementsAre("\u0085", "\u2003"));
  EXPECT_THAT(Matches(R"(\S+)", "a\u180Eb c"), ElementsAre("a\u180Eb", "c"));
}

TEST(Regex, CaseFoldingReachesTheLongS) {
  EXPECT_THAT(Matches(R"((?i:'s|'ll))", "x's y'S z'ſ w'Ll"), ElementsAre("'s", "'S", "'ſ", "'Ll"));
}

TEST(Regex, DialectDifferences) {
  EXPECT_EQ(TranslateRegex(R"(\u0041{,3}[\w\v]\{)", "t"),
            R"(\x{0041}{0,3}[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{0b}]\{)");
  EXPECT_THAT(Matches("a{x", "a{x"), ElementsAre("a{x"));
  EXPECT_THAT(Matches(R"(^.$)", "a\nb\r\nc"), ElementsAre("a", "c"));
  EXPECT_THAT(Matches(R"(\w+)", "a½, b"), ElementsAre("a½", "b"));
  EXPECT_THAT(Matches(R"([\w]+)", "a½, b"), ElementsAre("a", "b"));
  EXPECT_THAT(Matches(R"(\bé\b)", "é éa é"), ElementsAre("é", "é"));
  EXPECT_THAT(Matches(R"(\é[\é])", "éé"), ElementsAre("éé"));
}

TEST(Regex, EmptyMatchesAdvanceByCharacters) {
  EXPECT_THAT(Matches("x*", "éxé"), ElementsAre("", "x", ""));
}

TEST(Regex, RefusesWhatItDoesNotKnowAndNamesThePlace) {
  for (const char* bad : {"(",       "[a",     "a**",         "\\",     "\\p{Nonsense}",
                          "(?<n>a)", "(?m:a)", "a(?i)b",      "(*UTF)", "[[:alpha:]]",
                          "[a&&b]",  "\\1",    "\\h",         "\\R",    "\\Q",
                          "\\G",     "[\\W]",  "a{2}+",       "a{2}?",  "[]a]",
                          "\\p{L",   "\\pL",   "\\x{110000}", "\\xFF",  "(a{1000}){60000}",
                          "\\uD800"}) {
    try {
      Regex regex(bad, "file.json: /pre_tokenizer");
      ADD_FAILURE() << "accepted " << bad;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("file.json: /pre_tokenizer")) << bad;
    }
  }
  EXPECT_THROW(Regex(std::string(100'000, 'a'), "t"), Error);
}

TEST(Regex, ExponentialBacktrackingIsAnError) {
  const std::string text(200, 'a');
  EXPECT_THROW(Matches("(?:a|a|aa)+b|(?:a*)*\\d", text), Error);
}

TEST(Regex, DeepRecursionFallsBackToTheHeap) {
  const std::string text(100'000, 'a');
  EXPECT_THAT(Matches("(?:a|b)+", text), ElementsAre(text));
}

TEST(ByteLevel, EveryByteRoundTrips) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  const std::string spelling = ByteLevelSpell(all);
  EXPECT_EQ(ValidUtf8Prefix(spelling), spelling.size());
  std::string back;
  ASSERT_TRUE(ByteLevelUnspell(spelling, &back));
  EXPECT_EQ(back, all);
  EXPECT_EQ(ByteLevelSpell(" a\n\xAD"), "ĠaĊŃ");
  EXPECT_FALSE(ByteLevelUnspell("a b", &back));
  EXPECT_FALSE(ByteLevelUnspell("日", &back));
}

}  // namespace
}  // namespace tern
