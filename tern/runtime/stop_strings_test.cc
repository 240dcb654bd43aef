// SPDX-License-Identifier: MIT
#include "tern/runtime/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/error.h"
#include "tern/base/random.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

struct Outcome {
  std::string text;
  bool stopped = false;
};

std::vector<std::string_view> Characters(std::string_view text) {
  std::vector<std::string_view> characters;
  while (!text.empty()) {
    const size_t size = FirstUtf8(text).size_bytes;
    characters.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return characters;
}

// In pieces of some characters each, or of one each without a generator.
Outcome Stream(const std::vector<std::string>& stops, std::string_view text, Random* random) {
  StopStrings filter(stops);
  Outcome outcome;
  std::string piece;
  for (const std::string_view character : Characters(text)) {
    piece.append(character);
    if (random != nullptr && random->Below(3) != 0) continue;
    outcome.stopped = filter.Push(piece, &outcome.text);
    EXPECT_EQ(ValidUtf8Prefix(outcome.text), outcome.text.size());
    if (outcome.stopped) return outcome;
    piece.clear();
  }
  outcome.stopped = filter.Push(piece, &outcome.text);
  if (!outcome.stopped) filter.Finish(&outcome.text);
  return outcome;
}

// The definition: character by character, over the whole text so far.
Outcome Expected(const std::vector<std::string>& stops, std::string_view text) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& stop : stops) {
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    }
    if (longest > 0) return {std::string(text.substr(0, end - longest)), true};
  }
  return {std::string(text), false};
}

TEST(StopStringsTest, HoldsBackWhatMayBeTheBeginning) {
  StopStrings filter({"\n\nUser:", "END"});
  std::string out;
  EXPECT_FALSE(filter.Push("Hello", &out));
  EXPECT_EQ(out, "Hello");
  EXPECT_FALSE(filter.Push(" E", &out));
  EXPECT_EQ(out, "Hello ");
  EXPECT_FALSE(filter.Push("N", &out));
  EXPECT_EQ(out, "Hello ");
  EXPECT_FALSE(filter.Push("E", &out));  // "ENE": only the last E may begin END
  EXPECT_EQ(out, "Hello EN");
  EXPECT_FALSE(filter.Push("\n\nUse", &out));
  EXPECT_EQ(out, "Hello ENE");
  EXPECT_TRUE(filter.Push("r: more", &out));
  EXPECT_EQ(out, "Hello ENE");
  filter.Finish(&out);
  EXPECT_EQ(out, "Hello ENE");
}

TEST(StopStringsTest, FinishGivesWhatWasHeldBack) {
  StopStrings filter({"END"});
  std::string out;
  EXPECT_FALSE(filter.Push("the EN", &out));
  EXPECT_EQ(out, "the ");
  filter.Finish(&out);
  EXPECT_EQ(out, "the EN");
}

TEST(StopStringsTest, WithoutStopsEverythingPasses) {
  StopStrings filter({});
  std::string out;
  EXPECT_FALSE(filter.Push("abc", &out));
  EXPECT_EQ(out, "abc");
}

TEST(StopStringsTest, TheFirstCompleteOneEndsTheText) {
  Outcome outcome = Stream({"abcd", "c"}, "xabcd", nullptr);
  EXPECT_EQ(outcome.text, "xab");
  EXPECT_TRUE(outcome.stopped);
  outcome = Stream({"c", "abc"}, "xabcd", nullptr);  // both end at c: the longer one
  EXPECT_EQ(outcome.text, "x");
}

TEST(StopStringsTest, PiecesMakeNoDifference) {
  constexpr uint64_t kSeed = 20;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  // Few letters, so that stop strings overlap themselves and one another; two of two bytes and
  // more.
  const std::vector<std::string> letters = {"a", "b", "\xc3\xa4", "\xe2\x82\xac"};
  const auto text = [&](uint64_t length) {
    std::string out;
    for (uint64_t i = 0; i < length; ++i) out += letters[random.Below(letters.size())];
    return out;
  };
  int stopped = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> stops(random.Below(4));
    for (std::string& stop : stops) stop = text(1 + random.Below(5));
    const std::string whole = text(random.Below(40));
    const Outcome expected = Expected(stops, whole);
    const Outcome outcome = Stream(stops, whole, &random);
    ASSERT_EQ(outcome.text, expected.text) << "round " << round << " of " << whole;
    ASSERT_EQ(outcome.stopped, expected.stopped) << "round " << round << " of " << whole;
    stopped += outcome.stopped ? 1 : 0;
  }
  EXPECT_GT(stopped, 200);
  EXPECT_LT(stopped, 1800);
}

TEST(StopStringsTest, RefusesEmptyAndMalformedOnes) {
  EXPECT_THROW(StopStrings({"ok", ""}), Error);
  EXPECT_THROW(StopStrings({"\xff"}), Error);
}

}  // namespace
}  // namespace tern
