// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/base/float16.h"
#include "tern/io/gguf.h"
#include "tern/io/tensor_directory.h"
#include "tern/models/checkpoint.h"
#include "tern/models/gguf_model.h"
#include "tern/models/read_floats.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"
#include "tern/pack/formats/hf_u8.h"

namespace tern {
namespace {

using nn::BitLinear;
using nn::Weight;

bool IsFinite(float value) { return value - value == 0.0f; }

// A model's tensors out of mapped files.
class CheckpointSource final : public WeightSource {
 public:
  CheckpointSource(Context& ctx, const std::string& path, const LoadOptions& options)
      : ctx_(ctx),
        options_(options),
        files_(path),
        bare_(files_.Find("model.embed_tokens.weight") == nullptr &&
              files_.Find("embed_tokens.weight") != nullptr) {}

  // What the tensors say beyond config.json.
  void Complete(ModelConfig* config) {
    const std::string first = "model.layers.0.self_attn.q_proj";
    own_norms_ = Has(first + ".norm.weight");
    if (!config->declares_weights && (own_norms_ || Has(first + ".rms_norm.weight"))) {
      // Only what was trained for int8 has a norm in each projection.
      config->projection_norms = true;
      config->projection_norm_eps = config->rms_norm_eps;
      config->weights = nn::WeightKind::kTernary;
    }
    if (config->embeds && !Has("lm_head.weight")) config->tie_embeddings = true;
    Choose(config);
    config_ = *config;
  }

  Weight Float(const std::string& name, const Shape& shape, ParameterKind kind) override {
    const TensorInfo& info = Find(Stored(name), shape);
    const bool large = kind == ParameterKind::kEmbedding || kind == ParameterKind::kMatrix;
    // What only runs takes large tensors as they are, in half the memory.
    const bool keep_narrow =
        large && !options_.keep_masters && IsNarrow(info) &&
        (options_.float_dtype == DType::kF32 || options_.float_dtype == info.dtype);
    Tensor value = ctx_.Empty(shape, keep_narrow ? *info.dtype : DType::kF32, MemoryTag::kWeights);
    ReadFloats(ctx_, info, value.dtype(), value.raw());
    files_.Release(info.name);
    return Weight(value, options_.float_dtype);
  }

  BitLinear Ternary(const std::string& name, int64_t n, int64_t k, Weight bias) override {
    if (config_.stored != StoredWeights::kFloat) return Packed(Stored(name), n, k, std::move(bias));
    Weight master = Float(name, {n, k}, ParameterKind::kTernaryMaster);
    if (!config_.declares_weights) {
      // Ternary already: the mean of their absolute values is not their scale.
      if (const std::optional<TernaryWeight> found = Found(master.value())) {
        return BitLinear(*found, std::move(bias));
      }
    }
    BitLinear layer(std::move(master), config_.quantizer, std::move(bias));
    if (!options_.keep_masters) layer.Pack(ctx_);
    return layer;
  }

  nn::Projection Plain(const std::string& name, int64_t n, int64_t k, Weight bias) override {
    Weight weight = Float(name, {n, k}, ParameterKind::kMatrix);
    if (!options_.keep_masters && options_.float_dtype == DType::kF32) {
      if (const std::optional<TernaryWeight> found = Found(weight.value())) {
        return nn::Projection(BitLinear(*found, std::move(bias), nn::ActivationKind::kFloat));
      }
    }
    return nn::Projection(nn::Linear(std::move(weight), std::move(bias)));
  }

  // Logs what the files hold and the model did not ask for.
  void ReportUnused() const {
    int64_t count = 0;
    std::string first;
    for (const TensorInfo* tensor : files_.tensors()) {
      // A tied head may be written out, and old files carry their rotary frequencies.
      if (used_.contains(tensor->name) || tensor->name == "lm_head.weight" ||
          tensor->name.ends_with(".inv_freq")) {
        continue;
      }
      if (count++ == 0) first = tensor->name;
    }
    if (count > 0) {
      const std::string more = count > 1 ? fmt::format(" and {} more are", count - 1) : " is";
      ctx_.Log(LogLevel::kWarning, fmt::format("{}: tensor {}{} not part of the model",
                                               files_.path(), Quoted(first), more));
    }
  }

