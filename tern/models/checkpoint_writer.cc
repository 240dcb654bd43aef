// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tern/base/atomic_file.h"
#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/base/float16.h"
#include "tern/io/json_file.h"
#include "tern/io/safetensors_writer.h"
#include "tern/models/checkpoint.h"
#include "tern/models/config_writer.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"
#include "tern/pack/formats/hf_u8.h"
#include "tern/pack/scales.h"

namespace tern {
namespace {

std::vector<int64_t> Dims(const Shape& shape) {
  return std::vector<int64_t>(shape.dims().begin(), shape.dims().end());
}

// Streams a model's tensors into safetensors files.
class WeightWriter {
 public:
  WeightWriter(Context& ctx, const Model& model, CheckpointForm form, DType float_dtype)
      : ctx_(ctx), form_(form), float_dtype_(float_dtype), weights_(model.NamedWeights()) {}

  // Returns the names of the tensors that were rounded.
  std::vector<std::string> Write(const std::string& directory, uint64_t max_shard_bytes) {
    std::vector<TensorSpec> specs = Specs();
    SortForAlignment(&specs);
    ShardedSafetensorsWriter writer(directory, specs, max_shard_bytes);
    std::unordered_map<std::string, const NamedWeight*> by_name;
    for (const NamedWeight& weight : weights_) by_name[weight.name] = &weight;
    for (const TensorSpec& spec : specs) {
      const auto found = by_name.find(spec.name);
      if (found == by_name.end()) {
        writer.AppendValues<float>(spec.name, std::span(&scales_.at(spec.name), 1));
      } else {
        WriteOne(*found->second, &writer);
      }
    }
    writer.Commit();
    return std::move(rounded_);
  }

 private:
  bool IsPacked() const {
    return form_ == CheckpointForm::kPacked || form_ == CheckpointForm::kPackedDivides;
  }
  static std::string ScaleName(const NamedWeight& weight) { return weight.name + "_scale"; }

  std::vector<TensorSpec> Specs() {
    std::vector<TensorSpec> specs;
    for (const NamedWeight& weight : weights_) {
      if (weight.ternary == nullptr) {
        specs.push_back({weight.name, float_dtype_, Dims(weight.weight->value().shape())});
      } else if (IsPacked()) {
        AddPacked(weight, &specs);
      } else {
        const TernaryAttrs attrs = weight.ternary->Detached().Ternary(ctx_).attrs;
        specs.push_back({weight.name, float_dtype_, {attrs.n, attrs.k}});
      }
    }
    return specs;
  }

  void AddPacked(const NamedWeight& weight, std::vector<TensorSpec>* specs) {
    const TernaryWeight packed = weight.ternary->Detached().Ternary(ctx_);
    if (packed.attrs.n % 4 != 0) {
      Fail(ErrorKind::kUnsupported,
           "{} has {} rows; the packed form holds four in a byte and needs a multiple of 4",
           Quoted(weight.name), packed.attrs.n);
    }
    if (weight.ternary->bias().defined() && form_ == CheckpointForm::kPacked) {
      Fail(
          ErrorKind::kUnsupported,
          "{} has a bias, which the packed form would multiply by the weights' scale; save masters",
          Quoted(weight.name));
    }
    if (packed.has_scales()) {
      Fail(ErrorKind::kUnsupported,
           "{} has {} scales, and the packed form holds one for each matrix; save it as floats",
           Quoted(weight.name), packed.multiplier.elements());
    }
    specs->push_back({weight.name, DType::kU8, {packed.attrs.n / 4, packed.attrs.k}});
    specs->push_back({ScaleName(weight), DType::kF32, {1}});
    scales_[ScaleName(weight)] = StoredScale(weight, packed.multiplier.item<float>());
  }

