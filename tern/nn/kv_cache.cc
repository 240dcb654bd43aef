// SPDX-License-Identifier: MIT
#include "tern/nn/kv_cache.h"

#include "tern/base/check.h"
#include "tern/ops/ops.h"

namespace tern::nn {

KvCache::KvCache(Context& ctx, const KvCacheOptions& options) : options_(options) {
  TERN_CHECK(IsFloat(options.dtype) && options.dtype != DType::kF64);
  const Shape shape = {options.batch, options.capacity, options.kv_heads, options.head_dim};
  layers_.reserve(static_cast<size_t>(options.layers));
  for (int64_t i = 0; i < options.layers; ++i) {
    layers_.push_back({ctx.Empty(shape, options.dtype, MemoryTag::kCache),
                       ctx.Empty(shape, options.dtype, MemoryTag::kCache)});
  }
}

void KvCache::Truncate(int64_t length) {
  TERN_CHECK(length >= 0 && length <= length_);
  length_ = length;
}

KvCache::Entry KvCache::Append(Context& ctx, int64_t layer, const Tensor& k, const Tensor& v) {
  const Entry& entry = layers_[static_cast<size_t>(layer)];
  const int64_t end = length_ + k.dim(1);
  TERN_CHECK(end <= options_.capacity);
  TERN_CHECK(k.link().tape == nullptr && v.link().tape == nullptr);  // gradients end here
  ops::CopyInto(ctx, k, entry.keys.Sliced(1, length_, end));
  ops::CopyInto(ctx, v, entry.values.Sliced(1, length_, end));
  return {entry.keys.Sliced(1, 0, end), entry.values.Sliced(1, 0, end)};
}

void KvCache::Advance(int64_t tokens) {
  TERN_CHECK(tokens >= 0 && length_ + tokens <= options_.capacity);
  length_ += tokens;
}

}  // namespace tern::nn
