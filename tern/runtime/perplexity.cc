// SPDX-License-Identifier: MIT
#include "tern/runtime/perplexity.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "tern/base/error.h"
#include "tern/base/portable_math.h"
#include "tern/ops/ops.h"

namespace tern {
namespace {

// Logits of a chunk take this much at most, but for one row.
constexpr int64_t kMaxLogits = int64_t{1} << 24;
constexpr int64_t kMaxChunkTokens = 512;

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

std::optional<int32_t> FirstContext(const ModelConfig& config) {
  if (config.bos) return config.bos;
  if (!config.eos.empty()) return config.eos.front();
  return std::nullopt;
}

class Scorer {
 public:
  Scorer(Context& ctx, const Model& model, int64_t window, DType kv_dtype)
      : ctx_(ctx),
        model_(model),
        cache_(model.MakeCache(ctx, window, kv_dtype)),
        chunk_tokens_(
            std::clamp(kMaxLogits / model.config().vocab_size, int64_t{1}, kMaxChunkTokens)) {}

  // The summed loss of `targets`; `context` is the token before them.
  double Window(int32_t context, std::span<const int32_t> targets) {
    cache_.Truncate(0);
    double nats = 0;
    while (!targets.empty()) {
      const size_t count = std::min(targets.size(), static_cast<size_t>(chunk_tokens_));
      nats += Chunk(context, targets.first(count));
      context = targets[count - 1];
      targets = targets.subspan(count);
    }
    return nats;
  }

 private:
  double Chunk(int32_t context, std::span<const int32_t> targets) {
    const auto rows = static_cast<int64_t>(targets.size());
    const Tensor inputs = ctx_.Empty({1, rows}, DType::kI32, MemoryTag::kWorkspace);
    inputs.data<int32_t>()[0] = context;
    std::copy(targets.begin(), targets.end() - 1, inputs.data<int32_t>() + 1);
    const Tensor wanted = ctx_.Empty({rows}, DType::kI32, MemoryTag::kWorkspace);
    std::copy(targets.begin(), targets.end(), wanted.data<int32_t>());

    const Tensor logits = model_.Forward(ctx_, inputs, {.cache = &cache_});
    const Tensor losses =
        ops::CrossEntropy(ctx_, logits.Reshaped({rows, model_.config().vocab_size}), wanted);
    ctx_.backend(losses.device()).Synchronize();
    double nats = 0;
    for (const float loss : losses.span<float>()) nats += loss;
    return nats;
  }

  Context& ctx_;
  const Model& model_;
  KvCache cache_;
  int64_t chunk_tokens_;
};

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
    result.nats += scorer.Window(*context, targets);
    ++result.windows;
    context = targets.back();
    ids = ids.subspan(targets.size());
    if (!std::isfinite(result.nats)) {
      Fail(ErrorKind::kNumeric, "the loss of tokens {} to {} is {}: the model overflows there",
           result.tokens - static_cast<int64_t>(ids.size() + targets.size()),
           result.tokens - static_cast<int64_t>(ids.size()) - 1, result.nats);
    }
    on_progress(result.tokens - static_cast<int64_t>(ids.size()));
  }
  return result;
}

}  // namespace tern
