// SPDX-License-Identifier: MIT
// What a tokenizer.json of byte-level BPE says, as plain data. The reader and the trainer make one,
// Tokenizer is built from one, the writer writes one. Whoever makes one has checked it: ids are in
// [0, kMaxVocabSize) and unique, merges name tokens of the vocabulary.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tern {

// Ids may be sparse, tables are indexed by id: this bounds what a small file can make us allocate.
inline constexpr int32_t kMaxVocabSize = 1 << 21;

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

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct SplitSpec {
  enum class Pattern { kRegex, kString, kDigits };
  Pattern pattern_kind = Pattern::kRegex;
  std::string pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
};

struct PreTokenizerSpec {
  std::vector<SplitSpec> splits;  // in order, before the byte level
  bool add_prefix_space = false;
  bool use_regex = false;  // the byte level splits by GPT-2's pattern
  bool trim_offsets = true;
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
  std::vector<VocabEntry> vocab;
  std::vector<Merge> merges;
  std::vector<AddedToken> added_tokens;
  PreTokenizerSpec pre_tokenizer;
  PostProcessorSpec post_processor;
  std::string unk_token;  // empty: none
  bool fuse_unk = false;
  bool ignore_merges = false;
};

}  // namespace tern
