// SPDX-License-Identifier: MIT
// Model: a causal language model of the families in models.inc. One class serves training and
// running: with masters each forward pass quantizes them anew and records itself on the tape that
// watches them; packed it holds trits alone. The logits are the same bits either way, on every CPU
// target, with any number of threads, any split into batches, with and without a cache.
//
// Forward() is const and may be called by any number of threads at a time, each with its own cache.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/models/config.h"
#include "tern/models/weight_source.h"
#include "tern/nn/block.h"
#include "tern/nn/embedding.h"
#include "tern/nn/kv_cache.h"
#include "tern/nn/norm.h"
#include "tern/nn/parameter.h"
#include "tern/ops/ops.h"
#include "tern/pack/ternary_layout.h"

namespace tern {

using nn::KvCache;
using nn::Parameter;
using nn::ParameterKind;

struct ForwardOptions {
  KvCache* cache = nullptr;  // positions go on at its length; it grows by the tokens
  int64_t last = 0;          // logits of the last positions alone; 0: of all
  // 0: all logits. Else those that may be among the `top` largest of a lone last position are
  // exact, and others may be -infinity: a large head is then read in 8 bits for the most part.
  int64_t top = 0;
  DType kv_dtype = DType::kF32;  // without a cache: what keys and values are rounded to
};

// One tensor of a model as its checkpoint names it. Exactly one of the two is there.
struct NamedWeight {
  std::string name;
  ParameterKind kind;
  const nn::Weight* weight = nullptr;
  const nn::BitLinear* ternary = nullptr;  // the matrix; its bias comes separately
};

class Model {
 public:
  // Fresh masters: matrices and embeddings from N(0, 0.02^2), norms 1, biases 0, each tensor from a
  // random stream of its own.
  static std::unique_ptr<Model> Create(Context& ctx, const ModelConfig& config, uint64_t seed);
  // Asks the source for every tensor, in the order of NamedWeights().
  Model(const ModelConfig& config, WeightSource& source);

  const ModelConfig& config() const { return config_; }

  // Whether some projection is still made from a master.
  bool has_masters() const;
  // What a tape can watch: masters and the other f32 tensors. Once packed, the latter alone.
  std::vector<Parameter> Parameters();
  // Every tensor, embeddings first, then block by block, final norm, head.
  std::vector<NamedWeight> NamedWeights() const;

  // Of a packed model with a large head: what ForwardOptions::top makes use of.
  const std::optional<ops::Screen>& screen() const { return screen_; }

  // Quantizes the masters once and lets them go, and rounds floats to config().float_dtype: the
  // model then only runs, on a fraction of the memory. No tape may watch its parameters. Without a
  // layout of the trits, it is the one that the backend runs fastest; logits are the same bits.
  void Pack(Context& ctx, std::optional<TernaryLayout> layout = {});

  // ids i32 [batch, tokens] -> logits f32 [batch, last or tokens, vocab]. An Error for ids outside
  // the vocabulary and for more positions than config().max_positions or the cache's capacity.
  Tensor Forward(Context& ctx, const Tensor& ids, const ForwardOptions& options = {}) const;

  // The states that the head takes, behind the last norm: [batch, last or tokens, hidden].
  Tensor Hidden(Context& ctx, const Tensor& ids, const ForwardOptions& options = {}) const;

  KvCache MakeCache(Context& ctx, int64_t capacity, DType dtype = DType::kF32,
                    int64_t batch = 1) const;

 private:
  nn::Block MakeBlock(int64_t layer, WeightSource& source) const;
  Tensor Logits(Context& ctx, const Tensor& x, int64_t top) const;
  void CheckLength(const Tensor& ids, const ForwardOptions& options) const;

  ModelConfig config_;
  const ModelFamily& family_;
  nn::Embedding embedding_;
  std::vector<nn::Block> blocks_;
  nn::RmsNorm norm_;
  std::optional<nn::Linear> head_;     // none: tied to the embedding
  std::optional<ops::Screen> screen_;  // of a packed model's head that is large
};

}  // namespace tern
