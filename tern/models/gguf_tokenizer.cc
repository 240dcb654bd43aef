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
  if (*model != "gpt2") {
    Fail(ErrorKind::kUnsupported,
         "{}: the tokenizer {} is not supported; \"gpt2\" (byte-level BPE) is", metadata.place(),
         Quoted(*model));
  }
  const auto require = [&](const char* key) {
    auto strings = metadata.FindStrings(key);
    if (!strings) {
      Fail(ErrorKind::kInvalidFile, "{}: metadata \"{}\" is missing", metadata.place(), key);
    }
    return std::move(*strings);
  };
  GgufVocabulary vocabulary;
  vocabulary.place = metadata.place();
  vocabulary.tokens = require("tokenizer.ggml.tokens");
  vocabulary.merges = require("tokenizer.ggml.merges");
  if (auto types = metadata.FindInts("tokenizer.ggml.token_type")) vocabulary.types = *types;
  const auto pre = metadata.FindString("tokenizer.ggml.pre");
  vocabulary.pre_tokenizer = pre.value_or(kUnnamedPreTokenizer);
  vocabulary.add_bos = metadata.FindBool("tokenizer.ggml.add_bos_token");
  if (const auto bos = metadata.FindInt("tokenizer.ggml.bos_token_id", -1, INT32_MAX)) {
    if (*bos >= 0) vocabulary.bos = static_cast<int32_t>(*bos);
  }
  return Tokenizer(ReadGgufVocabulary(vocabulary));
}

}  // namespace tern
