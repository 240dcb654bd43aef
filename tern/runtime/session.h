// SPDX-License-Identifier: MIT
// Session: one text being read or written by a model: its tokens and their keys and values. Any
// number of sessions may share a model and a context, each used by one thread at a time. The logits
// are the same bits however the tokens were split into calls. Once warm, feeding allocates nothing
// from the system.
#pragma once

#include <cstdint>
#include <span>

#include "tern/core/context.h"
#include "tern/core/memory_pool.h"
#include "tern/models/model.h"

namespace tern {

struct SessionOptions {
  int64_t capacity = 0;          // tokens that it can hold; 0: as many as the model has positions
  DType kv_dtype = DType::kF32;  // what keys and values are rounded to: f32, bf16, f16 or i8
};

class Session {
 public:
  // Takes the memory of the cache. Context and model must outlive the session. Throws Error for a
  // capacity that the model does not have.
  Session(Context& ctx, const Model& model, const SessionOptions& options = {});

  // Reads tokens behind those that are there, and gives the logits [vocab_size] after the last one;
  // they stay until the next call. With a `top` above 0 (Sampler::needed()) those that may be among
  // the `top` largest are exact, and the others may be -infinity, which a large head gives sooner.
  // An Error leaves the session as it was: for no tokens, for more than fit (it names both
  // numbers), for ids outside the vocabulary.
  std::span<const float> Feed(std::span<const int32_t> ids, int64_t top = 0);
  std::span<const float> Feed(int32_t id, int64_t top = 0) { return Feed(std::span(&id, 1), top); }

  // Forgets all but the first `position` tokens. Throws Error if there are fewer.
  void Rewind(int64_t position);

  int64_t position() const { return cache_.length(); }
  int64_t capacity() const { return cache_.capacity(); }
  std::span<const int32_t> ids() const { return ids_; }
  Context& context() const { return ctx_; }
  const Model& model() const { return model_; }

 private:
  Context& ctx_;
  const Model& model_;
  KvCache cache_;
  PoolVector<int32_t> ids_;
  Tensor logits_;  // [1, 1, vocab_size]
};

}  // namespace tern
