// SPDX-License-Identifier: MIT
// The decoders of tokenizer.json: what text a token stands for. Each token has its bytes, whatever
// stands beside it, so that texts can be decoded token by token; only at the start of a text does
// SentencePiece's space go. Immutable; threads share it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tern/text/tokenizer_spec.h"

namespace tern {

class Decoder {
 public:
  explicit Decoder(const std::vector<DecoderStep>& steps);

  // The bytes of the token that the vocabulary spells `spelling`.
  std::string Bytes(std::string_view spelling) const;

  // How many bytes at the start of a whole text are not part of it.
  size_t StartBytes(std::string_view text) const;

 private:
  std::vector<DecoderStep> steps_;
  std::string start_;        // what is taken off the start,
  int32_t start_count_ = 0;  // and how often at most
};

}  // namespace tern
