// SPDX-License-Identifier: MIT
#include "tern/text/unigram.h"

#include <gtest/gtest.h>

#include <map>

#include "tern/base/error.h"
#include "tern/base/random.h"
#include "tern/text/byte_level.h"

namespace tern {
namespace {

using Ids = std::vector<int32_t>;

constexpr uint64_t kSeed = 5150;

TokenizerSpec Spec(const std::vector<std::pair<std::string, double>>& vocab) {
  TokenizerSpec spec;
  spec.name = "small.json";
  spec.model = TokenizerModel::kUnigram;
  for (const auto& [token, score] : vocab) {
    spec.vocab.push_back({token, static_cast<int32_t>(spec.vocab.size())});
    spec.scores.push_back(score);
  }
  spec.unk_id = 0;
  return spec;
}

Ids Encode(const TokenizerSpec& spec, std::string_view piece) {
  UnigramScratch scratch;
  Ids ids;
  Unigram(spec).Encode(piece, &scratch, &ids);
  return ids;
}

// The example in the documentation of Hugging Face's model.
TEST(Unigram, KnownCut) {
  const TokenizerSpec spec = Spec({{"<unk>", 0},
                                   {"a", 0},
                                   {"b", 0},
                                   {"c", 0},
                                   {"d", 0},
                                   {"cd", 1},
                                   {"ab", 2},
                                   {"abc", 5},
                                   {"abcd", 10}});
  EXPECT_EQ(Encode(spec, "abcdacdxx"), (Ids{8, 1, 5, 0}));
}

TEST(Unigram, UnknownCharactersBecomeBytesOrOneToken) {
  TokenizerSpec spec = Spec({{"<unk>", -5}, {"a", -1}, {"<0xC3>", 0}, {"<0xA9>", 0}});
  EXPECT_EQ(Encode(spec, "éaéx"), (Ids{0, 1, 0}));
  spec.byte_fallback = true;
  EXPECT_EQ(Encode(spec, "éaéé"), (Ids{2, 3, 1, 2, 3, 2, 3}));
  EXPECT_EQ(Encode(spec, "éx"), (Ids{0}));  // x has no token for its byte
  spec.unk_id = std::nullopt;
  EXPECT_THROW(Encode(spec, "ax"), Error);
  EXPECT_EQ(Encode(spec, "a"), (Ids{1}));
}

TEST(Unigram, SpecialTokensAreNotText) {
  TokenizerSpec spec = Spec({{"<unk>", 0}, {"<", -1}, {"s", -1}, {">", -1}, {"<s>", 0}});
  EXPECT_EQ(Encode(spec, "<s>"), (Ids{4}));
  AddedToken special;
  special.id = 4;
  special.content = "<s>";
  special.special = true;
  spec.added_tokens.push_back(special);
  EXPECT_EQ(Encode(spec, "<s>"), (Ids{1, 2, 3}));
}

// Against every cut of short texts.
TEST(Unigram, FindsTheBestCut) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Random random(kSeed);
  for (int round = 0; round < 300; ++round) {
    std::map<std::string, double> scores = {{"<unk>", 0}};
    for (const char* letter : {"a", "b", "c"})
      scores[letter] = -static_cast<double>(random.Below(9));
    for (int i = 0; i < 8; ++i) {
      std::string token;
      for (size_t size = 2 + random.Below(3); size > 0; --size) token += "abc"[random.Below(3)];
      scores[token] = -static_cast<double>(random.Below(9));
    }
    const TokenizerSpec spec = Spec({scores.begin(), scores.end()});
    std::string text;
    for (size_t size = 1 + random.Below(9); size > 0; --size) text += "abc"[random.Below(3)];
    double best = -1e9;
    for (unsigned cuts = 0; cuts < 1u << (text.size() - 1); ++cuts) {
      double sum = 0;
      for (size_t begin = 0, end = 1; end <= text.size(); ++end) {
        if (end < text.size() && (cuts >> (end - 1) & 1) == 0) continue;
        const auto score = scores.find(text.substr(begin, end - begin));
        sum += score == scores.end() ? -1e6 : score->second;
        begin = end;
      }
      best = std::max(best, sum);
    }
    double sum = 0;
    std::string joined;
    for (const int32_t id : Encode(spec, text)) {
      sum += spec.scores[static_cast<size_t>(id)];
      joined += spec.vocab[static_cast<size_t>(id)].spelling;
    }
    EXPECT_EQ(joined, text);
    EXPECT_EQ(sum, best) << text;
  }
}

}  // namespace
}  // namespace tern
