// SPDX-License-Identifier: MIT
#include "tern/text/bpe.h"

#include <gtest/gtest.h>

#include <map>

#include "tern/base/error.h"
#include "tern/base/random.h"
#include "tern/text/byte_level.h"

namespace tern {
namespace {

constexpr uint64_t kSeed = 20250607;

// All bytes, and random merges over a small alphabet, so that merges overlap and nest.
TokenizerSpec RandomSpec(Random* random, std::string_view alphabet, size_t merge_count) {
  TokenizerSpec spec;
  spec.name = "random";
  std::map<std::string, int32_t> ids;
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    spec.vocab.push_back({ByteLevelSpell(bytes), byte});
    ids[bytes] = byte;
    if (alphabet.find(static_cast<char>(byte)) != std::string_view::npos) tokens.push_back(bytes);
  }
  std::map<std::pair<int32_t, int32_t>, bool> seen;
  while (spec.merges.size() < merge_count) {
    const std::string left = tokens[random->Below(tokens.size())];
    const std::string right = tokens[random->Below(tokens.size())];
    const std::string joined = left + right;
    if (joined.size() > 12 || seen[{ids[left], ids[right]}]) continue;
    seen[{ids[left], ids[right]}] = true;
    if (ids.emplace(joined, static_cast<int32_t>(spec.vocab.size())).second) {
      spec.vocab.push_back({ByteLevelSpell(joined), ids[joined]});
      tokens.push_back(joined);
    }
    spec.merges.push_back({ids[left], ids[right], ids[joined]});
  }
  return spec;
}

// The definition: find the pair of the lowest rank, the leftmost of those, merge it, begin again.
std::vector<int32_t> Reference(const TokenizerSpec& spec, std::string_view piece) {
  std::vector<int32_t> ids;
  for (const char c : piece) ids.push_back(static_cast<unsigned char>(c));
  for (;;) {
    size_t best_rank = spec.merges.size();
    size_t best_at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      for (size_t rank = 0; rank < best_rank; ++rank) {
        if (spec.merges[rank].left == ids[i] && spec.merges[rank].right == ids[i + 1]) {
          best_rank = rank;
          best_at = i;
        }
      }
    }
    if (best_rank == spec.merges.size()) return ids;
    ids[best_at] = spec.merges[best_rank].result;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(best_at) + 1);
  }
}

TEST(Bpe, ScanHeapAndCacheGiveWhatTheDefinitionGives) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Random random(kSeed);
  for (int round = 0; round < 20; ++round) {
    const TokenizerSpec spec = RandomSpec(&random, "ab", 8 + random.Below(40));
    const Bpe bpe(spec);
    BpeScratch scratch(1 << 20);
    for (int i = 0; i < 60; ++i) {
      std::string piece;
      const size_t size = 1 + random.Below(i % 3 == 0 ? 200 : 20);
      while (piece.size() < size)
        piece.push_back(random.Below(16) == 0 ? 'c' : "ab"[random.Below(2)]);
      const std::vector<int32_t> expected = Reference(spec, piece);
      for (int repeat = 0; repeat < 2; ++repeat) {
        std::vector<int32_t> ids;
        bpe.Encode(piece, &scratch, &ids);
        ASSERT_EQ(ids, expected) << piece;
      }
    }
  }
}

TEST(Bpe, LongRunsMergeInPairsFromTheLeft) {
  TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.vocab.push_back({ByteLevelSpell(std::string(1, static_cast<char>(byte))), byte});
  }
  spec.vocab.push_back({"aa", 256});
  spec.vocab.push_back({"aaaa", 257});
  spec.merges = {{'a', 'a', 256}, {256, 256, 257}};
  const Bpe bpe(spec);
  BpeScratch scratch(0);
  std::vector<int32_t> ids;
  bpe.Encode(std::string(1'000'003, 'a'), &scratch, &ids);
  ASSERT_EQ(ids.size(), 250'000u + 2);
  EXPECT_EQ(ids[0], 257);
  EXPECT_EQ(ids[249'999], 257);
  EXPECT_EQ(ids[250'000], 256);
  EXPECT_EQ(ids[250'001], 'a');
}

TEST(Bpe, WholeWordsGoBeforeMergesWhenAsked) {
  TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.vocab.push_back({ByteLevelSpell(std::string(1, static_cast<char>(byte))), byte});
  }
  spec.vocab.push_back({"bc", 256});
  spec.vocab.push_back({"abc", 300});
  spec.merges = {{'b', 'c', 256}};
  const auto encode = [&] {
    const Bpe bpe(spec);
    BpeScratch scratch(0);
    std::vector<int32_t> ids;
    bpe.Encode("abc", &scratch, &ids);
    return ids;
  };
  EXPECT_EQ(encode(), (std::vector<int32_t>{'a', 256}));
  spec.ignore_merges = true;
  EXPECT_EQ(encode(), (std::vector<int32_t>{300}));
}

TEST(Bpe, AMissingByteNeedsAnUnknownToken) {
  TokenizerSpec spec;
  spec.name = "small.json";
  spec.vocab = {{"a", 0}, {"<unk>", 1}};
  spec.pre_tokenizer.steps.emplace_back(ByteLevelSpec{});
  EXPECT_THROW(Bpe{spec}, Error);
  spec.unk_token = "<unk>";
  const auto encode = [&] {
    const Bpe bpe(spec);
    BpeScratch scratch(0);
    std::vector<int32_t> ids;
    bpe.Encode("xyaxa", &scratch, &ids);
    return ids;
  };
  EXPECT_EQ(encode(), (std::vector<int32_t>{1, 1, 0, 1, 0}));
  spec.fuse_unk = true;
  EXPECT_EQ(encode(), (std::vector<int32_t>{1, 0, 1, 0}));
}

// Characters, then the tokens of their bytes, then the unknown token, then nothing.
TEST(Bpe, CharactersFallBack) {
  TokenizerSpec spec;
  spec.name = "small.json";
  spec.vocab = {{"a", 0},      {"é", 1},      {"aé", 2},   {"<0xE6>", 3},
                {"<0x97>", 4}, {"<0xA5>", 5}, {"<unk>", 6}};
  spec.merges = {{0, 1, 2}};
  const auto encode = [&](std::string_view text) {
    const Bpe bpe(spec);
    BpeScratch scratch(0);
    std::vector<int32_t> ids;
    bpe.Encode(text, &scratch, &ids);
    return ids;
  };
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(encode("aéaxyé日"), (Ids{2, 2}));
  spec.unk_token = "<unk>";
  EXPECT_EQ(encode("aéaxyé日"), (Ids{2, 0, 6, 6, 1, 6}));
  spec.fuse_unk = true;
  EXPECT_EQ(encode("aéaxyé日"), (Ids{2, 0, 6, 1, 6}));
  spec.byte_fallback = true;
  EXPECT_EQ(encode("aéaxyé日"), (Ids{2, 0, 6, 1, 3, 4, 5}));
  EXPECT_EQ(encode("x日a"), (Ids{3, 4, 5, 6, 0}));  // the reference's order
  EXPECT_EQ(encode("本"), (Ids{6}));                // 0xE6 0x9C 0xAC: not all bytes are there
}

}  // namespace
}  // namespace tern
