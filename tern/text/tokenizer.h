// SPDX-License-Identifier: MIT
// Tokenizers as Hugging Face's tokenizer.json defines them, byte-level and SentencePiece's: text to
// token ids and back. Encoding gives the ids that Hugging Face tokenizers gives; decoding gives the
// exact bytes of a text that nothing normalized. A component of tokenizer.json that is not
// supported is an Error that names it when the file is read, never ignored. Immutable once built:
// any number of threads may use one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/text/tokenizer_spec.h"

namespace tern {

struct EncodeOptions {
  bool special = true;       // special tokens written in the text are recognised
  bool add_special = false;  // tokens that the post-processor's template adds, e.g. at the start
  // A longer text in parts: this one goes on from the part before, behind a line's end, and gets no
  // space in front; or another follows, and what ends it stays.
  bool continues = false;
  bool goes_on = false;
};

class Tokenizer {
 public:
  // Reads a tokenizer.json. Throws Error(kIo), Error(kInvalidFile) or Error(kUnsupported) naming
  // the file and the place in it.
  static Tokenizer FromFile(const std::string& path);
  // The same from memory; `name` stands for the file in messages.
  static Tokenizer FromJson(std::string_view json, std::string_view name);
  // From data that was checked as tokenizer_spec.h says.
  explicit Tokenizer(TokenizerSpec spec);

  ~Tokenizer();
  Tokenizer(Tokenizer&& other) noexcept;
  Tokenizer& operator=(Tokenizer&& other) noexcept;

  // Throws Error(kInvalidArgument) naming the offset when the text is not UTF-8.
  std::vector<int32_t> Encode(std::string_view text, const EncodeOptions& options = {}) const;

  // The bytes of the tokens, one after the other, without the space that SentencePiece puts in
  // front of a text; they need not be UTF-8. Throws Error for an id that names no token.
  std::string Decode(std::span<const int32_t> ids, bool skip_special = false) const;

  // The bytes of one token; throws Error for an id that names none. Valid as long as the tokenizer.
  std::string_view TokenBytes(int32_t id) const;
  bool HasToken(int32_t id) const noexcept;
  bool IsSpecial(int32_t id) const noexcept;

  // One more than the largest id; ids below it may be unused.
  int32_t vocab_size() const noexcept;

  // The token whose text is `text`: an added token's content, else that of the vocabulary, its
  // bytes on the byte level and its spelling elsewhere.
  // Files name begin, end and padding tokens by text (tokenizer_config.json); this finds their ids.
  std::optional<int32_t> TokenId(std::string_view text) const;

  // A tokenizer.json that reads back as the same tokenizer, and that Hugging Face loads.
  std::string ToJson() const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

// Turns a stream of tokens into text that never ends within a character. Bytes that cannot be part
// of a character become U+FFFD. What is streamed continues a text: a space at its start stays. The
// tokenizer must outlive it; use one per stream and thread.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true)
      : tokenizer_(&tokenizer), skip_special_(skip_special) {}

  // The characters that this token completes; often none or several.
  std::string Push(int32_t id);
  // What is left: nothing, or U+FFFD for a character that never came to its end.
  std::string Finish();

 private:
  const Tokenizer* tokenizer_;
  bool skip_special_;
  std::string pending_;
};

}  // namespace tern
