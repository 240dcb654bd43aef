// SPDX-License-Identifier: MIT
// The training loop of BPE over counted words: pair counts are kept up to date as words change, and
// the most frequent pair comes from a heap whose entries are corrected when they surface.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tern/text/pair_map.h"

namespace tern {

class WordMerger {
 public:
  // A word's tokens, initially one per byte, given by `byte_ids`, and how often it occurs.
  void AddWord(std::string_view bytes, const int32_t (&byte_ids)[256], uint64_t count);

  struct Pair {
    int32_t left;
    int32_t right;
    uint64_t count;
  };
  // The most frequent adjacent pair, of equals the one with the lowest ids; count 0 if there is
  // none.
  Pair Best();

  // Replaces the pair by `result` in all words. `result` must be neither of the two.
  void Merge(int32_t left, int32_t right, int32_t result);

 private:
  struct Word {
    size_t begin;  // in tokens_
    uint32_t size;
    uint64_t count;
  };
  struct Occurrences {
    uint64_t count = 0;
    std::vector<uint32_t> words;  // every word that has the pair, and some that had it
  };
  struct Entry {
    uint64_t count;
    uint64_t key;
    // For a heap whose top is the largest count and then the smallest key.
    bool operator<(const Entry& other) const {
      return count != other.count ? count < other.count : key > other.key;
    }
  };

  void Gain(int32_t left, int32_t right, uint32_t word);
  void Lose(int32_t left, int32_t right, uint32_t word);
  void MergeWord(uint32_t word, int32_t left, int32_t right, int32_t result);
  void PushGained();

  std::vector<int32_t> tokens_;
  std::vector<Word> words_;
  PairMap<Occurrences> pairs_;
  std::vector<uint64_t> gained_;  // pairs whose count grew since the heap was last told
  std::vector<Entry> heap_;
};

}  // namespace tern
