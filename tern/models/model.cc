// SPDX-License-Identifier: MIT
#include "tern/models/model.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/base/random.h"

namespace tern {
namespace {

using nn::BitLinear;
using nn::Linear;
using nn::Projection;
using nn::RmsNorm;
using nn::Weight;
using nn::WeightKind;

constexpr double kInitialDeviation = 0.02;
// A smaller head stays in the cache, where reading half of it saves nothing.
constexpr int64_t kScreenedElements = int64_t{1} << 22;
constexpr const char* kEmbeddingName = "model.embed_tokens.weight";
constexpr const char* kNormName = "model.norm.weight";
constexpr const char* kHeadName = "lm_head.weight";
constexpr const char* kProjectionNorm = ".rms_norm";

std::string BlockName(int64_t layer) { return fmt::format("model.layers.{}.", layer); }

class RandomSource final : public WeightSource {
 public:
  RandomSource(Context& ctx, const ModelConfig& config, uint64_t seed)
      : ctx_(ctx), config_(config), seed_(seed) {}

  Weight Float(const std::string&, const Shape& shape, ParameterKind kind) override {
    const Tensor value = ctx_.Empty(shape, DType::kF32, MemoryTag::kWeights);
    Random random(seed_, ++stream_);
    for (float& element : value.span<float>()) {
      switch (kind) {
        case ParameterKind::kNorm:
          element = 1.0f;
          break;
        case ParameterKind::kBias:
          element = 0.0f;
          break;
        default:
          element = static_cast<float>(kInitialDeviation * random.Normal());
      }
    }
    return Weight(value, config_.float_dtype);
  }

  BitLinear Ternary(const std::string& name, int64_t n, int64_t k, Weight bias) override {
    return BitLinear(Float(name, {n, k}, ParameterKind::kTernaryMaster), config_.quantizer,
                     std::move(bias));
  }

 private:
  Context& ctx_;
  const ModelConfig& config_;
  uint64_t seed_;
  uint64_t stream_ = 0;
};

const ModelFamily& FamilyOf(const ModelConfig& config) {
  return FindModelFamily(config.family, "model configuration");
}

RmsNorm MakeNorm(WeightSource& source, const ModelConfig& config, const std::string& name,
                 int64_t size) {
  return RmsNorm(source.Float(name + ".weight", {size}, ParameterKind::kNorm), config.rms_norm_eps,
                 FamilyOf(config).norms_add_one);
}

// The norm in front of the MLP: behind attention's in Gemma, which has one of that name for itself.
const char* MlpNormName(const ModelFamily& family) {
  return family.post_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
}
constexpr const char* kAttentionPostNormName = "post_attention_layernorm";
constexpr const char* kMlpPostNormName = "post_feedforward_layernorm";

// A projection's name, shape and bias.
struct ProjectionSpec {
  std::string name;
  int64_t n = 0;
  int64_t k = 0;
  bool has_bias = false;
};

Projection MakeProjection(WeightSource& source, const ModelConfig& config,
                          const ProjectionSpec& spec) {
  Weight bias;
  if (spec.has_bias) bias = source.Float(spec.name + ".bias", {spec.n}, ParameterKind::kBias);
  const std::string name = spec.name + ".weight";
  Projection projection = config.weights == WeightKind::kTernary
                              ? Projection(source.Ternary(name, spec.n, spec.k, std::move(bias)))
                              : source.Plain(name, spec.n, spec.k, std::move(bias));
  if (config.projection_norms) {
    const std::string norm = spec.name + kProjectionNorm + ".weight";
    projection.SetNorm(
        RmsNorm(source.Float(norm, {spec.k}, ParameterKind::kNorm), config.projection_norm_eps));
  }
  return projection;
}

nn::Attention MakeAttention(WeightSource& source, const ModelConfig& config, int64_t layer,
                            const std::string& name) {
  const ModelFamily& family = FamilyOf(config);
  const int64_t hidden = config.hidden_size;
  const int64_t q = config.heads * config.head_dim;
  const int64_t kv = config.kv_heads * config.head_dim;
  const auto projection = [&](const char* which, int64_t n, int64_t k) {
    return MakeProjection(source, config, {name + which, n, k, config.attention_bias});
  };
  nn::Attention::Parts parts = {.q = projection("q_proj", q, hidden),
                                .k = projection("k_proj", kv, hidden),
                                .v = projection("v_proj", kv, hidden),
                                .o = projection("o_proj", hidden, q),
                                .sub_norm = {},
                                .q_norm = {},
                                .k_norm = {}};
  if (config.sub_norms) {
    parts.sub_norm = MakeNorm(source, config, name + std::string(family.attention_sub_norm), q);
  }
  if (config.head_norms) {
    parts.q_norm = MakeNorm(source, config, name + "q_norm", config.head_dim);
    parts.k_norm = MakeNorm(source, config, name + "k_norm", config.head_dim);
  }
  nn::AttentionShape shape = {config.heads, config.kv_heads, config.head_dim};
  if (config.query_scalar != 0) {
    shape.scale = 1.0 / std::sqrt(static_cast<double>(config.query_scalar));
  }
  if (config.IsLocal(layer)) shape.window = config.window;
  return nn::Attention(shape, std::move(parts));
}

nn::GatedMlp MakeMlp(WeightSource& source, const ModelConfig& config, const std::string& name) {
  const ModelFamily& family = FamilyOf(config);
  const int64_t hidden = config.hidden_size;
  const int64_t ffn = config.intermediate_size;
  const auto projection = [&](const char* which, int64_t n, int64_t k) {
    return MakeProjection(source, config, {name + which, n, k, config.mlp_bias});
  };
  nn::GatedMlp::Parts parts = {.gate = projection("gate_proj", ffn, hidden),
                               .up = projection("up_proj", ffn, hidden),
                               .down = projection("down_proj", hidden, ffn),
                               .sub_norm = {}};
  if (config.sub_norms) {
    parts.sub_norm = MakeNorm(source, config, name + std::string(family.mlp_sub_norm), ffn);
  }
  return nn::GatedMlp(config.activation, std::move(parts));
}

// Lists tensors by name.
class Lister {
 public:
  Lister(const ModelConfig& config, std::vector<NamedWeight>* list)
      : family_(FamilyOf(config)), list_(list) {}

