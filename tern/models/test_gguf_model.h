// SPDX-License-Identifier: MIT
// For tests: models as GGUF files that are put together byte by byte, as other programs write them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tern/io/test_files.h"
#include "tern/io/test_gguf.h"
#include "tern/models/checkpoint.h"
#include "tern/models/gguf_names.h"
#include "tern/models/test_model.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"

namespace tern {

using testing::Bytes;
using testing::ExpectError;
using testing::GgufImage;

inline ModelConfig WideConfig(const std::string& family) {
  ModelConfig config = SmallConfig();
  config.family = family;
  config.hidden_size = 256;
  config.intermediate_size = 512;
  config.layers = 1;
  config.head_dim = 64;
  config.sub_norms = family == "bitnet";
  config.activation = family == "bitnet" ? Activation::kRelu2 : Activation::kSilu;
  config.rope_theta = 1000042.0;
  config.max_positions = 32;
  return config;
}

// A packed model whose scales are 0.75, 1.5, 2.25 ...: f16 holds them. Gemma's norms are about 0.
inline std::unique_ptr<Model> MakeModel(Context& ctx, const ModelConfig& config) {
  auto model = Model::Create(ctx, config, 5);
  Enliven(*model, 6);
  for (const Parameter& parameter : model->Parameters()) {
    if (config.family != "gemma3_text" || parameter.kind != ParameterKind::kNorm) continue;
    for (float& value : parameter.value->span<float>()) value -= 1.25f;
  }
  model->Pack(ctx);
  float scale = 0;
  for (const NamedWeight& named : model->NamedWeights()) {
    if (named.ternary == nullptr) continue;
    const TernaryWeight packed = named.ternary->Ternary(ctx);
    packed.multiplier.data<float>()[0] = scale += 0.75f;
  }
  return model;
}

struct Matrix {
  std::vector<int8_t> trits;
  int64_t n, k;
  float scale;
};
// A ternary tensor's bytes.
using Encoder = std::function<std::string(const Matrix&)>;

// Puts the code of each element where place(row * k + column) says: byte and shift.
inline std::string TwoBits(const Matrix& m, size_t bytes,
                           const std::function<std::pair<size_t, int>(int64_t)>& place) {
  std::string codes(bytes, '\0');
  for (int64_t i = 0; i < m.n * m.k; ++i) {
    const auto [byte, shift] = place(i);
    codes[byte] = static_cast<char>(codes[byte] | (m.trits[i] + 1) << shift);
  }
  return codes;
}

inline std::string Tail(float scale) { return Bytes(scale) + std::string(28, '\x5a'); }

inline std::string EncodeI2S(const Matrix& m) {
  return TwoBits(m, m.n * m.k / 4,
                 [](int64_t i) {
                   return std::pair<size_t, int>(i / 128 * 32 + i % 32, 6 - i % 128 / 32 * 2);
                 }) +
         Tail(m.scale);
}

inline void AddConfig(const ModelConfig& config, const std::string& arch, GgufImage* image) {
  const auto add = [&](const char* key, int64_t value) {
    image->U32(arch + "." + key, static_cast<uint32_t>(value));
  };
  image->String("general.architecture", arch);
  add("context_length", config.max_positions);
  add("embedding_length", config.hidden_size);
  add("block_count", config.layers);
  add("feed_forward_length", config.intermediate_size);
  add("attention.head_count", config.heads);
  add("attention.head_count_kv", config.kv_heads);
  image->F32(arch + ".rope.freq_base", static_cast<float>(config.rope_theta));
  image->F32(arch + ".attention.layer_norm_rms_epsilon", static_cast<float>(config.rms_norm_eps));
}

// The model as a GGUF image, ternary tensors of the type with the encoder.
inline GgufImage ImageOf(Context& ctx, const Model& model, const std::string& arch, uint32_t type,
                         const Encoder& encode) {
  GgufImage image;
  AddConfig(model.config(), arch, &image);
  for (const NamedWeight& named : model.NamedWeights()) {
    const std::string name =
        GgufTensorName(FindModelFamily(model.config().family, "test"), named.name);
    if (named.ternary != nullptr) {
      const TernaryWeight packed = named.ternary->Ternary(ctx);
      const Tensor trits = ops::UnpackTernary(ctx, packed);
      const std::span<const int8_t> values = trits.span<int8_t>();
      const Matrix matrix = {{values.begin(), values.end()},
                             packed.attrs.n,
                             packed.attrs.k,
                             packed.multiplier.item<float>()};
      image.Tensor(name,
                   {static_cast<uint64_t>(packed.attrs.k), static_cast<uint64_t>(packed.attrs.n)},
                   type, encode(matrix));
      continue;
    }
    const Tensor value = named.weight->Get(ctx);
    std::vector<float> floats(value.span<float>().begin(), value.span<float>().end());
    // bitnet.cpp's and llama.cpp's converters write Gemma's norms as 1 + weight, but not those in
    // front of projections.
    const bool shifted = model.config().family == "gemma3_text" &&
                         named.kind == ParameterKind::kNorm && !name.ends_with("_in.weight");
    for (float& element : floats) element += shifted ? 1.0f : 0.0f;
    const std::string bytes(reinterpret_cast<const char*>(floats.data()), value.bytes());
    if (value.rank() == 1) {
      image.Tensor(name, {static_cast<uint64_t>(value.dim(0))}, 0, bytes);
    } else {
      image.Tensor(name, {static_cast<uint64_t>(value.dim(1)), static_cast<uint64_t>(value.dim(0))},
                   0, bytes);
    }
  }
  return image;
}

class GgufModelTest : public ::testing::Test {
 protected:
  std::string Write(const GgufImage& image) { return directory_.Write("m.gguf", image.Image()); }

  std::vector<float> LogitsOf(const std::string& path, const LoadOptions& options = {}) {
    const LoadedModel loaded = LoadModel(*ctx_, path, options);
    return Logits(*ctx_, *loaded.model, 1, ids_);
  }

  TestDirectory directory_{TestDirectory::FastParent()};
  std::unique_ptr<Context> ctx_ = CpuContext();
  std::vector<int32_t> ids_ = RandomIds(8, 97, 1);
};

}  // namespace tern
