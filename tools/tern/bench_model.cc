// SPDX-License-Identifier: MIT
#include "tools/tern/bench_model.h"

#include <algorithm>
#include <array>

#include "tern/base/check.h"
#include "tern/base/float16.h"
#include "tern/base/random.h"
#include "tern/models/weight_source.h"
#include "tern/ops/transformer.h"
#include "tools/tern/load.h"

namespace tern::cli {
namespace {

struct NamedShape {
  const char* name;
  int64_t vocab_size, hidden_size, intermediate_size, layers, heads, kv_heads, head_dim;
};

constexpr std::array<NamedShape, 3> kShapes = {{
    {"bitnet-2b-4t", 128256, 2560, 6912, 30, 20, 5, 128},
    {"small", 32000, 768, 2048, 12, 12, 12, 64},
    {"tiny", 512, 256, 512, 2, 4, 2, 64},
}};

// A fast generator (xorshift64*, Vigna 2016) for billions of numbers that need no quality.
class FastRandom {
 public:
  explicit FastRandom(uint64_t seed) : state_(Random(seed).NextU64() | 1) {}

  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DU;
  }

 private:
  uint64_t state_;
};

class RandomPacked final : public WeightSource {
 public:
  explicit RandomPacked(Context& ctx) : ctx_(ctx) {}

  nn::Weight Float(const std::string&, const Shape& shape, nn::ParameterKind kind) override {
    FastRandom random(++tensors_);
    if (kind == nn::ParameterKind::kNorm || kind == nn::ParameterKind::kBias) {
      const Tensor value = ctx_.Empty(shape, DType::kF32, MemoryTag::kWeights);
      std::ranges::fill(value.span<float>(), kind == nn::ParameterKind::kNorm ? 1.0f : 0.0f);
      return nn::Weight(value);
    }
    const Tensor value = ctx_.Empty(shape, DType::kBF16, MemoryTag::kWeights);
    constexpr float kStep = 0.035f / (1 << 25);  // of a uniform distribution of deviation 0.02
    auto* elements = static_cast<BF16*>(value.raw());
    for (int64_t i = 0; i < value.elements(); ++i) {
      const auto word = static_cast<int32_t>(random.Next() >> 32);
      elements[i] = RoundToBF16(static_cast<float>(word >> 6) * kStep);
    }
    return nn::Weight(value);
  }

  nn::BitLinear Ternary(const std::string&, int64_t n, int64_t k, nn::Weight bias) override {
    FastRandom random(++tensors_);
    const Tensor trits = ctx_.Empty({n, k}, DType::kI8, MemoryTag::kWorkspace);
    const std::span<int8_t> values = trits.span<int8_t>();
    for (size_t i = 0; i < values.size(); i += 8) {
      const uint64_t word = random.Next();
      for (size_t j = i; j < std::min(i + 8, values.size()); ++j) {
        const uint64_t byte = word >> (8 * (j - i)) & 0xFF;
        values[j] = static_cast<int8_t>((byte * 3 >> 8) - 1);
      }
    }
    return nn::BitLinear(ops::PackTernary(ctx_, trits, 0.02f), std::move(bias));
  }

 private:
  Context& ctx_;
  uint64_t tensors_ = 0;
};

bool IsHead(const NamedWeight& named, const Model& model) {
  return model.config().tie_embeddings ? named.kind == nn::ParameterKind::kEmbedding
                                       : named.name == "lm_head.weight";
}

}  // namespace

std::vector<std::string> ShapeNames() {
  std::vector<std::string> names;
  names.reserve(kShapes.size());
  for (const NamedShape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

ModelConfig ShapeConfig(std::string_view name) {
  const auto shape = std::ranges::find(kShapes, name, &NamedShape::name);
  TERN_CHECK(shape != kShapes.end());
  ModelConfig config;
  config.vocab_size = shape->vocab_size;
  config.hidden_size = shape->hidden_size;
  config.intermediate_size = shape->intermediate_size;
  config.layers = shape->layers;
  config.heads = shape->heads;
  config.kv_heads = shape->kv_heads;
  config.head_dim = shape->head_dim;
  config.max_positions = 8192;
  return config;
}

std::unique_ptr<Model> MakeRandomModel(Context& ctx, const ModelConfig& config,
                                       std::optional<TernaryLayout> layout) {
  RandomPacked source(ctx);
  auto model = std::make_unique<Model>(config, source);
  model->Pack(ctx, layout);
  return model;
}

TokenWork MeasureTokenWork(Context& ctx, const Model& model, bool all_logits) {
  TokenWork work;
  const bool screened = model.screen() && !all_logits;
  if (screened) {
    work.other_bytes +=
        static_cast<int64_t>(model.screen()->codes.bytes() + model.screen()->rows.bytes());
  }
  for (const NamedWeight& named : model.NamedWeights()) {
    if (named.ternary != nullptr) {
      const TernaryWeight weight = named.ternary->Ternary(ctx);
      work.layout = LayoutName(static_cast<TernaryLayout>(weight.attrs.layout));
      work.ternary_bytes += static_cast<int64_t>(weight.panels.bytes());
      work.ternary_products += weight.attrs.n * weight.attrs.k;
    } else if (IsHead(named, model) ? !screened : named.kind != nn::ParameterKind::kEmbedding) {
      work.other_bytes += static_cast<int64_t>(named.weight->value().bytes());
    }
  }
  return work;
}

}  // namespace tern::cli