  void Add(const std::string& name, ParameterKind kind, const Weight& weight) {
    if (weight.defined()) list_->push_back({name, kind, &weight, nullptr});
  }
  void Add(const std::string& name, const RmsNorm& norm) {
    Add(name + ".weight", ParameterKind::kNorm, norm.weight());
  }
  void Add(const std::string& name, const std::optional<RmsNorm>& norm) {
    if (norm) Add(name, *norm);
  }
  void Add(const std::string& name, const Projection& projection) {
    if (const BitLinear* layer = projection.ternary()) {
      list_->push_back({name + ".weight", ParameterKind::kTernaryMaster, nullptr, layer});
      Add(name + ".bias", ParameterKind::kBias, layer->bias());
    } else {
      Add(name + ".weight", ParameterKind::kMatrix, projection.plain()->weight());
      Add(name + ".bias", ParameterKind::kBias, projection.plain()->bias());
    }
    Add(name + kProjectionNorm, projection.norm());
  }
  void Add(const std::string& prefix, const nn::Block& block) {
    const nn::Attention::Parts& attention = block.parts().attention.parts();
    const nn::GatedMlp::Parts& mlp = block.parts().mlp.parts();
    Add(prefix + "input_layernorm", block.parts().input_norm);
    Add(prefix + "self_attn.q_proj", attention.q);
    Add(prefix + "self_attn.k_proj", attention.k);
    Add(prefix + "self_attn.v_proj", attention.v);
    Add(prefix + "self_attn.o_proj", attention.o);
    Add(prefix + "self_attn." + std::string(family_.attention_sub_norm), attention.sub_norm);
    Add(prefix + "self_attn.q_norm", attention.q_norm);
    Add(prefix + "self_attn.k_norm", attention.k_norm);
    Add(prefix + kAttentionPostNormName, block.parts().attention_post_norm);
    Add(prefix + MlpNormName(family_), block.parts().mlp_norm);
    Add(prefix + "mlp.gate_proj", mlp.gate);
    Add(prefix + "mlp.up_proj", mlp.up);
    Add(prefix + "mlp.down_proj", mlp.down);
    Add(prefix + "mlp." + std::string(family_.mlp_sub_norm), mlp.sub_norm);
    Add(prefix + kMlpPostNormName, block.parts().mlp_post_norm);
  }

