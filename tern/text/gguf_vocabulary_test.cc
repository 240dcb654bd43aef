// SPDX-License-Identifier: MIT
#include "tern/text/gguf_vocabulary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tern/base/error.h"
#include "tern/text/byte_level.h"
#include "tern/text/tokenizer.h"

namespace tern {
namespace {

GgufVocabulary Small() {
  GgufVocabulary vocabulary;
  vocabulary.place = "m.gguf";
  vocabulary.model = "gpt2";
  vocabulary.tokens = {"a", "b", "\u0120", "ab", "\u0120ab", "<s>", "<u>", "[PAD]"};
  vocabulary.types = {1, 1, 1, 1, 1, 3, 4, 5};
  vocabulary.merges = {"a b", "\u0120 ab"};
  vocabulary.pre_tokenizer = "llama-bpe";
  vocabulary.bos = 5;
  return vocabulary;
}

std::string Refusal(const GgufVocabulary& vocabulary) {
  try {
    ReadGgufVocabulary(vocabulary);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(GgufVocabulary, MakesATokenizer) {
  GgufVocabulary vocabulary = Small();
  std::vector<std::string> bytes;  // byte-level BPE has a token for each
  for (int byte = 0; byte < 256; ++byte) {
    if (byte != 'a' && byte != 'b' && byte != ' ') {
      bytes.push_back(ByteLevelSpell(std::string(1, static_cast<char>(byte))));
    }
  }
  vocabulary.tokens.insert(vocabulary.tokens.end(), bytes.begin(), bytes.end());
  vocabulary.types.resize(vocabulary.tokens.size(), 1);
  const Tokenizer tokenizer(ReadGgufVocabulary(vocabulary));
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(tokenizer.Encode("ab ab<u>b<s>"), (Ids{3, 4, 6, 1, 5}));
  EXPECT_EQ(tokenizer.Encode("ab", {.add_special = true}), (Ids{5, 3}));
  EXPECT_TRUE(tokenizer.IsSpecial(5));
  EXPECT_FALSE(tokenizer.IsSpecial(6));
  EXPECT_FALSE(tokenizer.HasToken(7));
  EXPECT_EQ(tokenizer.Decode(Ids{4, 6}), " ab<u>");
}

TEST(GgufVocabulary, AddsBosAsTheFileSays) {
  GgufVocabulary vocabulary = Small();
  vocabulary.add_bos = false;
  EXPECT_TRUE(ReadGgufVocabulary(vocabulary).post_processor.single.empty());
  vocabulary.add_bos = std::nullopt;
  vocabulary.pre_tokenizer = "gpt-2";
  EXPECT_TRUE(ReadGgufVocabulary(vocabulary).post_processor.single.empty());
  vocabulary.add_bos = true;
  EXPECT_FALSE(ReadGgufVocabulary(vocabulary).post_processor.single.empty());
  vocabulary.bos = std::nullopt;
  EXPECT_NE(Refusal(vocabulary).find("bos_token_id"), std::string::npos);
}

TEST(GgufVocabulary, KnowsPreTokenizersByName) {
  for (const char* name : {"llama-bpe", "qwen2", "gpt-2", "falcon"}) {
    GgufVocabulary vocabulary = Small();
    vocabulary.pre_tokenizer = name;
    EXPECT_EQ(GgufPreTokenizerName(ReadGgufVocabulary(vocabulary).pre_tokenizer), name);
  }
  PreTokenizerSpec other;
  other.steps.emplace_back(SplitSpec{.pattern = "x"});
  other.steps.emplace_back(ByteLevelSpec{});
  EXPECT_EQ(GgufPreTokenizerName(other), std::nullopt);
}

GgufVocabulary SentencePiece() {
  GgufVocabulary vocabulary;
  vocabulary.place = "m.gguf";
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "<s>", "</s>", "<0x0A>", "\u2581",  "a",
                       "b",     "ab",  "ba",   "aab",    "\u2581a", "  "};
  vocabulary.types = {2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1, 4};
  vocabulary.scores = {0, 0, 0, 0, -9, -9, -9, -2, -1, -3, -4, 0};
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  return vocabulary;
}

TEST(GgufVocabulary, MergesByScore) {
  using Ids = std::vector<int32_t>;
  GgufVocabulary vocabulary = SentencePiece();
  const Tokenizer tokenizer(ReadGgufVocabulary(vocabulary));
  EXPECT_EQ(tokenizer.Encode("ab"), (Ids{4, 7}));
  EXPECT_EQ(tokenizer.Encode("aba"), (Ids{10, 8}));  // "ba" scores above "ab"
  EXPECT_EQ(tokenizer.Encode("baab\n"), (Ids{4, 8, 7, 3}));
  EXPECT_EQ(tokenizer.Encode("x<s>a  a", {.add_special = true}), (Ids{1, 4, 0, 1, 10, 11, 10}));
  EXPECT_EQ(tokenizer.Decode(tokenizer.Encode("ab a\n")), "ab a\n");
  vocabulary.add_space_prefix = false;
  vocabulary.add_bos = false;
  vocabulary.add_eos = true;
  const Tokenizer bare(ReadGgufVocabulary(vocabulary));
  EXPECT_EQ(bare.Encode("aba a", {.add_special = true}), (Ids{5, 8, 10, 2}));
}

TEST(GgufVocabulary, RefusesBadScores) {
  const auto refusal = [](auto change) {
    GgufVocabulary vocabulary = SentencePiece();
    change(&vocabulary);
    return Refusal(vocabulary);
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(refusal([](auto* v) { v->scores.pop_back(); }), "11 scores for 12 tokens");
  has(refusal([](auto* v) { v->scores[5] = std::numeric_limits<double>::quiet_NaN(); }), "finite");
  has(refusal([](auto* v) { v->model = "bert"; }), "\"bert\" is not supported");
  has(refusal([](auto* v) { v->eos.reset(), v->add_eos = true; }), "eos_token_id");
  const std::string longest(600, 'a');
  has(refusal([&](auto* v) { v->tokens[9] = longest; }), "600 bytes");
}

GgufVocabulary Unigrams() {
  GgufVocabulary vocabulary;
  vocabulary.place = "m.gguf";
  vocabulary.model = "t5";
  vocabulary.tokens = {"<pad>",    "</s>",  "<unk>",        "<0x0A>",  "\u2581",
                       "a",        "b",     "ab",           "ba",      "\u2581a",
                       "\u2581ab", "<sep>", "\u2581\u2581", "[PAD13]", "[PAD14]"};
  vocabulary.types = {3, 3, 2, 6, 1, 1, 1, 1, 1, 1, 1, 4, 1, 5, 5};
  vocabulary.scores = {0, 0, 0, 0, -3, -4, -4, -5, -6, -5, -9, 0, -7, -10000, -10000};
  vocabulary.eos = 1;
  return vocabulary;
}

TEST(GgufVocabulary, TakesUnigramsByScore) {
  using Ids = std::vector<int32_t>;
  GgufVocabulary vocabulary = Unigrams();
  const Tokenizer tokenizer(ReadGgufVocabulary(vocabulary));
  EXPECT_EQ(tokenizer.Encode("ab"), (Ids{4, 7}));  // -8 beside -9 for all in one
  EXPECT_EQ(tokenizer.Encode("aab"), (Ids{9, 7}));
  EXPECT_EQ(tokenizer.Encode(" a"), (Ids{4, 9}));
  EXPECT_EQ(tokenizer.Encode("a  a"), (Ids{9, 4, 9}));
  EXPECT_EQ(tokenizer.Encode("b\na"), (Ids{4, 6, 3, 5}));  // the one byte that has a token
  EXPECT_EQ(tokenizer.Encode("bxy"), (Ids{4, 6, 2}));
  EXPECT_EQ(tokenizer.Encode("a<sep>b", {.add_special = true}), (Ids{9, 11, 4, 6, 1}));
  EXPECT_EQ(tokenizer.Decode(Ids{9, 4, 9, 7}), "a  aab");
  EXPECT_EQ(tokenizer.vocab_size(), 13);
  const Tokenizer again = Tokenizer::FromJson(tokenizer.ToJson(), "written");
  EXPECT_EQ(again.Encode("ab a  xb\n"), tokenizer.Encode("ab a  xb\n"));

  vocabulary.add_eos = false;
  vocabulary.add_space_prefix = false;
  vocabulary.remove_extra_spaces = true;
  const Tokenizer bare(ReadGgufVocabulary(vocabulary));
  EXPECT_EQ(bare.Encode("  ab   a ", {.add_special = true}), (Ids{7, 9}));
  EXPECT_EQ(bare.Encode("   "), Ids{});
}

TEST(GgufVocabulary, WritesTheUnigramsThatItReads) {
  for (const bool prefix : {true, false}) {
    for (const bool remove : {true, false}) {
      GgufVocabulary vocabulary = Unigrams();
      vocabulary.add_space_prefix = prefix;
      vocabulary.remove_extra_spaces = remove;
      const GgufVocabularyMetadata written =
          WriteGgufVocabulary(ReadGgufVocabulary(vocabulary), 15);
      EXPECT_EQ(written.model, "t5");
      EXPECT_EQ(written.add_space_prefix, prefix);
      EXPECT_EQ(written.remove_extra_spaces, remove);
      EXPECT_EQ(written.unknown, 2);
      EXPECT_TRUE(std::equal(written.tokens.begin(), written.tokens.end(),
                             vocabulary.tokens.begin(), vocabulary.tokens.end()));
      EXPECT_TRUE(std::equal(written.types.begin(), written.types.end(), vocabulary.types.begin(),
                             vocabulary.types.end()));
      EXPECT_TRUE(std::equal(written.scores.begin(), written.scores.begin() + 13,
                             vocabulary.scores.begin()));
    }
  }
  // What a pre-tokenizer cuts has no such form.
  TokenizerSpec spec = ReadGgufVocabulary(Unigrams());
  spec.pre_tokenizer.steps.emplace_back(MetaspaceSpec{.replacement = "\u2581"});
  EXPECT_EQ(WriteGgufVocabulary(spec, 15).model, "no_vocab");
}

TEST(GgufVocabulary, RefusesBadUnigrams) {
  const auto refusal = [](auto change) {
    GgufVocabulary vocabulary = Unigrams();
    change(&vocabulary);
    return Refusal(vocabulary);
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(refusal([](auto* v) { v->scores.pop_back(); }), "14 scores for 15 tokens");
  has(refusal([](auto* v) { v->has_character_map = true; }), "precompiled_charsmap");
  has(refusal([](auto* v) { v->types[7] = 5; }), "token 7 is 5 (unused)");
  has(refusal([](auto* v) { v->types[2] = 1, v->unknown = 13; }), "unknown_token_id is 13");
  const std::string longest(600, 'a');
  has(refusal([&](auto* v) { v->tokens[9] = longest; }), "600 bytes");
  GgufVocabulary none = Unigrams();  // of no unknown token
  none.types[2] = 1;
  EXPECT_THROW(Tokenizer(ReadGgufVocabulary(none)).Encode("x"), Error);
  none.unknown = 2;
  EXPECT_EQ(Tokenizer(ReadGgufVocabulary(none)).Encode("x"), (std::vector<int32_t>{4, 2}));
}

TEST(GgufVocabulary, RefusesContradictions) {
  const auto refusal = [](auto change) {
    GgufVocabulary vocabulary = Small();
    change(&vocabulary);
    return Refusal(vocabulary);
  };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
    EXPECT_EQ(text.find("m.gguf"), 0u) << text;
  };
  has(refusal([](auto* v) { v->pre_tokenizer = "tek\nken"; }), "\"tek\\nken\"");
  has(refusal([](auto* v) { v->types.pop_back(); }), "8 tokens with 7 types");
  has(refusal([](auto* v) { v->types[2] = 9; }), "token 2 is 9");
  has(refusal([](auto* v) { v->tokens[1] = "a"; }), "token 1 is there twice");
  has(refusal([](auto* v) { v->tokens[1] = ""; }), "token 1 is empty");
  has(refusal([](auto* v) { v->tokens[1] = "\xff"; }), "token 1 is not UTF-8");
  const std::string longest(1025, 'a');
  has(refusal([&](auto* v) { v->tokens[5] = longest; }), "token 5 has 1025 bytes");
  has(refusal([](auto* v) { v->merges[0] = "ab"; }), "merge 0");
  has(refusal([](auto* v) { v->merges[1] = "b a"; }), "merge 1 has a part or a result");
  has(refusal([](auto* v) { v->merges[1] = v->merges[0]; }), "merge 1 is there twice");
}

}  // namespace
}  // namespace tern
