// SPDX-License-Identifier: MIT
// The vocabulary of a GGUF file from a stranger. The first byte picks the model and its options;
// then a line for each token (its type, its score, its text) or, behind 'm', for each merge; behind
// a zero byte a text. Reading and encoding give a result or an Error of one line. What is read
// writes a tokenizer.json that encodes alike.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tern/base/error.h"
#include "tern/text/gguf_vocabulary.h"
#include "tern/text/tokenizer.h"

namespace {

constexpr size_t kMaxTextBytes = 512;

void Require(bool condition) {
  if (!condition) std::abort();
}

tern::GgufVocabulary Read(std::string_view input) {
  tern::GgufVocabulary out;
  const unsigned options = input.empty() ? 0 : static_cast<unsigned char>(input[0]);
  constexpr std::string_view kNames[] = {"llama-bpe", "qwen2", "gpt-2", "falcon"};
  out.place = "fuzz";
  out.model = (options & 1) != 0 ? "llama" : (options & 64) != 0 ? "t5" : "gpt2";
  out.pre_tokenizer = kNames[options >> 1 & 3];
  out.add_space_prefix = (options & 8) != 0;
  out.add_eos = (options & 16) != 0;
  if ((options & 32) != 0) out.bos = 1;
  out.eos = 2;
  out.remove_extra_spaces = (options & 128) != 0;
  input.remove_prefix(std::min<size_t>(1, input.size()));
  while (!input.empty()) {
    const size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    if (line.size() < 2) continue;
    if (line[0] == 'm') {
      out.merges.push_back(line.substr(1));
    } else {
      out.types.push_back(line[0] - '0');
      out.scores.push_back(static_cast<double>(line[1]));
      out.tokens.push_back(line.substr(2));
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = std::min(input.find('\0'), size);
  const std::string_view text = input.substr(std::min(zero + 1, size), kMaxTextBytes);
  try {
    tern::TokenizerSpec spec = tern::ReadGgufVocabulary(Read(input.substr(0, zero)));
    int32_t ids = 0;
    for (const tern::VocabEntry& entry : spec.vocab) ids = std::max(ids, entry.id + 1);
    for (const tern::AddedToken& token : spec.added_tokens) ids = std::max(ids, token.id + 1);
    const tern::GgufVocabularyMetadata metadata = tern::WriteGgufVocabulary(spec, ids);
    Require(metadata.tokens.size() == static_cast<size_t>(ids));
    const tern::Tokenizer tokenizer(std::move(spec));
    const tern::Tokenizer again = tern::Tokenizer::FromJson(tokenizer.ToJson(), "fuzz");
    const tern::EncodeOptions options = {.special = true, .add_special = true};
    Require(again.Encode(text, options) == tokenizer.Encode(text, options));
  } catch (const tern::Error& error) {
    Require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
