// SPDX-License-Identifier: MIT
#include "tern/text/tokenizer_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "tern/base/error.h"
#include "tern/base/random.h"
#include "tern/text/byte_level.h"
#include "tern/text/word_merger.h"

namespace tern {
namespace {

constexpr uint64_t kSeed = 31337;

std::string Stories(Random* random, size_t words) {
  static constexpr const char* kWords[] = {"the", "cat",  "that", "sat",   "on",   "mat",
                                           "rat", "cart", "aaa",  "aaaaa", "naïve"};
  std::string text;
  for (size_t i = 0; i < words; ++i) {
    text += kWords[random->Below(std::size(kWords))];
    text += random->Below(8) == 0 ? ".\n" : " ";
    if (random->Below(40) == 0) text += "<|endoftext|>";
  }
  return text;
}

std::string TrainOn(std::string_view text, size_t chunk_bytes, TokenizerTrainerOptions options) {
  TokenizerTrainer trainer(std::move(options));
  for (size_t at = 0; at < text.size(); at += chunk_bytes)
    trainer.Add(text.substr(at, chunk_bytes));
  return trainer.Train().ToJson();
}

// Counts every pair anew for each merge.
TEST(WordMerger, FindsTheMergesThatCountingAnewFinds) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Random random(kSeed);
  int32_t byte_ids[256];
  for (int i = 0; i < 256; ++i) byte_ids[i] = i;
  for (int round = 0; round < 40; ++round) {
    WordMerger merger;
    std::vector<std::pair<std::vector<int32_t>, uint64_t>> words;
    for (int w = 0; w < 12; ++w) {
      std::string word;
      const size_t size = 1 + random.Below(14);
      while (word.size() < size) word.push_back("abc"[random.Below(1 + random.Below(3))]);
      const uint64_t count = 1 + random.Below(4);
      merger.AddWord(word, byte_ids, count);
      words.emplace_back(std::vector<int32_t>(word.begin(), word.end()), count);
    }
    for (int32_t next = 256;; ++next) {
      std::map<std::pair<int32_t, int32_t>, uint64_t> counts;
      for (const auto& [tokens, count] : words) {
        for (size_t i = 0; i + 1 < tokens.size(); ++i) counts[{tokens[i], tokens[i + 1]}] += count;
      }
      std::pair<int32_t, int32_t> pair;
      uint64_t most = 0;
      for (const auto& [candidate, count] : counts) {
        if (count > most) pair = candidate, most = count;
      }
      const WordMerger::Pair best = merger.Best();
      ASSERT_EQ(best.count, most);
      if (most == 0) break;
      ASSERT_EQ(std::pair(best.left, best.right), pair);
      merger.Merge(best.left, best.right, next);
      for (auto& [tokens, count] : words) {
        for (size_t i = 0; i + 1 < tokens.size(); ++i) {
          if (tokens[i] != pair.first || tokens[i + 1] != pair.second) continue;
          tokens[i] = next;
          tokens.erase(tokens.begin() + static_cast<ptrdiff_t>(i) + 1);
        }
      }
    }
  }
}

TEST(TokenizerTrainer, KnownMerges) {
  TokenizerTrainer trainer({.vocab_size = 256 + 3 + 1});
  trainer.Add("low low low lower lower newest<|endoftext|>newest newest");
  const Tokenizer tokenizer = trainer.Train();
  const auto document = nlohmann::json::parse(tokenizer.ToJson());
  // (l, o), (o, w) and (w, e) occur 5 times each, and l has the lowest id; then (w, e), whose ids
  // are below (lo, w)'s, has 5 left; then (space, lo) has 4 before (lo, w) with 3.
  EXPECT_EQ(document["model"]["merges"], nlohmann::json({"l o", "w e", "Ġ lo"}));
  EXPECT_EQ(tokenizer.vocab_size(), 260);
  EXPECT_EQ(tokenizer.TokenId("<|endoftext|>"), 259);
  EXPECT_TRUE(tokenizer.IsSpecial(259));
  EXPECT_EQ(tokenizer.Encode("<|endoftext|>").size(), 1u);
}

TEST(TokenizerTrainer, AllBytesAreInTheVocabulary) {
  TokenizerTrainer trainer({.vocab_size = 300});
  trainer.Add("plain ascii");
  const Tokenizer tokenizer = trainer.Train();
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_TRUE(tokenizer.TokenId(std::string(1, static_cast<char>(byte))).has_value()) << byte;
  }
  EXPECT_EQ(tokenizer.TokenId("!"), 0);
  const std::string text = "日本語 😀 \x01\t\r\n";
  EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text)), text);
}

