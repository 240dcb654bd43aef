// SPDX-License-Identifier: MIT
#include "tern/runtime/perplexity.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "tern/base/error.h"
#include "tern/base/portable_math.h"
#include "tern/runtime/scorer.h"

namespace tern {
namespace {

constexpr double kLog2 = 0.6931471805599453094;

int64_t CheckedWindow(const ModelConfig& config, int64_t window) {
  if (window == 0) return config.max_positions;
  if (window < 0 || window > config.max_positions) {
    Fail(ErrorKind::kInvalidArgument,
         "a window of {} tokens: this model takes 1 to {} (max_position_embeddings)", window,
         config.max_positions);
  }
  return window;
}

// An Error where the loss is not finite; tokens are counted from the text's beginning.
void CheckLoss(double nats, int64_t first, int64_t count) {
  if (std::isfinite(nats)) return;
  Fail(ErrorKind::kNumeric, "the loss of tokens {} to {} is {}: the model overflows there", first,
       first + count - 1, nats);
}

}  // namespace

double PerplexityResult::NatsPerToken() const { return nats / static_cast<double>(tokens); }

double PerplexityResult::Perplexity() const { return PortableExp(NatsPerToken()); }

double PerplexityResult::BitsPerByte(int64_t text_bytes) const {
  return nats / kLog2 / static_cast<double>(text_bytes);
}

PerplexityResult Perplexity(Context& ctx, const Model& model, std::span<const int32_t> ids,
                            const PerplexityOptions& options,
                            FunctionRef<void(int64_t scored)> on_progress) {
  if (ids.empty()) Fail(ErrorKind::kInvalidArgument, "there are no tokens to score");
  CheckTokenIds(ids, model.config());
  const int64_t window = CheckedWindow(model.config(), options.window);
  PerplexityResult result{.tokens = static_cast<int64_t>(ids.size())};
  std::optional<int32_t> context = FirstContext(model.config());
  if (!context) {
    result.nats = PortableLog(static_cast<double>(model.config().vocab_size));
    context = ids.front();
    ids = ids.subspan(1);
  }
  Scorer scorer(ctx, model, window, options.kv_dtype);
  while (!ids.empty()) {
    const auto targets = ids.first(std::min(ids.size(), static_cast<size_t>(window)));
    scorer.Rewind(0);
    double nats = 0;
    scorer.Score(*context, targets, [&](float loss) { nats += loss; });
    result.nats += nats;
    ++result.windows;
    context = targets.back();
    const auto before = result.tokens - static_cast<int64_t>(ids.size());
    ids = ids.subspan(targets.size());
    CheckLoss(result.nats, before, static_cast<int64_t>(targets.size()));
    on_progress(result.tokens - static_cast<int64_t>(ids.size()));
  }
  return result;
}

double LlamaPerplexityResult::NatsPerToken() const { return nats / static_cast<double>(tokens); }

double LlamaPerplexityResult::Perplexity() const { return PortableExp(NatsPerToken()); }

double LlamaPerplexityResult::StandardError() const {
  const double mean = NatsPerToken();
  const double variance = squares / static_cast<double>(tokens) - mean * mean;
  return Perplexity() * std::sqrt(std::max(variance, 0.0) / static_cast<double>(tokens - 1));
}

LlamaPerplexityResult LlamaPerplexity(Context& ctx, const Model& model,
                                      std::span<const int32_t> ids, const LlamaWindows& options,
                                      FunctionRef<void(int64_t read)> on_progress) {
  constexpr int64_t kLeastWindow = 3;  // scores one token
  const int64_t window = options.window;
  if (window < kLeastWindow || window > model.config().max_positions) {
    Fail(ErrorKind::kInvalidArgument,
         "a window of {} tokens: of llama.cpp's, this model takes {} to {} "
         "(max_position_embeddings)",
         window, kLeastWindow, model.config().max_positions);
  }
  const auto count = static_cast<int64_t>(ids.size());
  if (count < 2 * window) {
    Fail(ErrorKind::kInvalidArgument,
         "the text has {} tokens; llama.cpp's windows of {} take at least two windows full", count,
         window);
  }
  CheckTokenIds(ids, model.config());
  const auto read = static_cast<size_t>(window / 2);  // scored are those behind the next
  LlamaPerplexityResult result;
  Scorer scorer(ctx, model, window, options.kv_dtype);
  std::vector<int32_t> tokens;
  for (int64_t begin = 0; begin + window <= count; begin += window) {
    const auto whole = ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(window));
    tokens.assign(whole.begin(), whole.end());
    if (options.begin) tokens.front() = *options.begin;
    scorer.Rewind(0);
    scorer.Read(std::span(tokens).first(read));
    scorer.Score(tokens[read], std::span(tokens).subspan(read + 1), [&](float loss) {
      result.nats += loss;
      result.squares += static_cast<double>(loss) * loss;
      ++result.tokens;
    });
    ++result.windows;
    CheckLoss(result.nats, begin, window);
    on_progress(begin + window);
  }
  return result;
}

}  // namespace tern
