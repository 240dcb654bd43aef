// SPDX-License-Identifier: MIT
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/base/float16.h"
#include "tern/io/tensor_directory.h"
#include "tern/models/checkpoint.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"
#include "tern/pack/formats/hf_u8.h"

namespace tern {
namespace {

using nn::BitLinear;
using nn::Weight;

bool IsFinite(float value) { return value - value == 0.0f; }

float ToF32(float value) { return value; }

bool IsNarrow(const TensorInfo& info) {
  return info.dtype == DType::kBF16 || info.dtype == DType::kF16;
}

// Calls take(index, value) with every element of a float tensor, as it is stored and in order. The
// first that is not finite is an Error.
template <typename Stored, typename Take>
void ForEachElement(const TensorInfo& info, const Take& take) {
  const std::byte* bytes = info.bytes.data();
  for (int64_t i = 0; i < info.element_count; ++i, bytes += sizeof(Stored)) {
    Stored stored;  // the file aligns nothing
    std::memcpy(&stored, bytes, sizeof(stored));
    const float value = ToF32(stored);
    if (!IsFinite(value)) {
      Fail(ErrorKind::kNumeric, "{}: tensor {}: element {} is {}; weights must be finite",
           info.file, Quoted(info.name), i, value);
    }
    take(i, stored);
  }
}

// The elements in f32, or as they are stored where out is of that type.
void ReadFloats(const TensorInfo& info, DType out_type, void* out) {
  const auto read = [&]<typename Stored>(Stored) {
    if (out_type == info.dtype) {
      auto* same = static_cast<Stored*>(out);
      ForEachElement<Stored>(info, [&](int64_t i, Stored value) { same[i] = value; });
    } else {
      TERN_CHECK(out_type == DType::kF32);
      auto* wide = static_cast<float*>(out);
      ForEachElement<Stored>(info, [&](int64_t i, Stored value) { wide[i] = ToF32(value); });
    }
  };
  switch (RequireDType(info)) {
    case DType::kF32:
      return read(float{});
    case DType::kBF16:
      return read(BF16{});
    case DType::kF16:
      return read(F16{});
    default:
      Fail(ErrorKind::kInvalidFile,
           "{}: tensor {} is {} where a float is needed (F32, BF16 or F16); does config.json's "
           "quantization_config fit these weights?",
           info.file, Quoted(info.name), info.type_name);
  }
}

// A model's tensors out of mapped files.
class CheckpointSource final : public WeightSource {
 public:
  CheckpointSource(Context& ctx, const ModelConfig& config, const LoadOptions& options,
                   const std::string& path)
      : ctx_(ctx), config_(config), options_(options), files_(path) {}

  Weight Float(const std::string& name, const Shape& shape, ParameterKind kind) override {
    const TensorInfo& info = Find(name, shape);
    const bool large = kind == ParameterKind::kEmbedding || kind == ParameterKind::kMatrix;
    // What only runs takes large tensors as they are, in half the memory.
    const bool keep_narrow =
        large && !options_.keep_masters && IsNarrow(info) &&
        (options_.float_dtype == DType::kF32 || options_.float_dtype == info.dtype);
    Tensor value = ctx_.Empty(shape, keep_narrow ? *info.dtype : DType::kF32, MemoryTag::kWeights);
    ReadFloats(info, value.dtype(), value.raw());
    files_.Release(name);
    return Weight(value, options_.float_dtype);
  }

  BitLinear Ternary(const std::string& name, int64_t n, int64_t k, Weight bias) override {
    if (config_.stored != StoredWeights::kFloat) return Packed(name, n, k, std::move(bias));
    BitLinear layer(Float(name, {n, k}, ParameterKind::kTernaryMaster), config_.quantizer,
                    std::move(bias));
    if (!options_.keep_masters) layer.Pack(ctx_);
    return layer;
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
      ctx_.Log(LogLevel::kWarning, fmt::format("{}: {} tensors are not part of the model, {} first",
                                               files_.path(), count, Quoted(first)));
    }
  }

