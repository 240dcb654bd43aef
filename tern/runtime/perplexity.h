// SPDX-License-Identifier: MIT
// How well a model predicts a text. The tokens are cut into consecutive windows of N; each token is
// scored once, by -log of the probability that the model gives it after the tokens before it.
//
// The model reads N tokens for a window: the last one of the window before, then all but the last
// of its own, so that a token's context is 1 to N tokens. Before the first window stands the
// begin-of-sequence token, or the first end-of-sequence token (which separates the texts of a
// training set) where the model has no other. With neither the first token of the text is scored as
// one of vocab_size equally likely ones. Nothing goes unpaid: bits per byte is the length of a code
// for the text, and can be compared over tokenizers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tern/base/function_ref.h"
#include "tern/core/context.h"
#include "tern/models/model.h"

namespace tern {

struct PerplexityOptions {
  int64_t window = 0;            // N; 0: as many tokens as the model has positions
  DType kv_dtype = DType::kF32;  // what keys and values are rounded to
};

struct PerplexityResult {
  int64_t tokens = 0;
  int64_t windows = 0;
  double nats = 0;  // summed over all tokens

  double NatsPerToken() const;
  double Perplexity() const;
  // Of the text's UTF-8 bytes.
  double BitsPerByte(int64_t text_bytes) const;
};

// on_progress is told how many tokens have been scored, now and then. Memory does not grow with the
// text. Throws Error for no tokens, for ids outside the vocabulary, for a window that the model
// does not have, and of kNumeric where a token gets no probability.
PerplexityResult Perplexity(Context& ctx, const Model& model, std::span<const int32_t> ids,
                            const PerplexityOptions& options,
                            FunctionRef<void(int64_t scored)> on_progress);

// The figure of llama.cpp's llama-perplexity, for comparison with what its users measured. Of each
// window of N tokens it scores those behind the first N / 2 + 1 alone, so that each has N / 2 + 1
// or more before it; a rest shorter than a window is left out. Where the tokenizer puts a token in
// front of texts, it takes the place of each window's first.
struct LlamaWindows {
  int64_t window = 512;          // N
  std::optional<int32_t> begin;  // LeadingToken() (scorer.h)
  DType kv_dtype = DType::kF32;
};

struct LlamaPerplexityResult {
  int64_t tokens = 0;  // that were scored
  int64_t windows = 0;
  double nats = 0;     // summed over them
  double squares = 0;  // of the nats of each, summed

  double NatsPerToken() const;
  double Perplexity() const;
  // Of the perplexity, as llama.cpp estimates it: as if tokens were independent.
  double StandardError() const;
};

// Throws Error for a text shorter than two windows, and for what Perplexity() refuses.
LlamaPerplexityResult LlamaPerplexity(Context& ctx, const Model& model,
                                      std::span<const int32_t> ids, const LlamaWindows& options,
                                      FunctionRef<void(int64_t read)> on_progress);

}  // namespace tern
