// SPDX-License-Identifier: MIT
#include "tern/text/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>

#include "tern/base/error.h"
#include "tern/text/byte_level.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

size_t HashBytes(std::string_view bytes) { return std::hash<std::string_view>{}(bytes); }

}  // namespace

BpeScratch::BpeScratch(size_t text_bytes) {
  constexpr size_t kCacheFromBytes = 8 * 1024;
  if (text_bytes >= kCacheFromBytes) cache_.resize(kCacheSlots);
}

Bpe::Bpe(const TokenizerSpec& spec)
    : byte_level_(spec.pre_tokenizer.byte_level()),
      merges_(spec.merges.size()),
      fuse_unk_(spec.fuse_unk) {
  byte_ids_.fill(-1);
  for (const VocabEntry& entry : spec.vocab) {
    if (!spec.unk_token.empty() && entry.spelling == spec.unk_token) unk_id_ = entry.id;
  }
  if (byte_level_) {
    ReadByteLevel(spec);
  } else {
    ReadCharacters(spec);
  }
  results_.reserve(spec.merges.size());
  for (const Merge& merge : spec.merges) {
    const auto rank = static_cast<uint32_t>(results_.size());
    *merges_.Insert(PairMap<Merged>::Key(merge.left, merge.right)).first = {rank, merge.result};
    results_.push_back(merge.result);
  }
  if (spec.ignore_merges) BuildWordTable(spec);
}

void Bpe::ReadByteLevel(const TokenizerSpec& spec) {
  std::string bytes;
  for (const VocabEntry& entry : spec.vocab) {
    if (ByteLevelUnspell(entry.spelling, &bytes) && bytes.size() == 1) {
      byte_ids_[static_cast<unsigned char>(bytes[0])] = entry.id;
    }
  }
  for (size_t byte = 0; byte < byte_ids_.size() && unk_id_ < 0; ++byte) {
    if (byte_ids_[byte] >= 0) continue;
    Fail(ErrorKind::kInvalidFile,
         "{}: /model/vocab: no token for byte 0x{:02x} and no unk_token in the vocabulary; "
         "byte-level BPE needs all 256 bytes",
         spec.name, byte);
  }
}

void Bpe::ReadCharacters(const TokenizerSpec& spec) {
  std::unordered_map<std::string, size_t> byte_tokens;
  if (spec.byte_fallback) {
    for (size_t byte = 0; byte < byte_ids_.size(); ++byte) {
      byte_tokens.emplace(ByteTokenSpelling(static_cast<unsigned char>(byte)), byte);
    }
  }
  for (const VocabEntry& entry : spec.vocab) {
    if (entry.spelling.empty()) continue;
    const Utf8Char first = FirstUtf8(entry.spelling);
    if (first.size_bytes == entry.spelling.size()) character_ids_[first.code_point] = entry.id;
    if (entry.spelling.size() != kByteTokenBytes) continue;
    if (const auto byte = byte_tokens.find(entry.spelling); byte != byte_tokens.end()) {
      byte_ids_[byte->second] = entry.id;
    }
  }
}

void Bpe::BuildWordTable(const TokenizerSpec& spec) {
  std::string bytes;
  for (const VocabEntry& entry : spec.vocab) {
    if (!byte_level_) bytes = entry.spelling;
    if ((!byte_level_ || ByteLevelUnspell(entry.spelling, &bytes)) && !bytes.empty()) {
      words_.emplace_back(bytes, entry.id);
    }
  }
  word_table_.assign(std::bit_ceil(2 * words_.size() + 2), -1);
  const size_t mask = word_table_.size() - 1;
  for (size_t i = 0; i < words_.size(); ++i) {
    size_t slot = HashBytes(words_[i].first) & mask;
    while (word_table_[slot] >= 0) slot = (slot + 1) & mask;
    word_table_[slot] = static_cast<int32_t>(i);
  }
}

int32_t Bpe::WholeWord(std::string_view piece) const {
  const size_t mask = word_table_.size() - 1;
  for (size_t slot = HashBytes(piece) & mask; word_table_[slot] >= 0; slot = (slot + 1) & mask) {
    const auto& [bytes, id] = words_[static_cast<size_t>(word_table_[slot])];
    if (bytes == piece) return id;
  }
  return -1;
}

uint32_t Bpe::Rank(int32_t left, int32_t right) const {
  const Merged* merged = merges_.Find(PairMap<Merged>::Key(left, right));
  return merged ? merged->rank : kNoRank;
}

void Bpe::Encode(std::string_view piece, BpeScratch* scratch, std::vector<int32_t>* out) const {
  if (!word_table_.empty()) {
    if (const int32_t id = WholeWord(piece); id >= 0) {
      out->push_back(id);
      return;
    }
  }
  if (scratch->cache_.empty() || piece.size() > BpeScratch::kCacheBytes) {
    return MergePiece(piece, scratch, out);
  }
  BpeScratch::CachedWord& word = scratch->cache_[HashBytes(piece) % BpeScratch::kCacheSlots];
  if (word.byte_count == piece.size() &&
      std::memcmp(word.bytes.data(), piece.data(), piece.size()) == 0) {
    out->insert(out->end(), word.ids.begin(), word.ids.begin() + word.id_count);
    return;
  }
  const size_t before = out->size();
  MergePiece(piece, scratch, out);
  const size_t id_count = out->size() - before;
  if (id_count > BpeScratch::kCacheIds) return;
  word.byte_count = static_cast<uint8_t>(piece.size());
  word.id_count = static_cast<uint8_t>(id_count);
  std::memcpy(word.bytes.data(), piece.data(), piece.size());
  std::copy(out->begin() + static_cast<ptrdiff_t>(before), out->end(), word.ids.begin());
}