  // The multiplier, or the number that it is 1 divided by: of the neighbours of 1 / multiplier the
  // one that gives it back, if there is one.
  float StoredScale(const NamedWeight& weight, float multiplier) {
    if (form_ == CheckpointForm::kPacked) return multiplier;
    const float near = 1.0f / multiplier;
    for (const float scale : {near, std::nextafter(near, 0.0f), std::nextafter(near, 2 * near)}) {
      if (1.0f / scale == multiplier) return scale;
    }
    if (multiplier == 0 || near == 0) {
      Fail(ErrorKind::kUnsupported, "{} has the scale {}, of which this form holds the inverse",
           Quoted(weight.name), multiplier);
    }
    rounded_.push_back(ScaleName(weight));
    return near;
  }

  void WriteOne(const NamedWeight& weight, ShardedSafetensorsWriter* writer) {
    if (weight.ternary == nullptr) {
      WriteFloats(weight.name, weight.weight->Detached().Get(ctx_), writer);
    } else if (IsPacked()) {
      WriteTrits(weight, writer);
    } else if (form_ == CheckpointForm::kMasters && weight.ternary->has_master()) {
      WriteFloats(weight.name, weight.ternary->master().Detached().Get(ctx_), writer);
    } else {
      WriteTernaryFloats(weight, writer);
    }
  }

  void WriteFloats(const std::string& name, const Tensor& value, ShardedSafetensorsWriter* writer) {
    const Tensor stored =
        value.dtype() == float_dtype_ ? value : ops::Cast(ctx_, value, float_dtype_);
    TERN_CHECK(stored.is_contiguous());
    if (!SameNumbers(value, stored)) rounded_.push_back(name);
    writer->Append(name, {static_cast<const std::byte*>(stored.raw()), stored.bytes()});
  }

  bool SameNumbers(const Tensor& a, const Tensor& b) const {
    if (a.dtype() == b.dtype()) return true;
    const Tensor wide_a = ops::Cast(ctx_, a, DType::kF32), wide_b = ops::Cast(ctx_, b, DType::kF32);
    return std::ranges::equal(wide_a.span<float>(), wide_b.span<float>());
  }

  // trit * scale, from which a reader finds the trits again.
  void WriteTernaryFloats(const NamedWeight& weight, ShardedSafetensorsWriter* writer) {
    const TernaryWeight packed = weight.ternary->Detached().Ternary(ctx_);
    const Tensor floats = ops::RoundTo(ctx_, ops::DequantizeTernary(ctx_, packed), float_dtype_);
    const Tensor trits = ops::UnpackTernary(ctx_, packed);
    const std::optional<FoundTrits> found =
        FindTrits(floats.span<float>(), packed.attrs.n, packed.attrs.k);
    if (!found || !std::ranges::equal(found->trits, trits.span<int8_t>())) {
      Fail(ErrorKind::kUnsupported,
           "{}: its trits cannot be found again in floats of this type, for its scales ({} a row)",
           Quoted(weight.name), packed.groups());
    }
    WriteFloats(weight.name, ops::DequantizeTernary(ctx_, packed), writer);
  }

  void WriteTrits(const NamedWeight& weight, ShardedSafetensorsWriter* writer) const {
    const Tensor trits = ops::UnpackTernary(ctx_, weight.ternary->Detached().Ternary(ctx_));
    const PackedTrits packed = EncodeTrits(ctx_.pool(), formats::hf_u8, trits.span<int8_t>(),
                                           trits.dim(0), trits.dim(1), 1.0f);
    writer->AppendValues<uint8_t>(weight.name, packed.codes.span<uint8_t>());
  }

