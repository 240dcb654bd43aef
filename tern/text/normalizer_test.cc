// SPDX-License-Identifier: MIT
#include "tern/text/normalizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tern/base/error.h"

namespace tern {
namespace {

using Kind = NormalizerStep::Kind;

NormalizerStep Step(Kind kind, std::string pattern = "", std::string content = "") {
  return {.kind = kind, .pattern = std::move(pattern), .content = std::move(content)};
}

std::string Apply(const std::vector<NormalizerStep>& steps, std::string_view text) {
  const Normalizer normalizer(steps, "f.json: /normalizer");
  RegexScratch scratch;
  std::string buffer;
  return std::string(normalizer.Apply(text, &scratch, &buffer));
}

TEST(Normalizer, NothingToDoGivesTheTextItself) {
  const Normalizer normalizer({}, "f.json");
  RegexScratch scratch;
  std::string buffer;
  const std::string text = "text";
  EXPECT_EQ(normalizer.Apply(text, &scratch, &buffer).data(), text.data());
}

TEST(Normalizer, PrependOnlyToText) {
  EXPECT_EQ(Apply({Step(Kind::kPrepend, "", "_")}, "a b"), "_a b");
  EXPECT_EQ(Apply({Step(Kind::kPrepend, "", "_")}, ""), "");
}

TEST(Normalizer, ReplacesStringsAndExpressions) {
  EXPECT_EQ(Apply({Step(Kind::kReplaceString, "aa", "b")}, "aaa aa"), "ba b");
  EXPECT_EQ(Apply({Step(Kind::kReplaceString, " ", "\u2581")}, " a "), "\u2581a\u2581");
  EXPECT_EQ(Apply({Step(Kind::kReplaceRegex, " {2,}", " ")}, "a   b  c d"), "a b c d");
  // As Oniguruma iterates: no empty match right behind another match.
  EXPECT_EQ(Apply({Step(Kind::kReplaceRegex, "x*", "-")}, "axxb"), "-a-b-");
}

TEST(Normalizer, StripsEitherEnd) {
  NormalizerStep strip = Step(Kind::kStrip);
  EXPECT_EQ(Apply({strip}, " \u3000a b\n\u00A0"), "a b");
  EXPECT_EQ(Apply({strip}, " \n"), "");
  strip.left = false;
  EXPECT_EQ(Apply({strip}, " a "), " a");
}

TEST(Normalizer, StepsRunInOrder) {
  EXPECT_EQ(Apply({Step(Kind::kPrepend, "", " "), Step(Kind::kReplaceString, " ", "_")}, "a b"),
            "_a_b");
}

TEST(Normalizer, GrowthIsBounded) {
  const std::vector<NormalizerStep> doubling(40, Step(Kind::kReplaceString, "a", "aa"));
  const std::vector<NormalizerStep> wide = {
      Step(Kind::kReplaceRegex, "", std::string(100'000, 'x'))};
  for (const auto& steps : {doubling, wide}) {
    try {
      Apply(steps, std::string(1000, 'a'));
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_THAT(error.what(), testing::HasSubstr("grows beyond"));
    }
  }
}

}  // namespace
}  // namespace tern
