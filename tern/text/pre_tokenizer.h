// SPDX-License-Identifier: MIT
// Cuts text into the pieces that the model encodes one by one: the pre-tokenizers of tokenizer.json
// in sequence. Immutable; threads share it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tern/base/function_ref.h"
#include "tern/text/regex.h"
#include "tern/text/tokenizer_spec.h"

namespace tern {

// GPT-2's pattern, which ByteLevel means by use_regex.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Where a stretch begins: at the beginning of the text, behind something that stands alone, or
// within text that another part began.
enum class StretchStart { kText, kBehindToken, kWithin };

class PreTokenizer {
 public:
  using Sink = FunctionRef<void(std::string_view piece)>;

  // `where` starts the messages about patterns.
  PreTokenizer(const PreTokenizerSpec& spec, std::string_view where);

  // Calls `sink` for each piece, none of them empty, in order: bytes, not their spellings, where a
  // step is the byte level. A piece points into `text`, or into a copy that lives until the sink
  // returns. `text` is valid UTF-8.
  void Split(std::string_view text, StretchStart start, RegexScratch* scratch, Sink sink) const;

 private:
  struct SplitStep {
    std::unique_ptr<const Regex> regex;  // null: `literal`
    std::string literal;
    SplitBehavior behavior;
    bool invert;
  };
  struct MetaspaceStep {
    std::string replacement;
    MetaspaceSpec::Prepend prepend;
    bool split;
  };
  struct ByteLevelStep {
    std::unique_ptr<const Regex> regex;  // null: no split
    bool add_prefix_space;
  };
  struct Segment {
    Span span;
    bool is_match;
  };
  struct Piece {
    std::string_view text;
    StretchStart start;

    // Of the part of the piece that begins at `begin`.
    StretchStart StartAt(size_t begin) const {
      return begin == 0 ? start : StretchStart::kBehindToken;
    }
  };
  using PieceSink = FunctionRef<void(Piece piece)>;

  static SplitStep MakeSplit(const SplitSpec& spec, std::string_view where);
  void RunFrom(size_t step, Piece piece, RegexScratch* scratch, Sink sink) const;
  static void Run(const SplitStep& step, Piece piece, RegexScratch* scratch, PieceSink sink);
  static void Run(const MetaspaceStep& step, Piece piece, RegexScratch* scratch, PieceSink sink);
  static void Run(const ByteLevelStep& step, Piece piece, RegexScratch* scratch, PieceSink sink);
  static std::vector<Segment> Segments(const SplitStep& step, std::string_view text,
                                       RegexScratch* scratch);

  std::vector<std::variant<SplitStep, MetaspaceStep, ByteLevelStep>> steps_;
  bool spelled_ = false;  // steps behind the byte level see the bytes' spellings
};

}  // namespace tern