 private:
  const ModelFamily& family_;
  std::vector<NamedWeight>* list_;
};

}  // namespace

std::unique_ptr<Model> Model::Create(Context& ctx, const ModelConfig& config, uint64_t seed) {
  CheckModelConfig(config, "model configuration");
  RandomSource source(ctx, config, seed);
  return std::make_unique<Model>(config, source);
}

Model::Model(const ModelConfig& config, WeightSource& source)
    : config_(config),
      family_(FamilyOf(config)),
      embedding_(source.Float(kEmbeddingName, {config.vocab_size, config.hidden_size},
                              ParameterKind::kEmbedding)),
      blocks_([&] {
        std::vector<nn::Block> blocks;
        for (int64_t i = 0; i < config.layers; ++i) blocks.push_back(MakeBlock(i, source));
        return blocks;
      }()),
      norm_(MakeNorm(source, config, "model.norm", config.hidden_size)) {
  if (!config.tie_embeddings) {
    head_.emplace(
        source.Float(kHeadName, {config.vocab_size, config.hidden_size}, ParameterKind::kMatrix));
  }
}

nn::Block Model::MakeBlock(int64_t layer, WeightSource& source) const {
  const std::string name = BlockName(layer);
  const int64_t hidden = config_.hidden_size;
  RmsNorm input_norm = MakeNorm(source, config_, name + "input_layernorm", hidden);
  nn::Attention attention = MakeAttention(source, config_, layer, name + "self_attn.");
  const auto post_norm = [&](const char* which) -> std::optional<RmsNorm> {
    if (!family_.post_norms) return std::nullopt;
    return MakeNorm(source, config_, name + which, hidden);
  };
  std::optional<RmsNorm> attention_post_norm = post_norm(kAttentionPostNormName);
  RmsNorm mlp_norm = MakeNorm(source, config_, name + MlpNormName(family_), hidden);
  nn::GatedMlp mlp = MakeMlp(source, config_, name + "mlp.");
  return nn::Block({.input_norm = std::move(input_norm),
                    .attention = std::move(attention),
                    .mlp_norm = std::move(mlp_norm),
                    .mlp = std::move(mlp),
                    .attention_post_norm = std::move(attention_post_norm),
                    .mlp_post_norm = post_norm(kMlpPostNormName)});
}

bool Model::has_masters() const {
  for (const NamedWeight& named : NamedWeights()) {
    if (named.ternary != nullptr && named.ternary->has_master()) return true;
  }
  return false;
}

std::vector<NamedWeight> Model::NamedWeights() const {
  std::vector<NamedWeight> list;
  Lister lister(config_, &list);
  lister.Add(kEmbeddingName, ParameterKind::kEmbedding, embedding_.table());
  for (size_t i = 0; i < blocks_.size(); ++i) {
    lister.Add(BlockName(static_cast<int64_t>(i)), blocks_[i]);
  }
  lister.Add(kNormName, ParameterKind::kNorm, norm_.weight());
  if (head_) lister.Add(kHeadName, ParameterKind::kMatrix, head_->weight());
  return list;
}

std::vector<Parameter> Model::Parameters() {
  std::vector<Parameter> parameters;
  for (const NamedWeight& named : NamedWeights()) {
    const Weight& weight = named.ternary != nullptr ? named.ternary->master() : *named.weight;
    if (!weight.defined() || weight.value().dtype() != DType::kF32) continue;
    // The model is not const here, only the list's view of it.
    parameters.push_back({named.name, named.kind, const_cast<Weight&>(weight).mutable_value()});
  }
  return parameters;
}

void Model::Pack(Context& ctx, std::optional<TernaryLayout> layout) {
  if (!layout) {
    int64_t weights = 0;
    for (const NamedWeight& named : NamedWeights()) {
      if (named.ternary != nullptr) weights += named.ternary->elements();
    }
    layout = static_cast<TernaryLayout>(ctx.default_backend().FastestTernaryLayout(weights));
  }
  embedding_.Freeze(ctx);
  for (nn::Block& block : blocks_) block.Pack(ctx, *layout);
  norm_.Freeze(ctx);
  if (head_) head_->Freeze(ctx);
  const Tensor& head = head_ ? head_->weight().value() : embedding_.table().value();
  if (!config_.embeds && head.elements() >= kScreenedElements) {
    screen_ = ops::PackScreen(ctx, head);
  }
}

KvCache Model::MakeCache(Context& ctx, int64_t capacity, DType dtype, int64_t batch) const {
  return KvCache(ctx, {.layers = config_.layers,
                       .kv_heads = config_.kv_heads,
                       .head_dim = config_.head_dim,
                       .capacity = capacity,
                       .dtype = dtype,
                       .batch = batch});
}

void Model::CheckLength(const Tensor& ids, const ForwardOptions& options) const {
  if (ids.rank() != 2 || ids.dtype() != DType::kI32 || ids.elements() == 0) {
    Fail(ErrorKind::kInvalidArgument, "token ids are {}{}; they must be i32 [batch, tokens]",
         DTypeName(ids.dtype()), ids.shape().ToString());
  }
  const int64_t tokens = ids.dim(1);
  const int64_t start = options.cache != nullptr ? options.cache->length() : 0;
  if (start + tokens > config_.max_positions) {
    Fail(ErrorKind::kInvalidArgument,
         "the model's context of {} is too small for {} more behind {}", config_.max_positions,
         tokens, start);
  }
  if (options.cache != nullptr && start + tokens > options.cache->capacity()) {
    Fail(ErrorKind::kInvalidArgument,
         "the cache's capacity of {} is too small for {} more behind {}; make a larger one",
         options.cache->capacity(), tokens, start);
  }
  if (options.cache != nullptr &&
      (options.cache->batch() != ids.dim(0) || options.cache->layers() != config_.layers)) {
    Fail(ErrorKind::kInvalidArgument,
         "a cache for {} sequences and {} layers; needed are {} and {}", options.cache->batch(),
         options.cache->layers(), ids.dim(0), config_.layers);
  }
  if (options.last < 0 || options.last > tokens) {
    Fail(ErrorKind::kInvalidArgument, "the last {} of {} positions are asked for", options.last,
         tokens);
  }
}

namespace {

// Of the positions of one pass alone: a table of all that a model may take is as long as its
// configuration says, and would be made before anyone knows how many are needed.
struct Angles {
  Angles(Context& ctx, const ModelConfig& config, int64_t start, int64_t tokens) {
    const Tensor positions = ctx.Empty({tokens}, DType::kI32, MemoryTag::kWorkspace);
    for (int64_t i = 0; i < tokens; ++i) {
      positions.data<int32_t>()[i] = static_cast<int32_t>(start + i);
    }
    all = ops::MakeRopeTable(ctx, positions, config.head_dim, config.rope_theta);
    if (config.local_rope_theta == 0) return;
    local = ops::MakeRopeTable(ctx, positions, config.head_dim, config.local_rope_theta);
  }

