// SPDX-License-Identifier: MIT
// Trains a byte-level BPE tokenizer from text (Sennrich et al., "Neural machine translation of rare
// words with subword units", 2016): the most frequent adjacent pair of tokens becomes a token,
// again and again. Deterministic: of equally frequent pairs the one with the lowest ids merges, and
// how the text is cut into chunks makes no difference. One thread, memory for the distinct words.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/function_ref.h"
#include "tern/text/tokenizer.h"

namespace tern {

// Llama-3's pattern, but each digit is a piece of its own: small vocabularies have no room for
// numbers, and single digits keep arithmetic regular.
inline constexpr std::string_view kSplitSingleDigits =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Llama-3's pattern itself: up to three digits to a piece.
inline constexpr std::string_view kSplitThreeDigits =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct TokenizerTrainerOptions {
  int32_t vocab_size = 4096;  // all of it: 256 bytes, merges, special tokens
  // Added behind all others, in this order. In the training text they separate documents and are
  // not counted.
  std::vector<std::string> special_tokens = {"<|endoftext|>"};
  std::string pattern = std::string(kSplitSingleDigits);
  uint64_t min_frequency = 2;  // a pair that is rarer does not merge
};

class TokenizerTrainer {
 public:
  // Throws Error(kInvalidArgument) when the vocabulary has no room for the bytes and the special
  // tokens, or when those are empty or alike; Error for a pattern that regex.h refuses.
  explicit TokenizerTrainer(TokenizerTrainerOptions options);
  ~TokenizerTrainer();
  TokenizerTrainer(TokenizerTrainer&& other) noexcept;
  TokenizerTrainer& operator=(TokenizerTrainer&& other) noexcept;

  // Counts the words of the next chunk of text. Chunks may be cut anywhere, within characters too.
  // Throws Error(kInvalidArgument) naming the offset from the first chunk's start when the text is
  // not UTF-8.
  void Add(std::string_view chunk);

  // Ends the text and trains; call it once, as the last. The vocabulary is smaller than asked for
  // when the text has no more pairs that are frequent enough. Throws Error(kInvalidArgument) when a
  // special token is what the vocabulary spells (byte_level.h) another one: "a", "\u0120the".
  Tokenizer Train(Poll poll = [] {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern
