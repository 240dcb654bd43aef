// SPDX-License-Identifier: MIT
// Every kind of tokenizer that Tern reads against the reference: make_tokenizers.py trained the
// small tokenizers in tokenizers/ and hashed the ids of 10,000 random strings for each, which are
// drawn here anew. `make_tokenizers.py DIR --show KIND BLOCK` lists the ids of a block that
// differs.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tern/base/error.h"
#include "tern/base/read_file.h"
#include "tern/text/gguf_vocabulary.h"
#include "tern/text/tokenizer.h"
#include "tern/text/tokenizer_json.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

constexpr size_t kLimitBytes = size_t{1} << 20;
constexpr uint64_t kStrings = 10'000;
// Emulated machines run a fifth of the strings.
#if defined(__x86_64__)
constexpr uint64_t kDrawn = kStrings;
#else
constexpr uint64_t kDrawn = kStrings / 5;
#endif

// SplitMix64.
class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed) {}
  uint64_t Below(uint64_t n) {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % n;
  }

 private:
  uint64_t state_;
};

struct Cases {
  explicit Cases(const nlohmann::json& json)
      : seed(json.at("seed")),
        block(json.at("block")),
        words(json.at("words").get<std::vector<std::string>>()),
        spaces(json.at("spaces").get<std::vector<uint32_t>>()),
        not_drawn(json.at("not_drawn").get<std::vector<std::pair<uint32_t, uint32_t>>>()) {}

  std::string Text(Draw* draw) const {
    std::string text;
    const uint64_t parts = draw->Below(14);
    for (uint64_t part = 0; part < parts; ++part) {
      const uint64_t kind = draw->Below(9);
      if (kind >= 6) {
        text += words[draw->Below(words.size())];
        continue;
      }
      const auto c = static_cast<uint32_t>(CodePoint(kind, draw));
      const uint64_t run = draw->Below(48) == 0 ? draw->Below(300) : 1;
      const bool excluded = std::any_of(not_drawn.begin(), not_drawn.end(), [&](const auto& range) {
        return range.first <= c && c <= range.second;
      });
      for (uint64_t i = 0; i < run && !excluded; ++i) AppendUtf8(c, &text);
    }
    return text;
  }

  uint64_t CodePoint(uint64_t kind, Draw* draw) const {
    switch (kind) {
      case 0:
        return draw->Below(0x80);
      case 1:
        return draw->Below(0x800);
      case 2:
        return draw->Below(0xD800);
      case 3:
        return 0xE000 + draw->Below(0x102000);
      case 4:
        return spaces[draw->Below(spaces.size())];
      default:
        return 0x300 + draw->Below(0x70);
    }
  }

  uint64_t seed;
  size_t block;
  std::vector<std::string> words;
  std::vector<uint32_t> spaces;
  std::vector<std::pair<uint32_t, uint32_t>> not_drawn;
};

// FNV-1a over 32-bit words: the ids of each string and a word of ones behind them.
class IdHash {
 public:
  void Add(const std::vector<int32_t>& ids) {
    for (const int32_t id : ids) AddWord(static_cast<uint32_t>(id));
    AddWord(UINT32_MAX);
  }
  std::string Hex() const { return fmt::format("{:016x}", hash_); }

 private:
  void AddWord(uint32_t word) { hash_ = (hash_ ^ word) * 0x100000001B3u; }
  uint64_t hash_ = 0xCBF29CE484222325u;
};

// These exist in the tree alone.
std::string InTree() { return std::string(TERN_GOLDEN_IN_TREE) + "/tokenizers"; }

nlohmann::json ReadCases() {
  return nlohmann::json::parse(ReadFile(InTree() + "/cases.json", kLimitBytes));
}