  ops::RopeTable all;
  ops::RopeTable local;  // undefined: all layers turn alike
};

}  // namespace

Tensor Model::Hidden(Context& ctx, const Tensor& ids, const ForwardOptions& options) const {
  CheckLength(ids, options);
  KvCache* cache = options.cache;
  nn::Pass pass = {.batch = ids.dim(0),
                   .tokens = ids.dim(1),
                   .start = cache != nullptr ? cache->length() : 0,
                   .rows = ctx.Empty({ids.elements()}, DType::kI32),
                   .rope = nullptr,
                   .local_rope = nullptr,
                   .cache = cache,
                   .kv_dtype = options.kv_dtype};
  const Angles angles(ctx, config_, pass.start, pass.tokens);
  pass.rope = &angles.all;
  if (config_.local_rope_theta != 0) pass.local_rope = &angles.local;
  int32_t* rows = pass.rows.data<int32_t>();
  for (int64_t i = 0; i < ids.elements(); ++i) rows[i] = static_cast<int32_t>(i % pass.tokens);

  const int64_t hidden = config_.hidden_size;
  Tensor x = ops::Reshape(ctx, embedding_.Forward(ctx, ids), {ids.elements(), hidden});
  if (family_.scales_embeddings) {
    x = ops::MulScalar(ctx, x, std::sqrt(static_cast<double>(hidden)));
  }
  for (size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i].Forward(ctx, x, pass, static_cast<int64_t>(i));
  }
  if (cache != nullptr) cache->Advance(pass.tokens);

  const int64_t last = options.last == 0 ? pass.tokens : options.last;
  if (last != pass.tokens) {
    x = ops::Reshape(ctx, x, {pass.batch, pass.tokens, hidden});
    x = ops::Slice(ctx, x, 1, pass.tokens - last, pass.tokens);
    x = ops::Reshape(ctx, x, {pass.batch * last, hidden});
  }
  return ops::Reshape(ctx, norm_.Forward(ctx, x), {pass.batch, last, hidden});
}

Tensor Model::Forward(Context& ctx, const Tensor& ids, const ForwardOptions& options) const {
  const Tensor hidden = Hidden(ctx, ids, options);
  const int64_t batch = hidden.dim(0), last = hidden.dim(1);
  const Tensor x = ops::Reshape(ctx, hidden, {batch * last, config_.hidden_size});
  return ops::Reshape(ctx, Logits(ctx, x, options.top), {batch, last, config_.vocab_size});
}

Tensor Model::Logits(Context& ctx, const Tensor& x, int64_t top) const {
  if (top > 0 && screen_ && x.dim(0) == 1) {
    const Tensor& head = head_ ? head_->weight().value() : embedding_.table().value();
    return ops::ScreenedLinear(ctx, x, head, *screen_, top);
  }
  return head_ ? head_->Forward(ctx, x) : ops::Linear(ctx, x, embedding_.table().Get(ctx));
}

}  // namespace tern
