// SPDX-License-Identifier: MIT
// The tokenizer of a GGUF file's metadata as a TokenizerSpec, and the way back: byte-level BPE
// (tokenizer.ggml.model "gpt2"), whose pre-tokenizer the file gives by a name alone, and
// SentencePiece's BPE ("llama"), whose merges follow from the scores of the tokens, and Unigram
// ("t5") without a map of characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/text/tokenizer_spec.h"

namespace tern {

// tokenizer.ggml.token_type
enum class GgufTokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,  // special
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct GgufVocabulary {
  std::string place;                     // the file, for messages
  std::string_view model;                // tokenizer.ggml.model, "gpt2", "llama" or "t5"
  std::vector<std::string_view> tokens;  // by id, as tokenizer.json spells them
  std::vector<int64_t> types;            // as many, or none: all normal
  std::vector<std::string_view> merges;  // "a b"; of gpt2
  std::string_view pre_tokenizer;        // tokenizer.ggml.pre; of gpt2
  std::vector<double> scores;            // as many as tokens; of llama and t5
  bool add_space_prefix = true;          // of llama and t5
  bool remove_extra_spaces = false;      // of t5: at the ends, and all but one of a run
  bool has_character_map = false;        // of t5
  std::optional<bool> add_bos;           // none: what the model's or pre-tokenizer's files do
  std::optional<bool> add_eos;
  std::optional<int32_t> bos;
  std::optional<int32_t> eos;
  std::optional<int32_t> unknown;  // of t5, where no token has that type
};

// Throws Error(kInvalidFile) for a vocabulary that contradicts itself and Error(kUnsupported) that
// lists the known names for an unknown model or pre-tokenizer.
TokenizerSpec ReadGgufVocabulary(const GgufVocabulary& vocabulary);

// What a file says of a tokenizer: what ReadGgufVocabulary takes, with strings of its own.
struct GgufVocabularyMetadata {
  std::string model;  // "no_vocab" where GGUF has no form for the tokenizer; then nothing else
  std::string pre_tokenizer;
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::vector<std::string> merges;
  std::vector<float> scores;
  bool add_space_prefix = true;
  bool remove_extra_spaces = false;
  std::optional<int32_t> unknown;
};

// Ids up to `vocab_size` that no token has become unused ones.
GgufVocabularyMetadata WriteGgufVocabulary(const TokenizerSpec& spec, int64_t vocab_size);

// The name of the pre-tokenizer, nothing where GGUF has none for it.
std::optional<std::string_view> GgufPreTokenizerName(const PreTokenizerSpec& spec);

}  // namespace tern
