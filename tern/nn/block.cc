// SPDX-License-Identifier: MIT
#include "tern/nn/block.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "tern/base/check.h"
#include "tern/ops/ops.h"

namespace tern::nn {
namespace {

// The rows of x [rows, k], normed if there is a norm, as `next` and its like take them.
Features PrepareFor(Context& ctx, const Projection& next, const std::optional<RmsNorm>& norm,
                    const Tensor& x) {
  return norm ? norm->Prepare(ctx, x, next.takes()) : next.Prepare(ctx, x);
}

Tensor Normed(Context& ctx, const std::optional<RmsNorm>& norm, const Tensor& x) {
  return norm ? norm->Forward(ctx, x) : x;
}

void PackNorm(Context& ctx, std::optional<RmsNorm>& norm) {
  if (norm) norm->Freeze(ctx);
}

}  // namespace

Attention::Attention(AttentionShape shape, Parts parts) : shape_(shape), parts_(std::move(parts)) {
  TERN_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 && shape.head_dim % 2 == 0);
}

// Queries at positions from `start` on. With a window, those that have more keys behind them than
// it holds are taken one by one, so that each sees exactly the same keys in any batch.
Tensor Attention::Mix(Context& ctx, const Tensor& q, const KvCache::Entry& seen,
                      int64_t start) const {
  const double usual = 1.0 / std::sqrt(static_cast<double>(shape_.head_dim));
  const float scale = static_cast<float>(shape_.scale != 0 ? shape_.scale : usual);
  const int64_t tokens = q.dim(1);
  if (shape_.window == 0 || start + tokens <= shape_.window) {
    return ops::Attention(ctx, q, seen.keys, seen.values, scale, start);
  }
  const auto one = [&](int64_t i) {
    const int64_t end = start + i + 1;
    const ops::HeadRows keys = ops::SliceKeys(ctx, seen.keys, end - shape_.window, end);
    const ops::HeadRows values = ops::SliceKeys(ctx, seen.values, end - shape_.window, end);
    return ops::Attention(ctx, ops::Slice(ctx, q, 1, i, i + 1), keys, values, scale,
                          shape_.window - 1);
  };
  if (tokens == 1) return one(0);
  PoolVector<Tensor> parts({&ctx.pool(), MemoryTag::kWorkspace});
  const int64_t whole = std::max<int64_t>(0, shape_.window - start);
  if (whole > 0) {
    parts.push_back(
        ops::Attention(ctx, ops::Slice(ctx, q, 1, 0, whole), seen.keys, seen.values, scale, start));
  }
  for (int64_t i = whole; i < tokens; ++i) parts.push_back(one(i));
  return ops::Concat(ctx, parts, 1);
}

Tensor Attention::Forward(Context& ctx, const Features& x, const Pass& pass, int64_t layer) const {
  const int64_t rows = pass.batch * pass.tokens;
  const int64_t head_dim = shape_.head_dim;
  const Shape by_token = {rows, shape_.heads, head_dim};
  const Shape kv_by_token = {rows, shape_.kv_heads, head_dim};
  const Shape by_batch = {pass.batch, pass.tokens, shape_.heads, head_dim};
  const Shape kv_by_batch = {pass.batch, pass.tokens, shape_.kv_heads, head_dim};
  const auto rotate = [&](const Tensor& heads) {
    const bool local = shape_.window != 0 && pass.local_rope != nullptr;
    const ops::RopeTable& table = local ? *pass.local_rope : *pass.rope;
    return ops::Rope(ctx, heads, table.cos, table.sin, pass.rows);
  };

  std::array<Tensor, 3> qkv;
  Projection::Forward(ctx, std::array{&parts_.q, &parts_.k, &parts_.v}, x, qkv);
  Tensor q = Normed(ctx, parts_.q_norm, ops::Reshape(ctx, qkv[0], by_token));
  Tensor k = Normed(ctx, parts_.k_norm, ops::Reshape(ctx, qkv[1], kv_by_token));
  q = ops::Reshape(ctx, rotate(q), by_batch);
  k = ops::Reshape(ctx, rotate(k), kv_by_batch);
  const Tensor v = ops::Reshape(ctx, qkv[2], kv_by_batch);
  const KvCache::Entry seen = pass.cache != nullptr
                                  ? pass.cache->Append(ctx, layer, k, v)
                                  : KvCache::Entry{ops::RoundHeads(ctx, k, pass.kv_dtype),
                                                   ops::RoundHeads(ctx, v, pass.kv_dtype)};
  const Tensor flat =
      ops::Reshape(ctx, Mix(ctx, q, seen, pass.start), {rows, shape_.heads * head_dim});
  return parts_.o.Forward(ctx, PrepareFor(ctx, parts_.o, parts_.sub_norm, flat));
}

void Attention::Pack(Context& ctx, TernaryLayout layout) {
  for (Projection* projection : {&parts_.q, &parts_.k, &parts_.v, &parts_.o})
    projection->Pack(ctx, layout);
  PackNorm(ctx, parts_.sub_norm);
  PackNorm(ctx, parts_.q_norm);
  PackNorm(ctx, parts_.k_norm);
}

GatedMlp::GatedMlp(Activation activation, Parts parts)
    : activation_(activation), parts_(std::move(parts)) {}

Tensor GatedMlp::Forward(Context& ctx, const Features& x) const {
  std::array<Tensor, 2> both;
  Projection::Forward(ctx, std::array{&parts_.gate, &parts_.up}, x, both);
  const Tensor inner = ops::GatedMlp(ctx, both[0], both[1], activation_);
  return parts_.down.Forward(ctx, PrepareFor(ctx, parts_.down, parts_.sub_norm, inner));
}

void GatedMlp::Pack(Context& ctx, TernaryLayout layout) {
  for (Projection* projection : {&parts_.gate, &parts_.up, &parts_.down})
    projection->Pack(ctx, layout);
  PackNorm(ctx, parts_.sub_norm);
}

Tensor Block::Forward(Context& ctx, const Tensor& x, const Pass& pass, int64_t layer) const {
  const Features read = parts_.input_norm.Prepare(ctx, x, parts_.attention.parts().q.takes());
  const Tensor attended = parts_.attention.Forward(ctx, read, pass, layer);
  const Tensor sum = ops::Add(ctx, x, Normed(ctx, parts_.attention_post_norm, attended));
  const Features mixed = parts_.mlp_norm.Prepare(ctx, sum, parts_.mlp.parts().gate.takes());
  return ops::Add(ctx, sum, Normed(ctx, parts_.mlp_post_norm, parts_.mlp.Forward(ctx, mixed)));
}

void Block::Pack(Context& ctx, TernaryLayout layout) {
  parts_.input_norm.Freeze(ctx);
  parts_.attention.Pack(ctx, layout);
  parts_.mlp_norm.Freeze(ctx);
  parts_.mlp.Pack(ctx, layout);
  PackNorm(ctx, parts_.attention_post_norm);
  PackNorm(ctx, parts_.mlp_post_norm);
}

}  // namespace tern::nn