TEST(TokenizerKinds, IdsOfRandomStringsAreTheReferences) {
  const nlohmann::json json = ReadCases();
  const Cases cases(json);
  ASSERT_GT(json.at("kinds").size(), 3u);
  for (const auto& [kind, hashes] : json.at("kinds").items()) {
    SCOPED_TRACE(testing::Message() << kind << ", seed " << cases.seed);
    ASSERT_EQ(hashes.size() * cases.block, kStrings);
    const Tokenizer tokenizer = Tokenizer::FromFile(fmt::format("{}/{}.json", InTree(), kind));
    Draw draw(cases.seed);
    for (size_t block = 0; block < kDrawn / cases.block; ++block) {
      IdHash hash;
      for (size_t i = 0; i < cases.block; ++i) {
        hash.Add(tokenizer.Encode(cases.Text(&draw), {.add_special = true}));
      }
      EXPECT_EQ(hash.Hex(), hashes[block]) << "block " << block;
    }
  }
}

// What is written is the same tokenizer, and invalid UTF-8 is refused by every kind.
TEST(TokenizerKinds, WriteBackAndRefuse) {
  const nlohmann::json json = ReadCases();
  const Cases cases(json);
  for (const auto& [kind, hashes] : json.at("kinds").items()) {
    SCOPED_TRACE(kind);
    const Tokenizer tokenizer = Tokenizer::FromFile(fmt::format("{}/{}.json", InTree(), kind));
    const std::string written = tokenizer.ToJson();
    const Tokenizer again = Tokenizer::FromJson(written, "written");
    EXPECT_EQ(again.ToJson(), written);
    Draw draw(cases.seed);
    for (int i = 0; i < 200; ++i) {
      const std::string text = cases.Text(&draw);
      ASSERT_EQ(again.Encode(text), tokenizer.Encode(text)) << text;
    }
    for (const char* bad : {"a\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "x\xE2\x96"}) {
      EXPECT_THROW(tokenizer.Encode(bad), Error);
    }
  }
}

// GGUF has a form for these kinds, whose added tokens have no rules of their own.
TEST(TokenizerKinds, GgufMetadataGiveTheSameIds) {
  const nlohmann::json json = ReadCases();
  const Cases cases(json);
  for (const char* kind : {"llama", "gemma", "llama3", "falcon", "unigram_spaces"}) {
    SCOPED_TRACE(testing::Message() << kind << ", seed " << cases.seed);
    const std::string path = fmt::format("{}/{}.json", InTree(), kind);
    const TokenizerSpec spec = ReadTokenizerJson(ReadFile(path, kLimitBytes), path);
    const GgufVocabularyMetadata metadata = WriteGgufVocabulary(spec, 1200);
    GgufVocabulary vocabulary;
    vocabulary.place = kind;
    vocabulary.model = metadata.model;
    vocabulary.pre_tokenizer = metadata.pre_tokenizer;
    vocabulary.tokens.assign(metadata.tokens.begin(), metadata.tokens.end());
    vocabulary.types.assign(metadata.types.begin(), metadata.types.end());
    vocabulary.merges.assign(metadata.merges.begin(), metadata.merges.end());
    vocabulary.scores.assign(metadata.scores.begin(), metadata.scores.end());
    vocabulary.add_space_prefix = metadata.add_space_prefix;
    vocabulary.remove_extra_spaces = metadata.remove_extra_spaces;
    vocabulary.add_bos = !spec.post_processor.single.empty();
    if (*vocabulary.add_bos) vocabulary.bos = spec.post_processor.single[0].ids.at(0);
    TokenizerSpec read = ReadGgufVocabulary(vocabulary);
    EXPECT_EQ(read.merges.size(), spec.merges.size());
    const Tokenizer tokenizer(std::move(read));
    Draw draw(cases.seed);
    for (size_t block = 0; block < kDrawn / cases.block; ++block) {
      IdHash hash;
      for (size_t i = 0; i < cases.block; ++i) {
        hash.Add(tokenizer.Encode(cases.Text(&draw), {.add_special = true}));
      }
      EXPECT_EQ(hash.Hex(), json.at("kinds").at(kind)[block]) << "block " << block;
    }
  }
}

}  // namespace
}  // namespace tern
