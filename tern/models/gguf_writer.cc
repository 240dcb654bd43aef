// SPDX-License-Identifier: MIT
#include "tern/io/gguf_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <utility>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/base/float16.h"
#include "tern/io/json_file.h"
#include "tern/models/config_writer.h"
#include "tern/models/gguf_model.h"
#include "tern/models/gguf_names.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"
#include "tern/pack/float_blocks.h"
#include "tern/pack/trit_blocks.h"
#include "tern/text/gguf_vocabulary.h"
#include "tern/text/tokenizer_json.h"

namespace tern {
namespace {

const GgufArchitecture& ArchitectureOf(const ModelConfig& config) {
  for (const GgufArchitecture& architecture : GgufArchitectures()) {
    if (architecture.family == config.family && architecture.activation == config.activation) {
      return architecture;
    }
  }
  Fail(ErrorKind::kUnsupported,
       "GGUF has no architecture for {} with this activation; write a Hugging Face directory",
       Quoted(config.family));
}

constexpr int64_t kPoolingLast = 3;

uint32_t FileType(std::string_view trits) {
  return trits == "tq1_0" ? 36 : trits == "tq2_0" ? 37 : 40;
}

std::span<const std::byte> AsBytes(const Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.raw()), tensor.bytes()};
}

// What other programs would not see in a file.
void CheckPlaces(const ModelConfig& config) {
  if (config.projection_norms && config.projection_norm_eps != config.rms_norm_eps) {
    Fail(ErrorKind::kUnsupported,
         "the norms of projections have an epsilon of their own, {}, for which GGUF has no place; "
         "write a Hugging Face directory",
         config.projection_norm_eps);
  }
  if (config.query_scalar != 0 && config.query_scalar != GgufQueryScalar(config)) {
    Fail(ErrorKind::kUnsupported,
         "query_pre_attn_scalar is {} where heads have {} elements, for which GGUF has no place; "
         "write a Hugging Face directory",
         config.query_scalar, config.head_dim);
  }
}

class Saver {
 public:
  Saver(Context& ctx, const Model& model, const GgufOptions& options)
      : ctx_(ctx),
        config_(model.config()),
        options_(options),
        family_(FindModelFamily(config_.family, "model configuration")),
        architecture_(ArchitectureOf(model.config())),
        weights_(model.NamedWeights()),
        block_(FindTritBlock(options.trits)),
        trit_type_(block_ != nullptr ? FindGgmlType(block_->type) : nullptr),
        float_type_(FindGgmlType(options.floats)) {
    TERN_CHECK(block_ != nullptr && block_->encode != nullptr && float_type_ != nullptr);
  }

  std::vector<std::string> Save(const std::string& path, GgufCheck check) {
    AddConfig();
    if (options_.tokenizer != nullptr) {
      AddTokenizer(*options_.tokenizer);
      if (!options_.chat_template.empty()) {
        header_.AddString("tokenizer.chat_template", options_.chat_template);
      }
    } else {
      header_.AddString("tokenizer.ggml.model", "no_vocab");
      AddIds(std::nullopt);
    }
    for (const NamedWeight& weight : weights_) Declare(weight);
    GgufWriter writer(path, header_);
    for (const NamedWeight& weight : weights_) Write(weight, &writer);
    check(writer.temporary_path(), rounded_);
    writer.Commit();
    return std::move(rounded_);
  }

 private:
  std::string Key(std::string_view name) const {
    return fmt::format("{}.{}", architecture_.name, name);
  }

  void AddConfig() {
    const auto add = [&](std::string_view name, int64_t value) {
      header_.AddU32(Key(name), static_cast<uint32_t>(value));
    };
    header_.AddString("general.architecture", architecture_.name);
    header_.AddU32("general.file_type", FileType(options_.trits));
    header_.AddU32("general.quantization_version", 2);
    if (config_.weights == nn::WeightKind::kF32) header_.AddString("tern.weights", "float");
    if (options_.trits == "i2_s") header_.AddString("tern.i2_s.layout", options_.trits);
    add("vocab_size", config_.vocab_size);
    add("context_length", config_.max_positions);
    add("embedding_length", config_.hidden_size);
    add("block_count", config_.layers);
    add("feed_forward_length", config_.intermediate_size);
    add("attention.head_count", config_.heads);
    add("attention.head_count_kv", config_.kv_heads);
    add("attention.key_length", config_.head_dim);
    add("attention.value_length", config_.head_dim);
    add("rope.dimension_count", config_.head_dim);
    AddFloat("rope.freq_base", config_.rope_theta);
    AddFloat("attention.layer_norm_rms_epsilon", config_.rms_norm_eps);
    header_.AddString(Key("hidden_activation"), ActivationName(config_.activation));
    if (config_.embeds) add("pooling_type", kPoolingLast);
    if (config_.window != 0) {
      add("attention.sliding_window", config_.window);
      add("attention.sliding_window_pattern", WindowPeriod());
      AddFloat("rope.freq_base_swa", config_.local_rope_theta);
    }
  }