 private:
  // What LoadOptions::weights says about floats of unknown purpose.
  void Choose(ModelConfig* config) const {
    if (options_.weights == FloatWeights::kByFamily) return;
    if (config->declares_weights) {
      Fail(ErrorKind::kInvalidArgument,
           "{}: config.json's quantization_config says what the weights are; they cannot be taken "
           "for anything else",
           files_.path());
    }
    const bool masters = options_.weights == FloatWeights::kMasters;
    config->weights = masters ? nn::WeightKind::kTernary : nn::WeightKind::kF32;
  }

  // The name in the files: models of a body alone leave out "model.", and the norms of projections
  // have two names.
  std::string Stored(std::string name) const {
    if (own_norms_) {
      if (const size_t at = name.find(".rms_norm."); at != std::string::npos) {
        name.replace(at, std::string_view(".rms_norm.").size(), ".norm.");
      }
    }
    constexpr std::string_view kPrefix = "model.";
    return bare_ && name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
  }

  bool Has(const std::string& name) const { return files_.Find(Stored(name)) != nullptr; }

  // The trits of floats [n, k] that are ternary already.
  std::optional<TernaryWeight> Found(const Tensor& weights) {
    const std::optional<TritsAndScales> found = FindTritsIn(ctx_, weights);
    if (!found) return std::nullopt;
    return ops::PackTernary(ctx_, found->trits, found->scales);
  }

  const TensorInfo& Find(const std::string& name, const Shape& shape) {
    const TensorInfo& info = files_.Get(name);
    RequireShape(info, shape.dims());
    used_.insert(name);
    return info;
  }

  BitLinear Packed(const std::string& name, int64_t n, int64_t k, Weight bias) {
    if (n % 4 != 0) {
      Fail(ErrorKind::kInvalidFile, "{}: tensor {} has {} rows; packed ones come in fours",
           files_.path(), Quoted(name), n);
    }
    const Tensor multiplier = Multipliers(name, n, k);
    const TensorInfo& info = Find(name, {n / 4, k});
    const Tensor trits = ctx_.Empty({n, k}, DType::kI8, MemoryTag::kWorkspace);
    ReadTrits(ctx_, info, trits);
    files_.Release(name);
    if (bias.defined() && config_.stored == StoredWeights::kPackedMultiplies) {
      // transformers multiplies the sum with the bias.
      if (multiplier.dim(1) != 1) {
        Fail(ErrorKind::kUnsupported, "{}: tensor {} has a bias beside a scale for each group",
             files_.path(), Quoted(name));
      }
      bias = Weight(ops::Mul(ctx_, bias.Get(ctx_), multiplier.Reshaped({n})), options_.float_dtype);
    }
    return BitLinear(ops::PackTernary(ctx_, trits, multiplier), std::move(bias));
  }

  static void ReadTrits(Context& ctx, const TensorInfo& info, const Tensor& trits) {
    if (RequireDType(info) != DType::kU8) {
      Fail(ErrorKind::kInvalidFile,
           "{}: tensor {} is {}, but config.json's quantization_config says packed weights (U8)",
           info.file, Quoted(info.name), info.type_name);
    }
    const auto* bytes = reinterpret_cast<const uint8_t*>(info.bytes.data());
    constexpr int64_t kGrainBytes = 1 << 16;
    const int64_t n = trits.dim(0), k = trits.dim(1);
    ctx.threads().ParallelFor(
        n / 4, std::max<int64_t>(1, kGrainBytes / k), [&](int64_t begin, int64_t end) {
          const int64_t wrong =
              formats::DecodeHfU8Rows(bytes, n, k, begin, end, trits.data<int8_t>());
          if (wrong >= 0) {
            Fail(ErrorKind::kInvalidFile, "{}: tensor {}: byte {} holds a code that is no trit",
                 info.file, Quoted(info.name), wrong);
          }
        });
  }