  Context& ctx_;
  CheckpointForm form_;
  DType float_dtype_;
  std::vector<NamedWeight> weights_;
  std::unordered_map<std::string, float> scales_;  // by their names
  std::vector<std::string> rounded_;
};

// The least that AutoTokenizer of transformers needs beside tokenizer.json.
nlohmann::ordered_json TokenizerConfigJson(const ModelConfig& config, const Tokenizer& tokenizer) {
  nlohmann::ordered_json json;
  json["tokenizer_class"] = "PreTrainedTokenizerFast";
  json["model_max_length"] = config.max_positions;
  json["clean_up_tokenization_spaces"] = false;
  const auto put = [&](const char* key, std::optional<int32_t> id) {
    if (id && tokenizer.HasToken(*id)) json[key] = std::string(tokenizer.TokenBytes(*id));
  };
  put("bos_token", config.bos);
  if (!config.eos.empty()) put("eos_token", config.eos.front());
  put("pad_token", config.pad);
  return json;
}

void CheckForm(const Model& model, CheckpointForm form) {
  const bool ternary = model.config().weights == nn::WeightKind::kTernary;
  const bool packed = form == CheckpointForm::kPacked || form == CheckpointForm::kPackedDivides;
  if (packed && !ternary) {
    Fail(ErrorKind::kInvalidArgument,
         "a model whose activations are float has no packed form, which has 8-bit ones; save its "
         "weights as floats");
  }
  const ModelConfig& config = model.config();
  if (form == CheckpointForm::kFloats && config.projection_norms &&
      config.projection_norm_eps != config.rms_norm_eps) {
    Fail(ErrorKind::kUnsupported,
         "the norms of projections have an epsilon of their own, {}, which files of ternary floats "
         "do not hold",
         config.projection_norm_eps);
  }
  if (form == CheckpointForm::kMasters && ternary && !model.has_masters()) {
    Fail(ErrorKind::kInvalidArgument,
         "the model holds packed weights, from which masters cannot be made again");
  }
}

constexpr std::string_view kCompanionFiles[] = {"generation_config.json", "tokenizer_config.json",
                                                "special_tokens_map.json", "chat_template.jinja"};

void CopyCompanions(const std::string& from, const std::string& to) {
  namespace fs = std::filesystem;
  for (const std::string_view name : kCompanionFiles) {
    const fs::path source = fs::path(from) / name;
    std::error_code error;
    if (!fs::exists(source, error)) continue;
    fs::copy_file(source, fs::path(to) / name, fs::copy_options::overwrite_existing, error);
    if (error) Fail(ErrorKind::kIo, "{}: cannot be copied: {}", source.string(), error.message());
  }
}

}  // namespace

std::span<const std::string_view> CompanionFiles() { return kCompanionFiles; }

SaveReport WriteModelFiles(Context& ctx, const Model& model, const std::string& directory,
                           const SaveOptions& options) {
  const ModelConfig& config = model.config();
  CheckForm(model, options.form);
  StoredAs stored = {.weights = StoredWeights::kFloat,
                     .floats = options.float_dtype.value_or(config.float_dtype),
                     .declared = options.form != CheckpointForm::kFloats};
  if (options.form == CheckpointForm::kPacked || options.form == CheckpointForm::kPackedDivides) {
    stored.floats = options.float_dtype.value_or(DType::kF32);
    stored.weights = options.form == CheckpointForm::kPacked ? StoredWeights::kPackedMultiplies
                                                             : StoredWeights::kPackedDivides;
  }
  if (options.tokenizer != nullptr && options.tokenizer->vocab_size() > config.vocab_size) {
    Fail(ErrorKind::kInvalidArgument, "a tokenizer of {} tokens does not fit a vocabulary of {}",
         options.tokenizer->vocab_size(), config.vocab_size);
  }
  const std::string path = directory + "/";
  SaveReport report;
  report.rounded = WeightWriter(ctx, model, options.form, stored.floats)
                       .Write(directory, options.max_shard_bytes);
  WriteJsonFile(path + "config.json", ModelConfigJson(config, stored));
  WriteJsonFile(path + "generation_config.json", GenerationConfigJson(config));
  if (options.tokenizer != nullptr) {
    WriteFileAtomically(path + "tokenizer.json", options.tokenizer->ToJson());
    WriteJsonFile(path + "tokenizer_config.json", TokenizerConfigJson(config, *options.tokenizer));
  }
  if (!options.companions.empty()) CopyCompanions(options.companions, directory);
  return report;
}

SaveReport SaveModel(Context& ctx, const Model& model, const std::string& directory,
                     const SaveOptions& options) {
  AtomicDirectory staged(directory, options.replace ? AtomicDirectory::Existing::kReplace
                                                    : AtomicDirectory::Existing::kRefuse);
  SaveReport report = WriteModelFiles(ctx, model, staged.staging_path(), options);
  staged.Commit();
  return report;
}

}  // namespace tern