  // Metadata are f32; what a decimal of few digits gives comes back.
  void AddFloat(std::string_view name, double value) {
    const auto single = static_cast<float>(value);
    const std::string text = fmt::format("{}", single);
    double back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back);
    if (back != value) rounded_.push_back(fmt::format("{} ({} to f32)", name, value));
    header_.AddF32(Key(name), single);
  }

  // The n of "all layers but every n-th have a window".
  int64_t WindowPeriod() const {
    for (int64_t period = 1; period <= config_.layers + 1; ++period) {
      bool same = true;
      for (int64_t i = 0; i < config_.layers; ++i) {
        same = same && config_.IsLocal(i) == ((i + 1) % period != 0);
      }
      if (same) return period;
    }
    Fail(ErrorKind::kUnsupported,
         "GGUF has a place for windows in all layers but every n-th, not for those of this model; "
         "write a Hugging Face directory");
  }

  // `appended` is what the tokenizer puts behind texts: an embedding model's end of sequence.
  void AddIds(std::optional<int32_t> appended) {
    AddId("bos", config_.bos);
    AddId("padding", config_.pad);
    std::vector<int32_t> ends = config_.eos;
    if (appended && config_.embeds) {
      std::erase(ends, *appended);
      ends.insert(ends.begin(), *appended);
    }
    if (!ends.empty()) AddId("eos", ends[0]);
    if (ends.size() > 1) AddId("eot", ends[1]);
  }

  void AddId(std::string_view which, std::optional<int32_t> id) {
    if (!id) return;
    header_.AddU32(fmt::format("tokenizer.ggml.{}_token_id", which), static_cast<uint32_t>(*id));
  }

  void AddTokenizer(const Tokenizer& tokenizer) {
    const std::string json = tokenizer.ToJson();
    const TokenizerSpec spec = ReadTokenizerJson(json, "tokenizer.json");
    const GgufVocabularyMetadata vocabulary = WriteGgufVocabulary(spec, config_.vocab_size);
    header_.AddString("tokenizer.ggml.model", vocabulary.model);
    if (!vocabulary.tokens.empty()) {
      header_.AddStrings("tokenizer.ggml.tokens", vocabulary.tokens);
      header_.AddI32s("tokenizer.ggml.token_type", vocabulary.types);
    }
    if (vocabulary.model == "gpt2") {
      header_.AddString("tokenizer.ggml.pre", vocabulary.pre_tokenizer);
      header_.AddStrings("tokenizer.ggml.merges", vocabulary.merges);
    } else if (vocabulary.model == "llama" || vocabulary.model == "t5") {
      header_.AddF32s("tokenizer.ggml.scores", vocabulary.scores);
      header_.AddBool("tokenizer.ggml.add_space_prefix", vocabulary.add_space_prefix);
    }
    if (vocabulary.model == "t5") {
      header_.AddBool("tokenizer.ggml.remove_extra_whitespaces", vocabulary.remove_extra_spaces);
      AddId("unknown", vocabulary.unknown);
    }
    const std::vector<TemplatePart>& parts = spec.post_processor.single;
    header_.AddBool("tokenizer.ggml.add_bos_token", StartsWithBos(parts));
    std::optional<int32_t> appended;
    if (!parts.empty() && parts.back().ids.size() == 1) appended = parts.back().ids[0];
    if (config_.embeds) {
      header_.AddBool("tokenizer.ggml.add_eos_token", appended.has_value());
    } else if (vocabulary.model == "t5") {  // whose readers add it where nothing is said
      const bool ends = appended && !config_.eos.empty() && appended == config_.eos[0];
      header_.AddBool("tokenizer.ggml.add_eos_token", ends);
    }
    AddIds(appended);
    header_.AddString("tokenizer.huggingface.json", json);
  }

  bool StartsWithBos(const std::vector<TemplatePart>& parts) const {
    return !parts.empty() && parts[0].ids.size() == 1 && config_.bos == parts[0].ids[0];
  }

  static bool IsLarge(const NamedWeight& weight) {
    return weight.kind == ParameterKind::kEmbedding || weight.kind == ParameterKind::kMatrix;
  }

  const GgmlType& FloatTypeOf(const NamedWeight& weight) const {
    return IsLarge(weight) ? *float_type_ : *FindGgmlType("F32");
  }

  void Declare(const NamedWeight& weight) {
    const std::string name = GgufTensorName(family_, weight.name);
    if (weight.ternary == nullptr) {
      if (weight.kind == ParameterKind::kMatrix && name != "output.weight") {
        Fail(ErrorKind::kUnsupported,
             "tensor {}: is not ternary, and GGUF is written of ternary models alone; write a "
             "Hugging Face directory",
             Quoted(name));
      }
      const std::span<const int64_t> dims = weight.weight->value().shape().dims();
      return header_.AddTensor(name, dims, FloatTypeOf(weight));
    }
    const TernaryWeight packed = weight.ternary->Detached().Ternary(ctx_);
    const TernaryAttrs& attrs = packed.attrs;
    if (attrs.k % block_->columns != 0) {
      Fail(ErrorKind::kUnsupported,
           "tensor {}: rows of {} are not whole blocks of {}, which {} needs; take another type",
           Quoted(name), attrs.k, block_->columns, trit_type_->name);
    }
    if (packed.has_scales() && !block_->Holds(packed.groups(), attrs.k)) RefuseScales(name, packed);
    const std::vector<int64_t> shape = {attrs.n, attrs.k};
    header_.AddTensor(name, shape, *trit_type_);
  }

  [[noreturn]] void RefuseScales(const std::string& name, const TernaryWeight& packed) const {
    const int64_t columns = packed.attrs.k / packed.groups();
    const bool fits_others = columns % 256 == 0 && block_->span == ScaleSpan::kTensor;
    Fail(ErrorKind::kUnsupported,
         "tensor {}: a scale for each {} of a row's {} columns, but {} holds one for {}; write {}",
         Quoted(name), columns, packed.attrs.k, trit_type_->name,
         block_->span == ScaleSpan::kTensor ? "the whole matrix" : "each 256",
         fits_others ? "tq1_0, tq2_0 or a Hugging Face directory (hf-floats)"
                     : "a Hugging Face directory (hf-floats)");
  }

  void Write(const NamedWeight& weight, GgufWriter* writer) {
    const std::string name = GgufTensorName(family_, weight.name);
    if (weight.ternary != nullptr) return WriteTrits(weight, name, writer);
    Tensor value = WithNeighbours(name, weight.weight->Detached().Get(ctx_));
    if (weight.kind == ParameterKind::kNorm && GgufNormOffset(family_, weight.name) != 0) {
      value = Shifted(value, GgufNormOffset(family_, weight.name));
    }
    const GgmlType& type = FloatTypeOf(weight);
    if (type.dtype) {
      const Tensor stored =
          value.dtype() == *type.dtype ? value : ops::Cast(ctx_, value, *type.dtype);
      if (stored.dtype() != DType::kF32 && !SameNumbers(value, stored)) NoteRounded(name, type);
      return writer->Append(name, AsBytes(stored));
    }
    WriteBlocks(name, value, type, writer);
  }

  Tensor Shifted(const Tensor& value, float offset) const {
    const Tensor wide = ops::Cast(ctx_, value, DType::kF32);
    Tensor out = ctx_.Empty(wide.shape(), DType::kF32, MemoryTag::kWorkspace);
    std::ranges::transform(wide.span<float>(), out.span<float>().begin(),
                           [&](float element) { return element + offset; });
    return out;
  }

  void WriteBlocks(const std::string& name, const Tensor& value, const GgmlType& type,
                   GgufWriter* writer) {
    const FloatBlock* block = FindFloatBlock(type.name);
    TERN_CHECK(block != nullptr && block->encode != nullptr);
    const Tensor wide = value.dtype() == DType::kF32 ? value : ops::Cast(ctx_, value, DType::kF32);
    std::vector<uint8_t> bytes(static_cast<size_t>(block->bytes));
    std::vector<float> back(static_cast<size_t>(block->elements));
    bool same = true;
    for (int64_t i = 0; i < wide.elements(); i += block->elements) {
      const float* values = wide.data<float>() + i;
      block->encode(values, bytes.data());
      block->decode(bytes.data(), back.data());
      same = same && std::equal(back.begin(), back.end(), values);
      writer->Append(name, std::as_bytes(std::span(bytes)));
    }
    if (!same) NoteRounded(name, type);
  }

  bool SameNumbers(const Tensor& a, const Tensor& b) const {
    const Tensor wide_a = ops::Cast(ctx_, a, DType::kF32), wide_b = ops::Cast(ctx_, b, DType::kF32);
    return std::ranges::equal(wide_a.span<float>(), wide_b.span<float>());
  }

  void NoteRounded(const std::string& name, const GgmlType& type) {
    rounded_.push_back(fmt::format("{} (to {})", name, type.name));
  }

  void WriteTrits(const NamedWeight& weight, const std::string& name, GgufWriter* writer) {
    const TernaryWeight packed = weight.ternary->Detached().Ternary(ctx_);
    const Tensor scales = RoundScales(
        name, packed.has_scales() ? WithNeighbours(name, packed.multiplier) : packed.multiplier);
    const Tensor trits = WithNeighbours(name, ops::UnpackTernary(ctx_, packed));
    const int64_t n = trits.dim(0), k = trits.dim(1);
    const Tensor bytes = ctx_.Empty({*block_->Bytes(n, k)}, DType::kU8, MemoryTag::kWorkspace);
    EncodeTritBlocks(*block_, trits.data<int8_t>(), n, k, scales.span<float>(),
                     bytes.span<uint8_t>());
    writer->Append(name, AsBytes(bytes));
  }

  // Scales as the type holds them.
  Tensor RoundScales(const std::string& name, const Tensor& scales) {
    Tensor rounded = ctx_.Empty(scales.shape(), DType::kF32, MemoryTag::kWorkspace);
    int64_t changed = 0;
    for (int64_t i = 0; i < scales.elements(); ++i) {
      const float scale = scales.span<float>()[i];
      const float stored = rounded.span<float>()[i] = RoundTritScale(*block_, scale);
      if (!std::isfinite(stored)) {
        Fail(ErrorKind::kUnsupported,
             "tensor {}: {} does not hold the scale {} as f16; take i2_s or hf-floats",
             Quoted(name), trit_type_->name, scale);
      }
      changed += stored != scale ? 1 : 0;
    }
    if (changed > 0 && scales.elements() == 1) {
      rounded_.push_back(fmt::format("{} (scale {} to f16)", name, scales.span<float>()[0]));
    } else if (changed > 0) {
      rounded_.push_back(
          fmt::format("{} ({} of {} scales to f16)", name, changed, scales.elements()));
    }
    return rounded;
  }

  // The way back of GgufSource::WithHalves.
  Tensor WithNeighbours(const std::string& name, const Tensor& value) const {
    const bool rotated =
        name.find(".attn_q.") != std::string::npos || name.find(".attn_k.") != std::string::npos;
    if (!architecture_.neighbours || !rotated) return value;
    Tensor out = ctx_.Empty(value.shape(), value.dtype(), MemoryTag::kWorkspace);
    const int64_t head = config_.head_dim;
    const size_t row_bytes = value.bytes() / static_cast<size_t>(value.dim(0));
    for (int64_t row = 0; row < value.dim(0); ++row) {
      const int64_t in_head = row % head;
      const int64_t source = row - in_head + in_head % 2 * (head / 2) + in_head / 2;
      std::memcpy(
          static_cast<std::byte*>(out.raw()) + static_cast<size_t>(row) * row_bytes,
          static_cast<const std::byte*>(value.raw()) + static_cast<size_t>(source) * row_bytes,
          row_bytes);
    }
    return out;
  }

  Context& ctx_;
  const ModelConfig& config_;
  const GgufOptions& options_;
  const ModelFamily& family_;
  const GgufArchitecture& architecture_;
  std::vector<NamedWeight> weights_;
  const TritBlock* block_;
  const GgmlType* trit_type_;
  const GgmlType* float_type_;
  GgufHeader header_;
  std::vector<std::string> rounded_;
};

}  // namespace

std::vector<std::string> SaveGguf(Context& ctx, const Model& model, const std::string& path,
                                  const GgufOptions& options, GgufCheck check) {
  const ModelConfig& config = model.config();
  CheckPlaces(config);
  if (options.tokenizer != nullptr && options.tokenizer->vocab_size() > config.vocab_size) {
    Fail(ErrorKind::kInvalidArgument, "a tokenizer of {} tokens does not fit a vocabulary of {}",
         options.tokenizer->vocab_size(), config.vocab_size);
  }
  std::error_code ignored;
  if (!options.replace && std::filesystem::exists(path, ignored)) {
    Fail(ErrorKind::kIo, "{}: exists; name another file, or ask for it to be replaced", path);
  }
  return Saver(ctx, model, options).Save(path, check);
}

}  // namespace tern
