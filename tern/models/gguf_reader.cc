// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "tern/base/error.h"
#include "tern/io/json_file.h"
#include "tern/models/gguf_model.h"
#include "tern/models/gguf_names.h"
#include "tern/models/read_floats.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"
#include "tern/pack/float_blocks.h"
#include "tern/pack/trit_blocks.h"

namespace tern {
namespace {

using nn::BitLinear;
using nn::Weight;

std::span<const uint8_t> BytesOf(const TensorInfo& info) {
  return {reinterpret_cast<const uint8_t*>(info.bytes.data()), info.bytes.size()};
}

[[noreturn]] void RefuseType(const GgufTensor& tensor) {
  const std::string_view type = tensor.type->name;
  std::string_view instead = "convert the model anew as I2_S, TQ1_0 or TQ2_0";
  if (type == "TL1" || type == "TL2") {
    instead =
        "its bytes depend on the tuning of the program that wrote it; convert the model anew as "
        "I2_S, or take its I2_S file or Hugging Face checkpoint";
  } else if (type == "PQ2_0" || type == "PTQ1_0") {
    instead =
        "its weights may be rotated (Hadamard), which Tern does not undo; take the model's Q2_0 "
        "file or its Hugging Face checkpoint";
  }
  Fail(ErrorKind::kUnsupported, "{}: tensor {}: Tern does not read the type {}: {}",
       tensor.info.file, Quoted(tensor.info.name), type, instead);
}

// A model's tensors out of a mapped GGUF file, asked for under their Hugging Face names.
class GgufSource final : public WeightSource {
 public:
  GgufSource(Context& ctx, const GgufFile& file, const ModelConfig& config,
             const LoadOptions& options)
      : ctx_(ctx),
        file_(file),
        config_(config),
        family_(FindModelFamily(config.family, file.path())),
        options_(options) {
    for (const GgufArchitecture& architecture : GgufArchitectures()) {
      const auto name = file.metadata().GetString("general.architecture");
      if (architecture.name == name) neighbours_ = architecture.neighbours;
    }
  }

  Weight Float(const std::string& name, const Shape& shape, ParameterKind kind) override {
    const GgufTensor& tensor = Find(name, shape);
    const bool large = kind == ParameterKind::kEmbedding || kind == ParameterKind::kMatrix;
    // What only runs takes large tensors as they are, in half the memory.
    const bool keep_narrow =
        large && !options_.keep_masters && IsNarrow(tensor.info) &&
        (options_.float_dtype == DType::kF32 || options_.float_dtype == tensor.info.dtype);
    Tensor value =
        ctx_.Empty(shape, keep_narrow ? *tensor.info.dtype : DType::kF32, MemoryTag::kWeights);
    ReadInto(tensor, &value);
    if (kind == ParameterKind::kNorm) {
      // Exact of all that 1 + weight can be.
      const float offset = GgufNormOffset(family_, name);
      for (float& weight : value.span<float>()) weight -= offset;
    }
    file_.Release(tensor);
    return Weight(WithHalves(name, value), options_.float_dtype);
  }

  BitLinear Ternary(const std::string& name, int64_t n, int64_t k, Weight bias) override {
    const GgufTensor& tensor = Find(name, {n, k});
    if (const TritBlock* block = BlockOf(tensor)) {
      return BitLinear(Packed(name, tensor, *block), std::move(bias));
    }
    Weight master = Float(name, {n, k}, ParameterKind::kTernaryMaster);
    if (const std::optional<TernaryWeight> found = Found(name, master.value())) {
      return BitLinear(*found, std::move(bias));
    }
    BitLinear layer(std::move(master), config_.quantizer, std::move(bias));
    if (!options_.keep_masters) layer.Pack(ctx_);
    return layer;
  }

  nn::Projection Plain(const std::string& name, int64_t n, int64_t k, Weight bias) override {
    const GgufTensor& tensor = Find(name, {n, k});
    if (const TritBlock* block = BlockOf(tensor)) {
      return nn::Projection(
          BitLinear(Packed(name, tensor, *block), std::move(bias), nn::ActivationKind::kFloat));
    }
    Weight weight = Float(name, {n, k}, ParameterKind::kMatrix);
    if (!options_.keep_masters && options_.float_dtype == DType::kF32) {
      if (const std::optional<TernaryWeight> found = Found(name, weight.value())) {
        return nn::Projection(BitLinear(*found, std::move(bias), nn::ActivationKind::kFloat));
      }
    }
    return nn::Projection(nn::Linear(std::move(weight), std::move(bias)));
  }

