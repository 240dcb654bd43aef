// SPDX-License-Identifier: MIT
// The transformer block of BitNet, Llama and their relatives: norm, grouped-query attention with
// rotary positions, residual; norm, gated MLP, residual. BitNet has a sub-norm more in front of
// o_proj and of down_proj, Qwen3 a norm of each head's queries and keys, Gemma that and one more
// behind attention and MLP. Modules are const to run: any number of threads may, each with its own
// cache.
//
// Rows are [batch * tokens, ...], batch-major, throughout.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/nn/kv_cache.h"
#include "tern/nn/linear.h"
#include "tern/nn/norm.h"
#include "tern/ops/transformer.h"

namespace tern::nn {

// What one forward pass shares over its blocks.
struct Pass {
  int64_t batch = 1;
  int64_t tokens = 0;
  int64_t start = 0;                           // position of the first token
  Tensor rows;                                 // i32 [batch * tokens]: of the tables
  const ops::RopeTable* rope = nullptr;        // a row for each of the tokens' positions
  const ops::RopeTable* local_rope = nullptr;  // of layers with a window, where they have their own
  KvCache* cache = nullptr;                    // none: the pass sees its own tokens alone
  DType kv_dtype = DType::kF32;  // to which keys and values are rounded; the cache's, if any
};

struct AttentionShape {
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  double scale = 0;    // of the dot products; 0: 1 / sqrt(head_dim)
  int64_t window = 0;  // keys that a query sees, its own included; 0: all before it
};

class Attention {
 public:
  struct Parts {
    Projection q, k, v, o;
    std::optional<RmsNorm> sub_norm;
    std::optional<RmsNorm> q_norm, k_norm;  // [head_dim], in front of the rotation
  };
  Attention(AttentionShape shape, Parts parts);

  // x: the normed input of q, k and v -> [rows, hidden]
  Tensor Forward(Context& ctx, const Features& x, const Pass& pass, int64_t layer) const;

  const Parts& parts() const { return parts_; }
  void Pack(Context& ctx, TernaryLayout layout);

 private:
  Tensor Mix(Context& ctx, const Tensor& q, const KvCache::Entry& seen, int64_t start) const;

  AttentionShape shape_;
  Parts parts_;
};

class GatedMlp {
 public:
  struct Parts {
    Projection gate, up, down;
    std::optional<RmsNorm> sub_norm;
  };
  GatedMlp(Activation activation, Parts parts);

  // x: the normed input of gate and up -> [rows, hidden]
  Tensor Forward(Context& ctx, const Features& x) const;

  const Parts& parts() const { return parts_; }
  void Pack(Context& ctx, TernaryLayout layout);

 private:
  Activation activation_;
  Parts parts_;
};

class Block {
 public:
  struct Parts {
    RmsNorm input_norm;
    Attention attention;
    RmsNorm mlp_norm;
    GatedMlp mlp;
    std::optional<RmsNorm> attention_post_norm, mlp_post_norm;  // in front of the residual sums
  };
  explicit Block(Parts parts) : parts_(std::move(parts)) {}

  Tensor Forward(Context& ctx, const Tensor& x, const Pass& pass, int64_t layer) const;

  const Parts& parts() const { return parts_; }
  void Pack(Context& ctx, TernaryLayout layout);

 private:
  Parts parts_;
};

}  // namespace tern::nn