void Bpe::StartFromBytes(std::string_view piece, std::vector<int32_t>* ids) const {
  bool after_unk = false;
  for (const char c : piece) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(c)];
    if (id >= 0 || !(fuse_unk_ && after_unk)) ids->push_back(id >= 0 ? id : unk_id_);
    after_unk = id < 0;
  }
}

bool Bpe::AppendBytes(std::string_view character, std::vector<int32_t>* ids) const {
  const size_t before = ids->size();
  for (const char c : character) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(c)];
    if (id < 0) {
      ids->resize(before);
      return false;
    }
    ids->push_back(id);
  }
  return true;
}

void Bpe::StartFromCharacters(std::string_view piece, std::vector<int32_t>* ids) const {
  // Hugging Face keeps an unknown back until a character with a token comes, past bytes.
  bool unk_pending = false;
  while (!piece.empty()) {
    const Utf8Char c = FirstUtf8(piece);
    const std::string_view character = piece.substr(0, c.size_bytes);
    piece.remove_prefix(c.size_bytes);
    if (const auto found = character_ids_.find(c.code_point); found != character_ids_.end()) {
      if (unk_pending) ids->push_back(unk_id_);
      unk_pending = false;
      ids->push_back(found->second);
    } else if (!AppendBytes(character, ids) && unk_id_ >= 0) {
      if (unk_pending && !fuse_unk_) ids->push_back(unk_id_);
      unk_pending = true;
    }
  }
  if (unk_pending) ids->push_back(unk_id_);
}

void Bpe::MergePiece(std::string_view piece, BpeScratch* scratch, std::vector<int32_t>* out) const {
  std::vector<int32_t>& ids = scratch->ids_;
  ids.clear();
  if (byte_level_) {
    StartFromBytes(piece, &ids);
  } else {
    StartFromCharacters(piece, &ids);
  }
  if (ids.size() <= kScanLimit) {
    MergeByScan(&ids, &scratch->ranks_);
  } else {
    MergeByHeap(scratch);
  }
  out->insert(out->end(), ids.begin(), ids.end());
}

void Bpe::MergeByScan(std::vector<int32_t>* ids_out, std::vector<uint32_t>* ranks_out) const {
  std::vector<int32_t>& ids = *ids_out;
  std::vector<uint32_t>& ranks = *ranks_out;  // of the pair that begins at each position
  ranks.resize(ids.size());
  for (size_t i = 0; i + 1 < ids.size(); ++i) ranks[i] = Rank(ids[i], ids[i + 1]);
  while (ids.size() > 1) {
    const auto pairs_end = ranks.begin() + static_cast<ptrdiff_t>(ids.size() - 1);
    const auto best = std::min_element(ranks.begin(), pairs_end);
    if (*best == kNoRank) return;
    const size_t i = static_cast<size_t>(best - ranks.begin());
    ids[i] = results_[*best];
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(i) + 1);
    ranks.erase(ranks.begin() + static_cast<ptrdiff_t>(i));
    if (i > 0) ranks[i - 1] = Rank(ids[i - 1], ids[i]);
    if (i + 1 < ids.size()) ranks[i] = Rank(ids[i], ids[i + 1]);
  }
}

void Bpe::MergeByHeap(BpeScratch* scratch) const {
  std::vector<int32_t>& ids = scratch->ids_;
  std::vector<uint32_t>& ranks = scratch->ranks_;
  std::vector<uint32_t>& next = scratch->next_;
  std::vector<uint32_t>& previous = scratch->previous_;
  std::vector<uint64_t>& heap = scratch->heap_;  // rank << 32 | position, smallest first
  const auto size = static_cast<uint32_t>(ids.size());
  ranks.assign(size, kNoRank);
  next.resize(size);
  previous.resize(size);
  heap.clear();
  const auto later = std::greater<uint64_t>();
  for (uint32_t i = 0; i < size; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;
    if (i + 1 < size) ranks[i] = Rank(ids[i], ids[i + 1]);
    if (ranks[i] != kNoRank) heap.push_back(uint64_t{ranks[i]} << 32 | i);
  }
  std::make_heap(heap.begin(), heap.end(), later);
  const auto update = [&](uint32_t i) {
    const uint32_t rank = next[i] < size ? Rank(ids[i], ids[next[i]]) : kNoRank;
    if (rank == ranks[i]) return;
    ranks[i] = rank;
    if (rank == kNoRank) return;
    heap.push_back(uint64_t{rank} << 32 | i);
    std::push_heap(heap.begin(), heap.end(), later);
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const auto rank = static_cast<uint32_t>(heap.back() >> 32);
    const auto i = static_cast<uint32_t>(heap.back());
    heap.pop_back();
    if (ranks[i] != rank) continue;  // an older state of this position
    const uint32_t gone = next[i];
    ids[i] = results_[rank];
    next[i] = next[gone];
    if (next[gone] < size) previous[next[gone]] = i;
    ranks[gone] = kNoRank;
    ids[gone] = -1;
    ranks[i] = kNoRank;
    update(i);
    if (i > 0) update(previous[i]);
  }
  std::erase(ids, -1);
}

}  // namespace tern
