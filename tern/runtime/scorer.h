// SPDX-License-Identifier: MIT
// Scorer: what tokens cost a model, -log of the probability that it gives them after the tokens
// before. One cache, which may be rewound so that several continuations share what stands before
// them. Memory does not grow with the text: logits are made for some tokens at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tern/base/function_ref.h"
#include "tern/core/context.h"
#include "tern/models/model.h"
#include "tern/text/tokenizer.h"

namespace tern {

// What a text is scored behind: the begin-of-sequence token, or the first end-of-sequence token
// (which separates the texts of a training set) where the model has no other.
std::optional<int32_t> FirstContext(const ModelConfig& config);

// The token that the tokenizer puts in front of every text, if it does.
std::optional<int32_t> LeadingToken(const Tokenizer& tokenizer);

class Scorer {
 public:
  // For texts of at most `capacity` tokens, which the model must have. Context and model must
  // outlive the scorer. Token ids are the caller's to check.
  Scorer(Context& ctx, const Model& model, int64_t capacity, DType kv_dtype = DType::kF32);

  int64_t position() const { return cache_.length(); }
  // Forgets all but the first `position` tokens.
  void Rewind(int64_t position) { cache_.Truncate(position); }

  // Reads tokens that need no score.
  void Read(std::span<const int32_t> ids);

  // Reads `context` and all targets but the last; on_loss is told what each target costs, in order.
  void Score(int32_t context, std::span<const int32_t> targets, FunctionRef<void(float)> on_loss);

 private:
  void ScoreChunk(int32_t context, std::span<const int32_t> targets,
                  FunctionRef<void(float)> on_loss);

  Context& ctx_;
  const Model& model_;
  KvCache cache_;
  int64_t chunk_tokens_;
};

}  // namespace tern
