// SPDX-License-Identifier: MIT
#include "tern/text/word_merger.h"

#include <algorithm>

#include "tern/base/check.h"

namespace tern {

void WordMerger::AddWord(std::string_view bytes, const int32_t (&byte_ids)[256], uint64_t count) {
  const auto word = static_cast<uint32_t>(words_.size());
  words_.push_back({tokens_.size(), static_cast<uint32_t>(bytes.size()), count});
  for (const char c : bytes) tokens_.push_back(byte_ids[static_cast<unsigned char>(c)]);
  const int32_t* tokens = tokens_.data() + words_.back().begin;
  for (size_t i = 0; i + 1 < bytes.size(); ++i) Gain(tokens[i], tokens[i + 1], word);
}

void WordMerger::Gain(int32_t left, int32_t right, uint32_t word) {
  const uint64_t key = PairMap<Occurrences>::Key(left, right);
  Occurrences& pair = *pairs_.Insert(key).first;
  pair.count += words_[word].count;
  if (pair.words.empty() || pair.words.back() != word) pair.words.push_back(word);
  if (gained_.empty() || gained_.back() != key) gained_.push_back(key);
}

void WordMerger::Lose(int32_t left, int32_t right, uint32_t word) {
  Occurrences& pair = *pairs_.Insert(PairMap<Occurrences>::Key(left, right)).first;
  pair.count -= words_[word].count;
}

void WordMerger::PushGained() {
  std::sort(gained_.begin(), gained_.end());
  gained_.erase(std::unique(gained_.begin(), gained_.end()), gained_.end());
  for (const uint64_t key : gained_) {
    heap_.push_back({pairs_.Find(key)->count, key});
    std::push_heap(heap_.begin(), heap_.end());
  }
  gained_.clear();
}

WordMerger::Pair WordMerger::Best() {
  PushGained();
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end());
    Entry& top = heap_.back();
    const uint64_t count = pairs_.Find(top.key)->count;
    if (count == top.count && count > 0) {
      // It stays in the heap: whoever does not merge it finds it again.
      const Entry best = top;
      std::push_heap(heap_.begin(), heap_.end());
      return {static_cast<int32_t>(best.key >> 32), static_cast<int32_t>(best.key & 0xFFFFFFFFu),
              best.count};
    }
    // A larger count than the entry's has an entry of its own.
    if (count == 0 || count > top.count) {
      heap_.pop_back();
    } else {
      top.count = count;
      std::push_heap(heap_.begin(), heap_.end());
    }
  }
  return {0, 0, 0};
}

void WordMerger::Merge(int32_t left, int32_t right, int32_t result) {
  TERN_CHECK(result != left && result != right);
  const uint64_t key = PairMap<Occurrences>::Key(left, right);
  // Taken out first: merging makes new pairs, and the map may move.
  std::vector<uint32_t> words;
  words.swap(pairs_.Insert(key).first->words);
  for (const uint32_t word : words) MergeWord(word, left, right, result);
  pairs_.Insert(key).first->count = 0;
}

void WordMerger::MergeWord(uint32_t index, int32_t left, int32_t right, int32_t result) {
  Word& word = words_[index];
  int32_t* tokens = tokens_.data() + word.begin;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < word.size;) {
    if (i + 1 == word.size || tokens[i] != left || tokens[i + 1] != right) {
      tokens[kept++] = tokens[i++];
      continue;
    }
    if (kept > 0) {
      Lose(tokens[kept - 1], left, index);
      Gain(tokens[kept - 1], result, index);
    }
    if (i + 2 < word.size) {
      Lose(right, tokens[i + 2], index);
      Gain(result, tokens[i + 2], index);
    }
    tokens[kept++] = result;
    i += 2;
  }
  word.size = kept;
}

}  // namespace tern