  // Logs what the file holds and the model did not ask for.
  void ReportUnused() const {
    int64_t count = 0;
    std::string first;
    for (const GgufTensor* tensor : file_.tensors()) {
      if (used_.contains(tensor->info.name) || tensor->info.name == "output.weight") continue;
      if (count++ == 0) first = tensor->info.name;
    }
    if (count > 0) {
      const std::string more = count > 1 ? fmt::format(" and {} more are", count - 1) : " is";
      ctx_.Log(LogLevel::kWarning, fmt::format("{}: tensor {}{} not part of the model",
                                               file_.path(), Quoted(first), more));
    }
  }

 private:
  const GgufTensor& Find(const std::string& name, const Shape& shape) {
    const GgufTensor& tensor = file_.Get(GgufTensorName(family_, name));
    RequireShape(tensor.info, shape.dims());
    used_.insert(tensor.info.name);
    return tensor;
  }

  // How the tensor's trits lie; null if it holds floats.
  const TritBlock* BlockOf(const GgufTensor& tensor) const {
    const std::string_view type = tensor.type->name;
    if (type == "I2_S") return FindTritBlock(I2sLayout());
    for (const TritBlock* block : TritBlocks()) {
      if (block->type == type) return block;
    }
    return nullptr;
  }

  std::string_view I2sLayout() const {
    const std::optional<std::string_view> own = file_.metadata().FindString("tern.i2_s.layout");
    if (own && options_.i2_s_layout.empty()) {
      const TritBlock* block = FindTritBlock(*own);
      if (block == nullptr || block->type != "I2_S") {
        Fail(ErrorKind::kUnsupported, "{}: metadata \"tern.i2_s.layout\" is {}, which is not known",
             file_.path(), Quoted(*own));
      }
      return *own;
    }
    if (own && *own != options_.i2_s_layout) {
      Fail(ErrorKind::kInvalidArgument, "{}: says that its I2_S layout is {}, not {}", file_.path(),
           *own, options_.i2_s_layout);
    }
    return options_.i2_s_layout.empty() ? "i2_s" : std::string_view(options_.i2_s_layout);
  }

  // Trits [n, k] and scales [n, groups].
  std::pair<Tensor, Tensor> Decode(const GgufTensor& tensor, const TritBlock& block) {
    const int64_t n = tensor.rows(), k = tensor.k();
    const Tensor trits = ctx_.Empty({n, k}, DType::kI8, MemoryTag::kWorkspace);
    const Tensor scales = ctx_.Empty({n, block.Groups(k)}, DType::kF32, MemoryTag::kWorkspace);
    if (block.Bytes(n, k) != static_cast<int64_t>(tensor.info.bytes.size())) {
      Fail(ErrorKind::kInvalidFile, "{}: tensor {}: shape {} does not fill the blocks of {}",
           tensor.info.file, Quoted(tensor.info.name), ShapeText(tensor.info.shape), block.name);
    }
    const int64_t wrong = DecodeTritBlocks(block, BytesOf(tensor.info), n, k, trits.data<int8_t>(),
                                           scales.data<float>());
    if (wrong >= 0) {
      Fail(block.type == "Q2_0" || block.type == "Q2_0_G128" ? ErrorKind::kUnsupported
                                                             : ErrorKind::kInvalidFile,
           "{}: tensor {}: block {} holds the code 3, which is no trit; {}", tensor.info.file,
           Quoted(tensor.info.name), wrong,
           block.type == "I2_S" ? "the file is damaged"
                                : "it is not a ternary model; take its checkpoint of floats");
    }
    const std::span<const float> values = scales.span<float>();
    const auto bad = std::find_if(values.begin(), values.end(),
                                  [](float scale) { return !std::isfinite(scale); });
    if (bad != values.end()) {
      Fail(ErrorKind::kNumeric, "{}: tensor {}: scale {} is {}; scales must be finite",
           tensor.info.file, Quoted(tensor.info.name), bad - values.begin(), *bad);
    }
    return {trits, scales};
  }

  TernaryWeight Packed(const std::string& name, const GgufTensor& tensor, const TritBlock& block) {
    auto [trits, scales] = Decode(tensor, block);
    file_.Release(tensor);
    ApplyScaleTensor(tensor.info.name, &scales);
    return ops::PackTernary(ctx_, WithHalves(name, trits), WithHalves(name, scales));
  }

  // Older files of the architecture bitnet keep the scale in a tensor of its own, beside blocks
  // whose scale is 1.
  void ApplyScaleTensor(std::string_view name, Tensor* scales) {
    const std::string_view stem = name.substr(0, name.rfind('.'));
    const GgufTensor* tensor = file_.Find(fmt::format("{}.scale", stem));
    if (tensor == nullptr) return;
    RequireShape(tensor->info, std::vector<int64_t>{1});
    used_.insert(tensor->info.name);
    float factor = 0;
    ReadFloats(ctx_, tensor->info, DType::kF32, &factor);
    for (float& scale : scales->span<float>()) scale *= factor;
  }