  // [n, groups], from one scale, one a row [n] or [n, 1], or one a group [n, groups].
  Tensor Multipliers(const std::string& name, int64_t n, int64_t k) {
    const std::string scale_name = name + "_scale";
    const TensorInfo* info = files_.Find(scale_name);
    if (info == nullptr) {
      Fail(ErrorKind::kInvalidFile,
           "{}: the packed weights {} come without their scale {}; config.json's "
           "quantization_config may be for another checkpoint",
           files_.path(), Quoted(name), Quoted(scale_name));
    }
    used_.insert(scale_name);
    const std::vector<int64_t>& shape = info->shape;
    const int64_t count = info->element_count;
    const bool by_row =
        !shape.empty() && shape[0] == n && shape.size() <= 2 && k % (count / n) == 0;
    if (count != 1 && !by_row) {
      Fail(
          ErrorKind::kInvalidFile,
          "{}: tensor {} is {}; weights [{}, {}] have one scale, or one for each row or for groups "
          "of its columns",
          info->file, Quoted(scale_name), Shape(shape).ToString(), n, k);
    }
    const Tensor scales = ctx_.Empty({count == 1 ? 1 : n, count == 1 ? 1 : count / n}, DType::kF32);
    ReadFloats(ctx_, *info, DType::kF32, scales.data<float>());
    const bool divides = config_.stored == StoredWeights::kPackedDivides;
    for (float& scale : scales.span<float>()) {
      const float multiplier = divides ? 1.0f / scale : scale;
      if (!(scale >= 0.0f) || !IsFinite(multiplier)) {
        Fail(ErrorKind::kInvalidFile, "{}: tensor {} holds {}; a weight scale must be {}",
             info->file, Quoted(scale_name), scale, divides ? "positive" : "at least 0");
      }
      scale = multiplier;
    }
    return count == 1 ? ops::Contiguous(ctx_, scales.Broadcast({n, 1})) : scales;
  }

  Context& ctx_;
  ModelConfig config_;
  const LoadOptions& options_;
  TensorDirectory files_;
  bool bare_;
  bool own_norms_ = false;
  std::set<std::string, std::less<>> used_;
};

}  // namespace

LoadedModel LoadModel(Context& ctx, const std::string& path, const LoadOptions& options) {
  if (IsGgufFile(path)) return LoadGgufModel(ctx, path, options);
  if (!options.i2_s_layout.empty()) {
    Fail(ErrorKind::kInvalidArgument, "{}: a layout of I2_S is for GGUF files, which this is not",
         path);
  }
  ModelConfig config = ReadModelConfig(path + "/config.json");
  config.float_dtype = options.float_dtype;
  const std::string generation_path = path + "/generation_config.json";
  if (std::filesystem::exists(generation_path)) ReadGenerationConfig(generation_path, &config);
  LoadedModel loaded = {.model = nullptr, .tokenizer = {}, .path = path};
  const std::string tokenizer_path = path + "/tokenizer.json";
  if (options.tokenizer && std::filesystem::exists(tokenizer_path)) {
    loaded.tokenizer = Tokenizer::FromFile(tokenizer_path);
    if (loaded.tokenizer->vocab_size() > config.vocab_size) {
      Fail(ErrorKind::kInvalidFile,
           "{}: {} token ids do not fit \"vocab_size\" {} of config.json; it is another model's "
           "tokenizer",
           tokenizer_path, loaded.tokenizer->vocab_size(), config.vocab_size);
    }
  }
  CheckpointSource source(ctx, path, options);
  config.embeds = config.embeds || std::filesystem::exists(path + "/modules.json");
  source.Complete(&config);
  loaded.model = std::make_unique<Model>(config, source);
  source.ReportUnused();
  if (!options.keep_masters) loaded.model->Pack(ctx, options.layout);
  return loaded;
}

}  // namespace tern
