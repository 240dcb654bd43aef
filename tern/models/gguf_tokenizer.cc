// SPDX-License-Identifier: MIT
#include "tern/base/error.h"
#include "tern/io/json_file.h"
#include "tern/models/gguf_model.h"
#include "tern/text/gguf_vocabulary.h"

namespace tern {
namespace {

// bitnet-b1.58-2B-4T's file names none; its tokenizer is Llama 3's.
constexpr std::string_view kUnnamedPreTokenizer = "llama-bpe";

}  // namespace

std::optional<Tokenizer> ReadGgufTokenizer(const GgufMetadata& metadata) {
  if (const auto json = metadata.FindString("tokenizer.huggingface.json")) {
    return Tokenizer::FromJson(*json, metadata.place() + ": tokenizer.huggingface.json");
  }
  const std::optional<std::string_view> model = metadata.FindString("tokenizer.ggml.model");
  if (!model || *model == "none" || *model == "no_vocab") return std::nullopt;
  const auto require = [&](std::string_view key, auto found) {
    if (!found) {
      Fail(ErrorKind::kInvalidFile, "{}: metadata \"{}\" is missing", metadata.place(), key);
    }
    return std::move(*found);
  };
  const auto strings = [&](std::string_view key) {
    return require(key, metadata.FindStrings(key));
  };
  const auto id = [&](std::string_view key) -> std::optional<int32_t> {
    const auto found = metadata.FindInt(key, -1, INT32_MAX);
    if (!found || *found < 0) return std::nullopt;
    return static_cast<int32_t>(*found);
  };
  GgufVocabulary vocabulary;
  vocabulary.place = metadata.place();
  vocabulary.model = *model;
  vocabulary.tokens = strings("tokenizer.ggml.tokens");
  if (*model == "gpt2") vocabulary.merges = strings("tokenizer.ggml.merges");
  if (*model == "llama" || *model == "t5") {
    constexpr std::string_view kScores = "tokenizer.ggml.scores";
    vocabulary.scores = require(kScores, metadata.FindFloats(kScores));
  }
  if (auto types = metadata.FindInts("tokenizer.ggml.token_type")) vocabulary.types = *types;
  const auto pre = metadata.FindString("tokenizer.ggml.pre");
  vocabulary.pre_tokenizer = pre.value_or(kUnnamedPreTokenizer);
  vocabulary.add_space_prefix =
      metadata.FindBool("tokenizer.ggml.add_space_prefix").value_or(*model != "t5");
  vocabulary.remove_extra_spaces =
      metadata.FindBool("tokenizer.ggml.remove_extra_whitespaces").value_or(false);
  const auto map = metadata.values().find("tokenizer.ggml.precompiled_charsmap");
  vocabulary.has_character_map = map != metadata.values().end() && map->second.count > 0;
  vocabulary.add_bos = metadata.FindBool("tokenizer.ggml.add_bos_token");
  vocabulary.add_eos = metadata.FindBool("tokenizer.ggml.add_eos_token");
  vocabulary.bos = id("tokenizer.ggml.bos_token_id");
  vocabulary.eos = id("tokenizer.ggml.eos_token_id");
  vocabulary.unknown = id("tokenizer.ggml.unknown_token_id");
  return Tokenizer(ReadGgufVocabulary(vocabulary));
}

}  // namespace tern
