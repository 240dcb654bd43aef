// SPDX-License-Identifier: MIT
#include "tern/runtime/scorer.h"

#include <algorithm>
#include <vector>

#include "tern/ops/ops.h"

namespace tern {
namespace {

// Logits of a chunk take this much at most, but for one row.
constexpr int64_t kMaxLogits = int64_t{1} << 24;
constexpr int64_t kMaxChunkTokens = 512;

}  // namespace

std::optional<int32_t> FirstContext(const ModelConfig& config) {
  if (config.bos) return config.bos;
  if (!config.eos.empty()) return config.eos.front();
  return std::nullopt;
}

std::optional<int32_t> LeadingToken(const Tokenizer& tokenizer) {
  constexpr const char* kText = "a";
  EncodeOptions options;
  options.add_special = true;
  const std::vector<int32_t> alone = tokenizer.Encode(kText);
  const std::vector<int32_t> whole = tokenizer.Encode(kText, options);
  const bool leads =
      whole.size() > alone.size() && !std::equal(alone.begin(), alone.end(), whole.begin());
  return leads ? std::optional(whole.front()) : std::nullopt;
}

Scorer::Scorer(Context& ctx, const Model& model, int64_t capacity, DType kv_dtype)
    : ctx_(ctx),
      model_(model),
      cache_(model.MakeCache(ctx, capacity, kv_dtype)),
      chunk_tokens_(
          std::clamp(kMaxLogits / model.config().vocab_size, int64_t{1}, kMaxChunkTokens)) {}

void Scorer::Read(std::span<const int32_t> ids) {
  while (!ids.empty()) {
    const auto chunk = ids.first(std::min(ids.size(), static_cast<size_t>(kMaxChunkTokens)));
    const Tensor inputs =
        ctx_.Empty({1, static_cast<int64_t>(chunk.size())}, DType::kI32, MemoryTag::kWorkspace);
    std::copy(chunk.begin(), chunk.end(), inputs.data<int32_t>());
    model_.Hidden(ctx_, inputs, {.cache = &cache_, .last = 1});
    ids = ids.subspan(chunk.size());
  }
}

void Scorer::Score(int32_t context, std::span<const int32_t> targets,
                   FunctionRef<void(float)> on_loss) {
  while (!targets.empty()) {
    const size_t count = std::min(targets.size(), static_cast<size_t>(chunk_tokens_));
    ScoreChunk(context, targets.first(count), on_loss);
    context = targets[count - 1];
    targets = targets.subspan(count);
  }
}

void Scorer::ScoreChunk(int32_t context, std::span<const int32_t> targets,
                        FunctionRef<void(float)> on_loss) {
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
  for (const float loss : losses.span<float>()) on_loss(loss);
}

}  // namespace tern