 private:
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
    const float multiplier = Multiplier(name);
    const TensorInfo& info = Find(name, {n / 4, k});
    const Tensor trits = ctx_.Empty({n, k}, DType::kI8, MemoryTag::kWorkspace);
    ReadTrits(info, trits);
    files_.Release(name);
    if (bias.defined() && config_.stored == StoredWeights::kPackedMultiplies) {
      // transformers multiplies the sum with the bias.
      bias = Weight(ops::MulScalar(ctx_, bias.Get(ctx_), multiplier), options_.float_dtype);
    }
    return BitLinear(ops::PackTernary(ctx_, trits, multiplier), std::move(bias));
  }

  static void ReadTrits(const TensorInfo& info, const Tensor& trits) {
    if (RequireDType(info) != DType::kU8) {
      Fail(ErrorKind::kInvalidFile,
           "{}: tensor {} is {}, but config.json's quantization_config says packed weights (U8)",
           info.file, Quoted(info.name), info.type_name);
    }
    const auto* bytes = reinterpret_cast<const uint8_t*>(info.bytes.data());
    const int64_t wrong =
        formats::hf_u8.decode(bytes, trits.dim(0), trits.dim(1), trits.data<int8_t>());
    if (wrong >= 0) {
      Fail(ErrorKind::kInvalidFile, "{}: tensor {}: byte {} holds a code that is no trit",
           info.file, Quoted(info.name), wrong);
    }
  }

  float Multiplier(const std::string& name) {
    const std::string scale_name = name + "_scale";
    const TensorInfo* info = files_.Find(scale_name);
    if (info == nullptr) {
      Fail(ErrorKind::kInvalidFile,
           "{}: the packed weights {} come without their scale {}; config.json's "
           "quantization_config may be for another checkpoint",
           files_.path(), Quoted(name), Quoted(scale_name));
    }
    used_.insert(scale_name);
    if (info->element_count != 1) RequireShape(*info, std::vector<int64_t>{1});
    float scale = 0;
    ReadFloats(*info, DType::kF32, &scale);
    const bool divides = config_.stored == StoredWeights::kPackedDivides;
    const float multiplier = divides ? 1.0f / scale : scale;
    if (!(scale >= 0.0f) || !IsFinite(multiplier)) {
      Fail(ErrorKind::kInvalidFile, "{}: tensor {} is {}; a weight scale must be {}", info->file,
           Quoted(scale_name), scale, divides ? "positive" : "at least 0");
    }
    return multiplier;
  }

  Context& ctx_;
  const ModelConfig& config_;
  const LoadOptions& options_;
  TensorDirectory files_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace

LoadedModel LoadModel(Context& ctx, const std::string& path, const LoadOptions& options) {
  ModelConfig config = ReadModelConfig(path + "/config.json");
  config.float_dtype = options.float_dtype;
  LoadedModel loaded = {.model = nullptr, .tokenizer = {}, .path = path};
  const std::string tokenizer_path = path + "/tokenizer.json";
  if (std::filesystem::exists(tokenizer_path)) {
    loaded.tokenizer = Tokenizer::FromFile(tokenizer_path);
    if (loaded.tokenizer->vocab_size() > config.vocab_size) {
      Fail(ErrorKind::kInvalidFile,
           "{}: {} token ids do not fit \"vocab_size\" {} of config.json; it is another model's "
           "tokenizer",
           tokenizer_path, loaded.tokenizer->vocab_size(), config.vocab_size);
    }
  }
  CheckpointSource source(ctx, config, options, path);
  loaded.model = std::make_unique<Model>(ctx, config, source);
  source.ReportUnused();
  if (!options.keep_masters) loaded.model->Pack(ctx);
  return loaded;
}

}  // namespace tern
