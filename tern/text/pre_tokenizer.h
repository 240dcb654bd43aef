// SPDX-License-Identifier: MIT
// Cuts text into the pieces within which BPE merges: the Split, Digits and ByteLevel pre-tokenizers
// of tokenizer.json in sequence. Immutable; threads share it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/function_ref.h"
#include "tern/text/regex.h"
#include "tern/text/tokenizer_spec.h"

namespace tern {

// GPT-2's pattern, which ByteLevel means by use_regex.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

class PreTokenizer {
 public:
  using Sink = FunctionRef<void(std::string_view piece)>;

  // `where` starts the messages about patterns.
  PreTokenizer(const PreTokenizerSpec& spec, std::string_view where);

  // Calls `sink` for each piece, none of them empty, in order. A piece points into `text`, or into
  // a copy that lives until the sink returns. `text` is valid UTF-8.
  void Split(std::string_view text, RegexScratch* scratch, Sink sink) const;

 private:
  struct Step {
    std::unique_ptr<const Regex> regex;  // null: `literal`
    std::string literal;
    SplitBehavior behavior;
    bool invert;
  };
  struct Segment {
    Span span;
    bool is_match;
  };

  void RunStep(size_t step, std::string_view text, RegexScratch* scratch, Sink sink) const;
  void RunByteLevel(std::string_view text, RegexScratch* scratch, Sink sink) const;
  static std::vector<Segment> Segments(const Step& step, std::string_view text,
                                       RegexScratch* scratch);

  std::vector<Step> steps_;
  std::unique_ptr<const Regex> byte_level_regex_;
  bool add_prefix_space_;
};

}  // namespace tern