  void ReadInto(const GgufTensor& tensor, Tensor* value) {
    if (tensor.info.dtype) return ReadFloats(ctx_, tensor.info, value->dtype(), value->raw());
    float* out = value->data<float>();
    const int64_t count = tensor.info.element_count;
    if (const FloatBlock* block = FindFloatBlock(tensor.type->name)) {
      const uint8_t* bytes = BytesOf(tensor.info).data();
      for (int64_t i = 0; i < count; i += block->elements, bytes += block->bytes) {
        block->decode(bytes, out + i);
      }
    } else if (const TritBlock* trit_block = BlockOf(tensor)) {
      const auto [trits, scales] = Decode(tensor, *trit_block);
      const int64_t each = count / scales.elements();
      for (int64_t i = 0; i < count; ++i) {
        out[i] = static_cast<float>(trits.data<int8_t>()[i]) * scales.data<float>()[i / each];
      }
    } else {
      RefuseType(tensor);
    }
    const float* const bad =
        std::find_if(out, out + count, [](float element) { return !std::isfinite(element); });
    if (bad != out + count) {
      Fail(ErrorKind::kNumeric, "{}: tensor {}: element {} is {}; weights must be finite",
           tensor.info.file, Quoted(tensor.info.name), bad - out, *bad);
    }
  }

  // The trits of floats [n, k] that are ternary already.
  std::optional<TernaryWeight> Found(const std::string& name, const Tensor& weights) {
    std::optional<TritsAndScales> found = FindTritsIn(ctx_, weights);
    if (!found) return std::nullopt;
    ApplyScaleTensor(GgufTensorName(family_, name), &found->scales);
    return ops::PackTernary(ctx_, found->trits, found->scales);
  }

  // Rows of q and k, and what belongs to them, in the order of halves: of a head's rows 2 i + s
  // goes to s head_dim / 2 + i.
  Tensor WithHalves(const std::string& name, const Tensor& value) {
    const bool rotated =
        name.find(".q_proj.") != std::string::npos || name.find(".k_proj.") != std::string::npos;
    if (!neighbours_ || !rotated) return value;
    Tensor out = ctx_.Empty(value.shape(), value.dtype(), MemoryTag::kWeights);
    const int64_t head = config_.head_dim;
    const size_t row_bytes = value.bytes() / static_cast<size_t>(value.dim(0));
    for (int64_t row = 0; row < value.dim(0); ++row) {
      const int64_t in_head = row % head;
      const int64_t target = row - in_head + in_head % 2 * (head / 2) + in_head / 2;
      std::memcpy(static_cast<std::byte*>(out.raw()) + static_cast<size_t>(target) * row_bytes,
                  static_cast<const std::byte*>(value.raw()) + static_cast<size_t>(row) * row_bytes,
                  row_bytes);
    }
    return out;
  }

  Context& ctx_;
  const GgufFile& file_;
  const ModelConfig& config_;
  const ModelFamily& family_;
  const LoadOptions& options_;
  bool neighbours_ = false;
  std::set<std::string, std::less<>> used_;
};

// Whether the head is the embedding, left out or written twice.
bool IsTied(const GgufFile& file) {
  const GgufTensor* head = file.Find("output.weight");
  if (head == nullptr) return true;
  const GgufTensor& embedding = file.Get("token_embd.weight");
  return head->type == embedding.type && head->info.shape == embedding.info.shape &&
         std::memcmp(head->info.bytes.data(), embedding.info.bytes.data(),
                     head->info.bytes.size()) == 0;
}

}  // namespace

LoadedModel LoadGgufModel(Context& ctx, const std::string& path, const LoadOptions& options) {
  const GgufFile file(path);
  ModelConfig config = ReadGgufConfig(file);
  config.float_dtype = options.float_dtype;
  config.tie_embeddings = IsTied(file);
  if (options.weights == FloatWeights::kMasters) config.weights = nn::WeightKind::kTernary;
  if (options.weights == FloatWeights::kPlain) config.weights = nn::WeightKind::kF32;
  LoadedModel loaded = {.model = nullptr, .tokenizer = {}, .path = path};
  if (options.tokenizer) loaded.tokenizer = ReadGgufTokenizer(file.metadata());
  if (loaded.tokenizer && loaded.tokenizer->vocab_size() > config.vocab_size) {
    Fail(ErrorKind::kInvalidFile, "{}: {} token ids do not fit an embedding of {} rows", path,
         loaded.tokenizer->vocab_size(), config.vocab_size);
  }
  GgufSource source(ctx, file, config, options);
  loaded.model = std::make_unique<Model>(config, source);
  source.ReportUnused();
  if (!options.keep_masters) loaded.model->Pack(ctx, options.layout);
  return loaded;
}

}  // namespace tern
