// SPDX-License-Identifier: MIT
// The tokenizer of a GGUF file's metadata as a TokenizerSpec: byte-level BPE (tokenizer.ggml.model
// "gpt2"), whose pre-tokenizer the file gives by a name alone, and the way back.
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
  std::vector<std::string_view> tokens;  // by id, as tokenizer.json spells them
  std::vector<int64_t> types;            // as many, or none: all normal
  std::vector<std::string_view> merges;  // "a b"
  std::string_view pre_tokenizer;        // tokenizer.ggml.pre
  std::optional<bool> add_bos;           // none: what the pre-tokenizer's models do
  std::optional<int32_t> bos;
};

// Throws Error(kInvalidFile) for a vocabulary that contradicts itself and Error(kUnsupported) that
// lists the known names for an unknown pre-tokenizer.
TokenizerSpec ReadGgufVocabulary(const GgufVocabulary& vocabulary);

// The name of the pre-tokenizer, nothing where GGUF has none for it.
std::optional<std::string_view> GgufPreTokenizerName(const PreTokenizerSpec& spec);

}  // namespace tern
