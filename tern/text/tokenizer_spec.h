// SPDX-License-Identifier: MIT
// What a tokenizer.json says, as plain data. The reader and the trainer make one, Tokenizer is
// built from one, the writer writes one. Whoever makes one has checked it: ids are in [0,
// kMaxVocabSize) and unique, merges name tokens of the vocabulary, at most one pre-tokenizer is the
// byte level.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tern {

// Ids may be sparse, tables are indexed by id: this bounds what a small file can make us allocate.
inline constexpr int32_t kMaxVocabSize = 1 << 21;

enum class TokenizerModel { kBpe, kUnigram };

struct VocabEntry {
  std::string spelling;  // as the file spells it (byte_level.h)
  int32_t id = 0;
};

// The pair (left, right) becomes result; earlier merges go first.
struct Merge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
};

struct AddedToken {
  int32_t id = 0;
  std::string content;  // plain text, not spelled in the byte alphabet
  bool special = false;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // takes the white space behind it along
  bool normalized = false;   // looked for after the tokens that are not
};

// Rewrites text before it is cut.
struct NormalizerStep {
  enum class Kind {
    kNfc,
    kNfd,
    kNfkc,
    kNfkd,
    kLowercase,
    kPrepend,
    kReplaceString,
    kReplaceRegex,
    kStrip,
  };
  Kind kind = Kind::kNfc;
  std::string pattern;  // of Replace
  std::string content;  // of Prepend and Replace
  bool left = true;     // of Strip
  bool right = true;

  bool operator==(const NormalizerStep&) const = default;
};

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct SplitSpec {
  // The kinds without a pattern are pre-tokenizers of their own names.
  enum class Pattern { kRegex, kString, kDigits, kPunctuation, kWhitespace, kWhitespaceSplit };
  Pattern pattern_kind = Pattern::kRegex;
  std::string pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;

  bool operator==(const SplitSpec&) const = default;
};

// Spaces as a visible character, `replacement`, with one in front of the text.
struct MetaspaceSpec {
  enum class Prepend { kAlways, kFirst, kNever };
  std::string replacement;
  Prepend prepend = Prepend::kAlways;
  bool split = true;  // before each replacement

  bool operator==(const MetaspaceSpec&) const = default;
};

// Text becomes bytes in their alphabet (byte_level.h), split by GPT-2's pattern if `use_regex`.
struct ByteLevelSpec {
  bool add_prefix_space = false;
  bool use_regex = false;
  bool trim_offsets = true;

  bool operator==(const ByteLevelSpec&) const = default;
};

using PreTokenizerStep = std::variant<SplitSpec, MetaspaceSpec, ByteLevelSpec>;

struct PreTokenizerSpec {
  std::vector<PreTokenizerStep> steps;  // in order; none: the text is one piece

  bool byte_level() const {
    for (const PreTokenizerStep& step : steps) {
      if (std::holds_alternative<ByteLevelSpec>(step)) return true;
    }
    return false;
  }

  bool operator==(const PreTokenizerSpec&) const = default;
};

struct DecoderStep {
  enum class Kind { kByteLevel, kMetaspace, kReplace, kByteFallback, kFuse, kStrip };
  Kind kind = Kind::kByteLevel;
  std::string pattern;      // of Replace
  std::string content;      // of Replace and Strip
  int32_t start = 0;        // of Strip: how many at the start of the text
  MetaspaceSpec metaspace;  // of Metaspace
};

// One part of a TemplateProcessing: fixed tokens, or the text itself when `name` is empty.
struct TemplatePart {
  std::string name;
  std::vector<int32_t> ids;
  std::vector<std::string> tokens;
  int32_t type_id = 0;
};

struct PostProcessorSpec {
  std::optional<bool> byte_level_trim_offsets;  // present: a ByteLevel post-processor
  std::vector<TemplatePart> single;             // empty: no TemplateProcessing
};

struct TokenizerSpec {
  std::string name;  // the file, for messages
  TokenizerModel model = TokenizerModel::kBpe;
  std::vector<VocabEntry> vocab;
  std::vector<Merge> merges;   // of BPE
  std::vector<double> scores;  // of Unigram, one for each entry of vocab, whose ids are 0, 1, ...
  std::optional<int32_t> unk_id;  // of Unigram
  std::vector<AddedToken> added_tokens;
  std::vector<NormalizerStep> normalizer;
  PreTokenizerSpec pre_tokenizer;
  PostProcessorSpec post_processor;
  std::vector<DecoderStep> decoder;  // byte level: that step alone
  std::string unk_token;             // empty: none
  bool fuse_unk = false;
  bool byte_fallback = false;  // characters without a token become the tokens of their bytes
  bool ignore_merges = false;
};

}  // namespace tern
