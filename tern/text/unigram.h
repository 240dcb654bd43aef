// SPDX-License-Identifier: MIT
// The unigram language model (Kudo 2018): a piece of text is cut into the tokens whose scores sum
// highest, by Viterbi. A character that is no token by itself may be unknown, for the lowest score
// less 10; runs of such become the tokens of their bytes (byte_fallback) or one unknown token.
// Special tokens are never found in text here, though they may be in the vocabulary.
// Immutable; threads share it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "tern/text/tokenizer_spec.h"

namespace tern {

class UnigramScratch {
 private:
  friend class Unigram;
  // The best way to reach a byte offset: the token that ends there and where it begins.
  struct Step {
    double score;
    uint32_t begin;
    int32_t token;  // -1: no way yet
  };
  std::vector<Step> steps_;
  std::vector<std::pair<uint32_t, int32_t>> path_;
};

class Unigram {
 public:
  // No token may be longer, which bounds the time that a byte takes.
  static constexpr size_t kMaxTokenBytes = 512;

  // Refers to the spec's strings: the spec must outlive it and stay where it is.
  explicit Unigram(const TokenizerSpec& spec);

  // Appends the tokens of a piece that is not empty and shorter than 4 GiB. Throws
  // Error(kInvalidArgument) for a character that has no token where there is none for unknowns.
  void Encode(std::string_view piece, UnigramScratch* scratch, std::vector<int32_t>* out) const;

 private:
  struct Token {
    std::string_view text;
    int32_t id;
    double score;
  };
  // The tokens that begin as the text does: [begin, end) of tokens_.
  struct Range {
    uint32_t begin;
    uint32_t end;
  };

  Range Narrow(Range range, size_t depth, unsigned char byte) const;
  int32_t Find(std::string_view text) const;
  void FillSteps(std::string_view piece, UnigramScratch* scratch) const;
  void AppendUnknown(std::string_view text, std::vector<int32_t>* out) const;

  std::string_view name_;
  std::vector<Token> tokens_;      // sorted by text
  std::vector<Range> first_;       // by first byte
  std::vector<int32_t> byte_ids_;  // empty: no byte_fallback
  std::optional<int32_t> unk_id_;
  double unk_score_ = 0;
};

}  // namespace tern
