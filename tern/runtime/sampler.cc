// SPDX-License-Identifier: MIT
#include "tern/runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "tern/base/error.h"
#include "tern/base/portable_math.h"

namespace tern {
namespace {

constexpr double kMaxDouble = std::numeric_limits<double>::max();
constexpr double kNothing = -200;  // its exponential is 0 in float
constexpr double kLeastDouble = std::numeric_limits<double>::denorm_min();

void CheckRange(std::string_view option, double value, double low, double high,
                std::string_view range) {
  if (value >= low && value <= high) return;  // false for NaN
  Fail(ErrorKind::kInvalidArgument, "{} is {}; it must be {}", option, value, range);
}

// Whether a comes before b.
bool IsLikelier(const Sampler::Candidate& a, const Sampler::Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

bool IsLess(const Sampler::Candidate& a, const Sampler::Candidate& b) { return IsLikelier(b, a); }

double SumWeights(std::span<const Sampler::Candidate> candidates) {
  double sum = 0;
  for (const Sampler::Candidate& candidate : candidates) sum += candidate.weight;
  return sum;
}

}  // namespace

void CheckSamplerOptions(const SamplerOptions& options) {
  CheckRange("temperature", options.temperature, 0, kMaxDouble,
             "a finite number from 0 (always the likeliest token)");
  CheckRange("top-k", static_cast<double>(options.top_k), 0, kMaxDouble,
             "a number of tokens, or 0 (all)");
  CheckRange("top-p", options.top_p, kLeastDouble, 1, "above 0 and at most 1 (all tokens)");
  CheckRange("min-p", options.min_p, 0, 1, "from 0 (all tokens) to 1");
  CheckRange("repetition penalty", options.repetition_penalty, 0.01, 100,
             "from 0.01 to 100; 1 is none");
  CheckRange("repetition window", static_cast<double>(options.repetition_window), 0, kMaxDouble,
             "a number of tokens, or 0 (all)");
}

Sampler::Sampler(MemoryPool& pool, const SamplerOptions& options)
    : options_(options), random_(options.seed), candidates_(&pool), weights_(&pool) {
  CheckSamplerOptions(options);
}

int64_t Sampler::needed() const {
  if (options_.repetition_penalty != 1) return 0;
  return options_.temperature == 0 ? 1 : options_.top_k;
}

int32_t Sampler::Next(std::span<const float> logits, std::span<const int32_t> history) {
  const std::span<const Candidate> candidates = Filter(logits, history);
  if (options_.temperature == 0) return candidates.front().id;
  double left = random_.Uniform() * SumWeights(candidates);
  int32_t last = -1;
  for (const Candidate& candidate : candidates) {
    if (candidate.weight == 0) continue;
    if (left < candidate.weight) return candidate.id;
    left -= candidate.weight;
    last = candidate.id;
  }
  return last;  // rounding in the subtractions used up the last interval
}

std::span<const Sampler::Candidate> Sampler::Filter(std::span<const float> logits,
                                                    std::span<const int32_t> history) {
  Load(logits, history);
  // The first of the largest, since ids ascend.
  const Candidate best =
      *std::max_element(candidates_.begin(), candidates_.end(),
                        [](const Candidate& a, const Candidate& b) { return a.logit < b.logit; });
  if (best.logit == -std::numeric_limits<double>::infinity()) {
    Fail(ErrorKind::kNumeric, "all {} logits are -inf: there is no token to draw", logits.size());
  }
  if (options_.temperature == 0) {
    candidates_.assign(1, {best.logit, 1.0f, best.id});
    return candidates_;
  }
  KeepTopK();
  Weigh(best.logit);
  KeepTopP();
  KeepMinP();
  return candidates_;
}

void Sampler::Load(std::span<const float> logits, std::span<const int32_t> history) {
  if (logits.empty()) Fail(ErrorKind::kInvalidArgument, "there are no logits to draw a token from");
  candidates_.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] < std::numeric_limits<float>::infinity())) {
      Fail(ErrorKind::kNumeric,
           "the logit of token {} is {}; the model's weights or activations overflowed", i,
           logits[i]);
    }
    candidates_[i] = {logits[i], 0.0f, static_cast<int32_t>(i)};
  }
  const double penalty = options_.repetition_penalty;
  if (penalty == 1) return;
  const auto window = static_cast<size_t>(options_.repetition_window);
  if (window > 0 && window < history.size()) history = history.last(window);
  for (const int32_t id : history) {
    if (id < 0 || static_cast<size_t>(id) >= logits.size()) {
      Fail(ErrorKind::kInvalidArgument, "token {} of the text has no logit; there are {}", id,
           logits.size());
    }
    // From the logit as given: a token that occurs twice is punished once.
    const double logit = logits[static_cast<size_t>(id)];
    candidates_[static_cast<size_t>(id)].logit = logit > 0 ? logit / penalty : logit * penalty;
  }
}

void Sampler::KeepTopK() {
  if (options_.top_k == 0 || static_cast<size_t>(options_.top_k) >= candidates_.size()) return;
  const auto end = candidates_.begin() + options_.top_k;
  std::partial_sort(candidates_.begin(), end, candidates_.end(), IsLikelier);
  candidates_.erase(end, candidates_.end());
}

void Sampler::Weigh(double largest_logit) {
  weights_.resize(candidates_.size());
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const double below = (candidates_[i].logit - largest_logit) / options_.temperature;
    weights_[i] = static_cast<float>(std::max(below, kNothing));
  }
  for (float& weight : weights_) weight = PortableExp(weight);
  for (size_t i = 0; i < candidates_.size(); ++i) candidates_[i].weight = weights_[i];
}

void Sampler::KeepTopP() {
  if (options_.top_p == 1) return;
  const double wanted = options_.top_p * SumWeights(candidates_);
  // The tokens that stay are few: they come off a heap one by one and gather at the end.
  auto rest = candidates_.end();
  std::make_heap(candidates_.begin(), rest, IsLess);
  for (double kept = 0; kept < wanted && rest != candidates_.begin(); kept += rest->weight) {
    std::pop_heap(candidates_.begin(), rest, IsLess);
    --rest;
  }
  candidates_.erase(candidates_.begin(), rest);
}

void Sampler::KeepMinP() {
  if (options_.min_p == 0) return;
  const double least = options_.min_p;
  std::erase_if(candidates_, [&](const Candidate& candidate) { return candidate.weight < least; });
}

}  // namespace tern
