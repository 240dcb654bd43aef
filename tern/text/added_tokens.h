// SPDX-License-Identifier: MIT
// Finds the added tokens of a tokenizer.json in text: leftmost, then longest, with the rules of
// single_word, lstrip and rstrip. Immutable; threads share it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tern/base/function_ref.h"
#include "tern/text/regex.h"
#include "tern/text/tokenizer_spec.h"

namespace tern {

class AddedTokenMatcher {
 public:
  // A stretch of text: an added token when id >= 0, else text between such.
  using Sink = FunctionRef<void(std::string_view stretch, int32_t id)>;

  // No token of a file may be longer, which bounds the time that a byte takes.
  static constexpr size_t kMaxTokenBytes = 1024;

  // The tokens must have different contents, none empty.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  // Calls `sink` for each stretch of `text` in order. Special tokens are passed over as text
  // unless `special`.
  void Split(std::string_view text, bool special, RegexScratch* scratch, Sink sink) const;

 private:
  struct Node {
    int32_t token = -1;  // index into tokens_ of the token that ends here
    std::vector<std::pair<unsigned char, uint32_t>> children;
  };

  // The longest token that begins at `text`, or -1.
  int32_t LongestAt(std::string_view text) const;
  bool StandsAlone(std::string_view text, Span match, RegexScratch* scratch) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  bool first_bytes_[256] = {};
  std::unique_ptr<const Regex> word_;  // a word character; only where a token is single_word
};

}  // namespace tern
