// SPDX-License-Identifier: MIT
#include "tern/runtime/session.h"

#include <algorithm>

#include "tern/base/error.h"

namespace tern {
namespace {

// Bounds the workspaces of a long prompt; large enough to keep matrix products efficient.
constexpr size_t kChunkTokens = 512;

int64_t CheckedCapacity(const Model& model, int64_t capacity) {
  const int64_t most = model.config().max_positions;
  if (capacity == 0) return most;
  if (capacity < 0 || capacity > most) {
    Fail(ErrorKind::kInvalidArgument,
         "a context of {} tokens: this model takes 1 to {} (max_position_embeddings)", capacity,
         most);
  }
  return capacity;
}

[[noreturn]] void FailFull(size_t tokens, int64_t position, int64_t capacity) {
  if (position == 0) {
    Fail(ErrorKind::kInvalidArgument,
         "the prompt has {} tokens, but the context holds {}; shorten the prompt", tokens,
         capacity);
  }
  Fail(ErrorKind::kInvalidArgument,
       "the context of {} is too small for {} more after the {} that were read", capacity, tokens,
       position);
}

}  // namespace

Session::Session(Context& ctx, const Model& model, const SessionOptions& options)
    : ctx_(ctx),
      model_(model),
      cache_(model.MakeCache(ctx, CheckedCapacity(model, options.capacity), options.kv_dtype)),
      ids_(&ctx.pool()) {
  ids_.reserve(static_cast<size_t>(capacity()));
}

std::span<const float> Session::Feed(std::span<const int32_t> ids, int64_t top) {
  if (ids.empty()) {
    Fail(ErrorKind::kInvalidArgument, "there are no tokens to read; a prompt needs at least one");
  }
  const int64_t before = position();
  if (ids.size() > static_cast<size_t>(capacity() - before)) {
    FailFull(ids.size(), before, capacity());
  }
  CheckTokenIds(ids, model_.config());
  try {
    for (size_t begin = 0; begin < ids.size(); begin += kChunkTokens) {
      const auto chunk = ids.subspan(begin, std::min(kChunkTokens, ids.size() - begin));
      const Tensor input =
          ctx_.Empty({1, static_cast<int64_t>(chunk.size())}, DType::kI32, MemoryTag::kWorkspace);
      std::copy(chunk.begin(), chunk.end(), input.data<int32_t>());
      logits_ = model_.Forward(ctx_, input, {.cache = &cache_, .last = 1, .top = top});
    }
    ctx_.backend(logits_.device()).Synchronize();
  } catch (...) {
    cache_.Truncate(before);
    throw;
  }
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  return logits_.span<float>();
}

void Session::Rewind(int64_t new_position) {
  if (new_position < 0 || new_position > position()) {
    Fail(ErrorKind::kInvalidArgument, "cannot go back to token {} of a text of {}", new_position,
         position());
  }
  cache_.Truncate(new_position);
  ids_.resize(static_cast<size_t>(new_position));
}

}  // namespace tern
