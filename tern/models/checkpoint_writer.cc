// SPDX-License-Identifier: MIT
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

  void Write(const std::string& directory, uint64_t max_shard_bytes) {
    std::vector<TensorSpec> specs = Specs();
    SortForAlignment(&specs);
    ShardedSafetensorsWriter writer(directory, specs, max_shard_bytes);
    std::unordered_map<std::string, const NamedWeight*> by_name;
    for (const NamedWeight& weight : weights_) by_name[weight.name] = &weight;
    for (const TensorSpec& spec : specs) {
      const auto found = by_name.find(spec.name);
      if (found == by_name.end()) {
        writer.AppendValues<float>(spec.name, std::span(&multipliers_.at(spec.name), 1));
      } else {
        WriteOne(*found->second, &writer);
      }
    }
    writer.Commit();
  }

 private:
  static std::string ScaleName(const NamedWeight& weight) { return weight.name + "_scale"; }

  std::vector<TensorSpec> Specs() {
    std::vector<TensorSpec> specs;
    for (const NamedWeight& weight : weights_) {
      if (weight.ternary == nullptr) {
        specs.push_back({weight.name, float_dtype_, Dims(weight.weight->value().shape())});
      } else if (form_ == CheckpointForm::kMasters) {
        specs.push_back(
            {weight.name, float_dtype_, Dims(weight.ternary->master().value().shape())});
      } else {
        AddPacked(weight, &specs);
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
    if (weight.ternary->bias().defined()) {
      Fail(
          ErrorKind::kUnsupported,
          "{} has a bias, which the packed form would multiply by the weights' scale; save masters",
          Quoted(weight.name));
    }
    specs->push_back({weight.name, DType::kU8, {packed.attrs.n / 4, packed.attrs.k}});
    specs->push_back({ScaleName(weight), DType::kF32, {1}});
    multipliers_[ScaleName(weight)] = packed.multiplier.item<float>();
  }

  void WriteOne(const NamedWeight& weight, ShardedSafetensorsWriter* writer) {
    if (weight.ternary == nullptr) {
      WriteFloats(weight.name, weight.weight->Detached().Get(ctx_), writer);
    } else if (form_ == CheckpointForm::kMasters) {
      WriteFloats(weight.name, weight.ternary->master().Detached().Get(ctx_), writer);
    } else {
      WriteTrits(weight, writer);
    }
  }

  void WriteFloats(const std::string& name, const Tensor& value,
                   ShardedSafetensorsWriter* writer) const {
    const Tensor stored =
        value.dtype() == float_dtype_ ? value : ops::Cast(ctx_, value, float_dtype_);
    TERN_CHECK(stored.is_contiguous());
    writer->Append(name, {static_cast<const std::byte*>(stored.raw()), stored.bytes()});
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
  std::unordered_map<std::string, float> multipliers_;  // by the name of the scale
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
  if (form == CheckpointForm::kPacked && !ternary) {
    Fail(ErrorKind::kInvalidArgument,
         "a model of plain float weights has no packed form; save its weights as they are");
  }
  if (form == CheckpointForm::kMasters && ternary && !model.has_masters()) {
    Fail(ErrorKind::kInvalidArgument,
         "the model holds packed weights, from which masters cannot be made again");
  }
}

}  // namespace

void SaveModel(Context& ctx, const Model& model, const std::string& directory,
               const SaveOptions& options) {
  const ModelConfig& config = model.config();
  CheckForm(model, options.form);
  const bool packed = options.form == CheckpointForm::kPacked;
  const DType float_dtype = options.float_dtype.value_or(packed ? DType::kF32 : config.float_dtype);
  const StoredWeights stored = packed ? StoredWeights::kPackedMultiplies : StoredWeights::kFloat;
  if (options.tokenizer != nullptr && options.tokenizer->vocab_size() > config.vocab_size) {
    Fail(ErrorKind::kInvalidArgument, "a tokenizer of {} tokens does not fit a vocabulary of {}",
         options.tokenizer->vocab_size(), config.vocab_size);
  }
  AtomicDirectory staged(directory, options.replace ? AtomicDirectory::Existing::kReplace
                                                    : AtomicDirectory::Existing::kRefuse);
  const std::string path = staged.staging_path() + "/";
  WeightWriter(ctx, model, options.form, float_dtype)
      .Write(staged.staging_path(), options.max_shard_bytes);
  WriteJsonFile(path + "config.json", ModelConfigJson(config, stored, float_dtype));
  WriteJsonFile(path + "generation_config.json", GenerationConfigJson(config));
  if (options.tokenizer != nullptr) {
    WriteFileAtomically(path + "tokenizer.json", options.tokenizer->ToJson());
    WriteJsonFile(path + "tokenizer_config.json", TokenizerConfigJson(config, *options.tokenizer));
  }
  staged.Commit();
}

}  // namespace tern
