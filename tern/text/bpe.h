// SPDX-License-Identifier: MIT
// Byte-pair encoding of one piece of text: bytes (byte level) or characters (SentencePiece) become
// tokens, then the adjacent pair whose merge has the lowest rank merges, the leftmost one first,
// until none is left. Short pieces rescan a small array, long ones keep the candidates in a heap
// over a linked list: O(n log n).
// Immutable; threads share it and bring a BpeScratch each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tern/text/pair_map.h"
#include "tern/text/tokenizer_spec.h"

namespace tern {

// Buffers and a small cache of words; one per call of Encode.
class BpeScratch {
 public:
  // The cache pays for itself in long texts only.
  explicit BpeScratch(size_t text_bytes);

 private:
  friend class Bpe;
  static constexpr size_t kCacheSlots = 4096;
  static constexpr size_t kCacheBytes = 22;
  static constexpr size_t kCacheIds = 8;
  struct CachedWord {
    uint8_t byte_count = 0;  // 0: free
    uint8_t id_count = 0;
    std::array<char, kCacheBytes> bytes;
    std::array<int32_t, kCacheIds> ids;
  };
  std::vector<CachedWord> cache_;
  std::vector<int32_t> ids_;
  std::vector<uint32_t> ranks_;
  std::vector<uint32_t> next_;
  std::vector<uint32_t> previous_;
  std::vector<uint64_t> heap_;
};

class Bpe {
 public:
  // Throws Error(kInvalidFile) when, on the byte level, a byte has no token and there is no
  // unk_token to stand for it. Elsewhere a character that has neither a token of its own nor, with
  // byte_fallback, tokens for its bytes, nor an unk_token is left out, as Hugging Face does.
  explicit Bpe(const TokenizerSpec& spec);

  // Appends the tokens of a piece that is not empty and shorter than 4 GiB.
  void Encode(std::string_view piece, BpeScratch* scratch, std::vector<int32_t>* out) const;

 private:
  struct Merged {
    uint32_t rank;
    int32_t result;
  };
  static constexpr uint32_t kNoRank = ~uint32_t{0};
  static constexpr size_t kScanLimit = 64;

  void ReadByteLevel(const TokenizerSpec& spec);
  void ReadCharacters(const TokenizerSpec& spec);
  void BuildWordTable(const TokenizerSpec& spec);
  int32_t WholeWord(std::string_view piece) const;
  uint32_t Rank(int32_t left, int32_t right) const;
  void StartFromBytes(std::string_view piece, std::vector<int32_t>* ids) const;
  void StartFromCharacters(std::string_view piece, std::vector<int32_t>* ids) const;
  bool AppendBytes(std::string_view character, std::vector<int32_t>* ids) const;
  void MergePiece(std::string_view piece, BpeScratch* scratch, std::vector<int32_t>* out) const;
  void MergeByScan(std::vector<int32_t>* ids, std::vector<uint32_t>* ranks) const;
  void MergeByHeap(BpeScratch* scratch) const;

  bool byte_level_;
  std::array<int32_t, 256> byte_ids_{};                  // -1: none
  std::unordered_map<char32_t, int32_t> character_ids_;  // not on the byte level
  PairMap<Merged> merges_;
  std::vector<int32_t> results_;  // by rank
  int32_t unk_id_ = -1;
  bool fuse_unk_;
  // Whole words (ignore_merges): an open-addressing table of indices into words_.
  std::vector<std::pair<std::string, int32_t>> words_;
  std::vector<int32_t> word_table_;
};

}  // namespace tern