TEST(TokenizerTrainer, HowTheTextIsCutMakesNoDifference) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Random random(kSeed);
  const std::string text = Stories(&random, 3000);
  const std::string whole = TrainOn(text, text.size(), {.vocab_size = 320});
  for (const size_t chunk : {1, 7, 1000}) {
    EXPECT_EQ(TrainOn(text, chunk, {.vocab_size = 320}), whole) << chunk;
  }
}

TEST(TokenizerTrainer, LargeTextsAreCountedInParts) {
  Random random(kSeed);
  const std::string text = Stories(&random, 20'000);
  std::string repeated;
  while (repeated.size() < (size_t{5} << 20)) repeated += text + "<|endoftext|>";
  std::string undivided;  // one document, so that counting has to stop within it
  for (const char c : repeated) undivided.push_back(c == '|' ? ' ' : c);
  for (const std::string& large : {repeated, undivided}) {
    EXPECT_EQ(TrainOn(large, 100'003, {.vocab_size = 320}),
              TrainOn(large, large.size(), {.vocab_size = 320}));
  }
}

TEST(TokenizerTrainer, SpecialTokensMayStartAlikeAndBeCut) {
  TokenizerTrainerOptions options;
  options.vocab_size = 300;
  options.special_tokens = {"<a>", "<a><b>"};
  options.min_frequency = 1;
  const std::string text = "x<a><b>y<a>z";
  const std::string whole = TrainOn(text, text.size(), options);
  EXPECT_EQ(TrainOn(text, 1, options), whole);
  EXPECT_EQ(Tokenizer::FromJson(whole, "t").vocab_size(), 258);  // no pair is left to merge
}

TEST(TokenizerTrainer, MinimumFrequencyAndSmallTexts) {
  TokenizerTrainerOptions options;
  options.vocab_size = 1000;
  options.min_frequency = 3;
  TokenizerTrainer trainer(options);
  trainer.Add("ab ab ab cd cd");
  EXPECT_EQ(trainer.Train().vocab_size(), 256 + 1 + 1);  // "ab" alone occurs three times
  EXPECT_EQ(TokenizerTrainer(options).Train().vocab_size(), 257);
}

TEST(TokenizerTrainer, DigitsStayApartUnlessAskedOtherwise) {
  const std::string text = "123 123 123 123";
  TokenizerTrainerOptions options{.vocab_size = 270};
  EXPECT_EQ(Tokenizer::FromJson(TrainOn(text, 100, options), "t").TokenId("123"), std::nullopt);
  options.pattern = kSplitThreeDigits;
  EXPECT_TRUE(Tokenizer::FromJson(TrainOn(text, 100, options), "t").TokenId("123").has_value());
}

// Such a tokenizer.json would not read back.
TEST(TokenizerTrainer, RefusesASpecialTokenThatTheVocabularySpells) {
  EXPECT_THROW(TrainOn("b", 1, {.special_tokens = {"a"}}), Error);
  const char* lines = "a\n\nb\n\nc";
  EXPECT_THROW(TrainOn(lines, 9, {.special_tokens = {"\u010A\u010A"}}), Error);
  EXPECT_NO_THROW(TrainOn(lines, 9, {.special_tokens = {"\u010A\u0120"}}));
}

TEST(TokenizerTrainer, BadInputIsAnError) {
  const auto make = [](TokenizerTrainerOptions options) { TokenizerTrainer trainer(options); };
  EXPECT_THROW(make({.vocab_size = 256}), Error);
  EXPECT_THROW(make({.vocab_size = -5}), Error);
  EXPECT_THROW(make({.special_tokens = {""}}), Error);
  EXPECT_THROW(make({.special_tokens = {"<a>", "<a>"}}), Error);
  EXPECT_THROW(make({.special_tokens = {"\xFF"}}), Error);
  EXPECT_THROW(make({.pattern = "("}), Error);
  TokenizerTrainer trainer({});
  trainer.Add(std::string(3 << 20, 'a') + "<|endoftext|>");
  try {
    trainer.Add("ok\xC3");
    trainer.Add("(");
    trainer.Train();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("offset 3145743"));
  }
}

}  // namespace
}  // namespace tern
