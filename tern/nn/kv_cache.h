// SPDX-License-Identifier: MIT
// Keys and values of the tokens that a model has read, layer by layer. A session owns one; the
// model only appends to it. Values are stored rounded to the cache's type; in int8, each token's
// head has a scale. Those of one head lie side by side, token after token.
#pragma once

#include <cstdint>
#include <vector>

#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/ops/transformer.h"

namespace tern::nn {

struct KvCacheOptions {
  int64_t layers = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t capacity = 0;       // tokens
  DType dtype = DType::kF32;  // f32, bf16, f16 or i8
  int64_t batch = 1;
};

class KvCache {
 public:
  // Takes all of its memory (MemoryTag::kCache) at once.
  KvCache(Context& ctx, const KvCacheOptions& options);

  int64_t length() const { return length_; }  // tokens held
  int64_t capacity() const { return options_.capacity; }
  DType dtype() const { return options_.dtype; }
  int64_t batch() const { return options_.batch; }
  int64_t layers() const { return options_.layers; }

  // Forgets all but the first `length` tokens; length must not exceed length().
  void Truncate(int64_t length);

  // For attention: writes k, v [batch, tokens, kv_heads, head_dim] behind the tokens that are held,
  // and gives views of everything [batch, length() + tokens, kv_heads, head_dim].
  struct Entry {
    ops::HeadRows keys;
    ops::HeadRows values;
  };
  Entry Append(Context& ctx, int64_t layer, const Tensor& k, const Tensor& v);
  // Counts the tokens that every layer has appended.
  void Advance(int64_t tokens);

 private:
  KvCacheOptions options_;
  int64_t length_ = 0;
  std::vector<Entry> layers_;  // [batch, capacity, kv_heads, head_dim], strided
};

}  // namespace tern::nn
