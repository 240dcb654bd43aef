// SPDX-License-Identifier: MIT
// Text as a mapped file of token ids, and training batches drawn from it.
//
// A token file holds the ids one after the other, u16 where the vocabulary allows it and u32
// elsewhere, little-endian, then 32 bytes of trailer:
//
//   0  "ternids1"      8  bytes per id (u32)     12  0 (u32)
//  16  number of ids (u64)                       24  TokenizerHash of the tokenizer (u64)
//
// It is a cache of one tokenizer's work and not for exchange; it appears whole or not at all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tern/base/function_ref.h"
#include "tern/base/mapped_file.h"
#include "tern/core/context.h"
#include "tern/text/tokenizer.h"

namespace tern {

// Names a tokenizer by what it does: a hash of its tokenizer.json.
uint64_t TokenizerHash(const Tokenizer& tokenizer);

// Error(kInvalidFile) naming file and offset unless the file is UTF-8.
void RequireUtf8(const MappedFile& text, Poll poll);

// Encodes the files, one behind the other, into a token file. Special tokens written in the text
// (<|endoftext|> on a line between documents) become their ids; nothing is added. The text is read
// in chunks that are cut behind a special token or at a line's end, wherever the text has them, and
// encoded by all threads; the ids depend neither on their number nor on anything else but the text.
// Memory stays bounded by some chunks per thread. They must be UTF-8.
void WriteTokenFile(
    ThreadPool& threads, const Tokenizer& tokenizer, std::span<const std::string> text_paths,
    const std::string& path, Poll poll = [] {});

// Ids of a token file, or a part of them; a view that keeps no file open.
class TokenSpan {
 public:
  TokenSpan() = default;
  TokenSpan(const std::byte* data, int64_t size, int id_bytes)
      : data_(data), size_(size), id_bytes_(id_bytes) {}

  int64_t size() const { return size_; }
  int32_t operator[](int64_t index) const;
  void CopyTo(int64_t begin, std::span<int32_t> out) const;
  TokenSpan Part(int64_t begin, int64_t end) const;

 private:
  const std::byte* data_ = nullptr;
  int64_t size_ = 0;
  int id_bytes_ = 2;
};

class TokenFile {
 public:
  // Throws Error(kInvalidFile) when it is no token file or another tokenizer's.
  TokenFile(const std::string& path, const Tokenizer& tokenizer);

  TokenSpan ids() const { return ids_; }

 private:
  MappedFile file_;
  TokenSpan ids_;
};

// The text that tokens stand for, in bytes, without decoding them.
class TokenBytes {
 public:
  explicit TokenBytes(const Tokenizer& tokenizer);
  int64_t Count(const TokenSpan& ids) const;

 private:
  std::vector<int32_t> bytes_;  // by id
};

// What one step trains on: inputs i32 [sequences, length] and the next tokens [sequences * length].
struct TokenBatch {
  Tensor inputs;
  Tensor targets;

  static TokenBatch Empty(Context& ctx, int64_t sequences, int64_t length);
  // The sequences [begin, end), sharing elements.
  TokenBatch Part(int64_t begin, int64_t end) const;
};

// Draws windows of length + 1 tokens: each epoch cuts the text into consecutive windows from a
// random offset and takes all of them in random order. What a step gets is a function of the text,
// the seed and the step, so that a resumed run goes on with what it would have seen.
class WindowSampler {
 public:
  // Throws Error(kInvalidArgument) when the text has not one window.
  WindowSampler(TokenSpan ids, int64_t length, uint64_t seed);

  int64_t windows_per_epoch() const { return static_cast<int64_t>(order_.size()); }
  // Fills every sequence of the batch of that step.
  void Fill(int64_t step, const TokenBatch& batch);

 private:
  void StartEpoch(int64_t epoch);

  TokenSpan ids_;
  int64_t length_;
  uint64_t seed_;
  int64_t epoch_ = -1;
  int64_t offset_ = 0;          // of the epoch's first window
  std::vector<int64_t> order_;  // of the epoch's windows
};

}  // namespace tern
