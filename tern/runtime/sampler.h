// SPDX-License-Identifier: MIT
// Sampler: draws the next token from the logits of a position. The steps, named and ordered as in
// Hugging Face transformers:
//
//   repetition penalty  logits of tokens among the last `repetition_window`: divided by the
//                       penalty when positive, multiplied when negative
//   temperature         logits are divided by it; 0 takes the largest logit and stops here
//   top-k               the k largest logits stay
//   top-p               the likeliest tokens stay, as few as have together at least this
//                       probability among those that top-k left
//   min-p               tokens stay that are at least this times as likely as the likeliest
//
// Among equal logits the lower id comes first, everywhere. Exponentials are base/portable_math.h's
// in float, sums are in double in a fixed order, and the draws are Philox's (base/random.h): logits
// that are the same bits give the same tokens on every machine. One stream of draws per Sampler,
// one draw per token; temperature 0 draws nothing. Once warm, allocates nothing. For one thread at
// a time.
#pragma once

#include <cstdint>
#include <span>

#include "tern/base/random.h"
#include "tern/core/memory_pool.h"

namespace tern {

struct SamplerOptions {
  double temperature = 0.8;        // from 0
  int64_t top_k = 0;               // 0: off
  double top_p = 1;                // above 0, to 1: off
  double min_p = 0;                // 0: off, to 1
  double repetition_penalty = 1;   // 0.01 to 100; 1: off
  int64_t repetition_window = 64;  // last tokens that the penalty sees; 0: all
  uint64_t seed = 0;
};

// Throws Error(kInvalidArgument) that names the option and its range.
void CheckSamplerOptions(const SamplerOptions& options);

class Sampler {
 public:
  struct Candidate {
    double logit;  // after the penalty
    float weight;  // probability over that of the likeliest token
    int32_t id;
  };

  // Checks the options. The pool must outlive the sampler.
  Sampler(MemoryPool& pool, const SamplerOptions& options);

  // How many of the largest logits decide about the next token, so that the others may be
  // -infinity; 0: all do.
  int64_t needed() const;

  // The next token after `history` (the whole text so far, prompt included). Logits may be -inf,
  // which excludes a token; NaN, +inf, or no token at all is an Error(kNumeric).
  int32_t Next(std::span<const float> logits, std::span<const int32_t> history);

  // The tokens that Next draws from, in an order that the arguments alone decide; one token at
  // temperature 0. Valid until the next call.
  std::span<const Candidate> Filter(std::span<const float> logits,
                                    std::span<const int32_t> history);

 private:
  void Load(std::span<const float> logits, std::span<const int32_t> history);
  void KeepTopK();
  void Weigh(double largest_logit);
  void KeepTopP();
  void KeepMinP();

  SamplerOptions options_;
  Random random_;
  PoolVector<Candidate> candidates_;
  PoolVector<float> weights_;  // of the candidates, in a row for the compiler's vectors
};

}  // namespace tern
