// SPDX-License-Identifier: MIT
#include "tern/nn/kv_cache.h"

#include "tern/base/check.h"
#include "tern/ops/ops.h"

namespace tern::nn {

KvCache::KvCache(Context& ctx, const KvCacheOptions& options) : options_(options) {
  const bool quantized = options.dtype == DType::kI8;
  TERN_CHECK(quantized || (IsFloat(options.dtype) && options.dtype != DType::kF64));
  const Shape scales = {options.batch, options.kv_heads, options.capacity};
  const Shape values = {options.batch, options.kv_heads, options.capacity, options.head_dim};
  const auto by_token = [&](const Shape& shape, DType dtype) {
    return ctx.Empty(shape, dtype, MemoryTag::kCache).Transposed(1, 2);
  };
  const auto rows = [&] {
    return ops::HeadRows{.values = by_token(values, options.dtype),
                         .scales = quantized ? by_token(scales, DType::kF32) : Tensor()};
  };
  layers_.reserve(static_cast<size_t>(options.layers));
  for (int64_t i = 0; i < options.layers; ++i) layers_.push_back({rows(), rows()});
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
  ops::RoundHeadsInto(ctx, k, ops::SliceKeys(ctx, entry.keys, length_, end));
  ops::RoundHeadsInto(ctx, v, ops::SliceKeys(ctx, entry.values, length_, end));
  return {ops::SliceKeys(ctx, entry.keys, 0, end), ops::SliceKeys(ctx, entry.values, 0, end)};
}

void KvCache::Advance(int64_t tokens) {
  TERN_CHECK(tokens >= 0 && length_ + tokens <= options_.capacity);
  length_ += tokens;
}

}  // namespace tern::nn
