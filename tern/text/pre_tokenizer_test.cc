// SPDX-License-Identifier: MIT
#include "tern/text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tern {
namespace {

using Pieces = std::vector<std::string>;

Pieces Split(const PreTokenizerSpec& spec, std::string_view text) {
  const PreTokenizer pre_tokenizer(spec, "test");
  RegexScratch scratch;
  Pieces out;
  pre_tokenizer.Split(text, StretchStart::kText, &scratch,
                      [&](std::string_view piece) { out.emplace_back(piece); });
  return out;
}

PreTokenizerSpec One(SplitSpec::Pattern kind, std::string pattern, SplitBehavior behavior,
                     bool invert = false) {
  PreTokenizerSpec spec;
  spec.steps.emplace_back(SplitSpec{kind, std::move(pattern), behavior, invert});
  return spec;
}

// The examples of Hugging Face's documentation of SplitDelimiterBehavior.
TEST(PreTokenizer, BehavioursOnTheDocumentedExample) {
  const std::string_view text = "the-final--countdown";
  for (const auto kind : {SplitSpec::Pattern::kString, SplitSpec::Pattern::kRegex}) {
    const auto split = [&](SplitBehavior behavior) {
      return Split(One(kind, "-", behavior), text);
    };
    EXPECT_EQ(split(SplitBehavior::kRemoved), (Pieces{"the", "final", "countdown"}));
    EXPECT_EQ(split(SplitBehavior::kIsolated),
              (Pieces{"the", "-", "final", "-", "-", "countdown"}));
    EXPECT_EQ(split(SplitBehavior::kMergedWithPrevious),
              (Pieces{"the-", "final-", "-", "countdown"}));
    EXPECT_EQ(split(SplitBehavior::kMergedWithNext), (Pieces{"the", "-final", "-", "-countdown"}));
    EXPECT_EQ(split(SplitBehavior::kContiguous), (Pieces{"the", "-", "final", "--", "countdown"}));
  }
}

TEST(PreTokenizer, InvertSwapsMatchesAndGaps) {
  EXPECT_EQ(
      Split(One(SplitSpec::Pattern::kRegex, "\\p{L}+", SplitBehavior::kRemoved, true), "a1bc2"),
      (Pieces{"a", "bc"}));
  EXPECT_EQ(Split(One(SplitSpec::Pattern::kRegex, "\\p{L}+", SplitBehavior::kMergedWithNext, true),
                  "a1bc2"),
            (Pieces{"a", "1bc", "2"}));
}

TEST(PreTokenizer, Digits) {
  const auto digits = SplitSpec::Pattern::kDigits;
  EXPECT_EQ(Split(One(digits, "", SplitBehavior::kIsolated), "Call 123 ½x"),
            (Pieces{"Call ", "1", "2", "3", " ", "½", "x"}));
  EXPECT_EQ(Split(One(digits, "", SplitBehavior::kContiguous), "Call 123 ½x"),
            (Pieces{"Call ", "123", " ", "½", "x"}));
}

TEST(PreTokenizer, Gpt2Pattern) {
  PreTokenizerSpec spec;
  spec.steps.emplace_back(ByteLevelSpec{.use_regex = true});
  EXPECT_EQ(Split(spec, "Hello, y'all  it's 42\n\n ok "),
            (Pieces{"Hello", ",", " y", "'", "all", " ", " it", "'s", " 42", "\n\n", " ok", " "}));
}

TEST(PreTokenizer, PrefixSpaceGoesBeforeEachPieceThatLacksOne) {
  PreTokenizerSpec spec = One(SplitSpec::Pattern::kString, "|", SplitBehavior::kRemoved);
  spec.steps.emplace_back(ByteLevelSpec{.add_prefix_space = true});
  EXPECT_EQ(Split(spec, "a| b|c"), (Pieces{" a", " b", " c"}));
  EXPECT_EQ(Split(spec, ""), Pieces{});
}

TEST(PreTokenizer, StepsRunInOrder) {
  PreTokenizerSpec spec = One(SplitSpec::Pattern::kRegex, "\\s+", SplitBehavior::kMergedWithNext);
  spec.steps.emplace_back(
      SplitSpec{SplitSpec::Pattern::kDigits, "", SplitBehavior::kIsolated, false});
  EXPECT_EQ(Split(spec, "ab 12 c"), (Pieces{"ab", " ", "1", "2", " c"}));
}

}  // namespace
}  // namespace tern
