// SPDX-License-Identifier: MIT
#include "tools/tern/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "tern/base/error.h"
#include "tern/io/gguf.h"
#include "tern/models/logits_hash.h"
#include "tools/tern/model_path.h"

namespace tern::cli {
namespace {

const std::map<std::string, TernaryLayout> kLayoutNames = {{"2bit", TernaryLayout::kPanels2Bit},
                                                           {"base3", TernaryLayout::kPanelsBase3}};

}  // namespace

LoadedModel Load(Context& ctx, const std::string& model, const LoadOptions& options) {
  const std::string path = ResolveModel(model);
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored) && !IsGgufFile(path)) {
    Fail(ErrorKind::kUnsupported,
         "{}: is neither a directory with config.json and safetensors files nor a GGUF file", path);
  }
  return LoadModel(ctx, path, options);
}

LoadedModel LoadWithTokenizer(Context& ctx, const std::string& model, const LoadOptions& options,
                              Purpose purpose) {
  LoadedModel loaded = Load(ctx, model, options);
  if (purpose == Purpose::kPredict && loaded.model->config().embeds) {
    Fail(ErrorKind::kInvalidArgument,
         "{}: is an embedding model, which predicts no text; `tern embed` gives embeddings",
         loaded.path);
  }
  if (!loaded.tokenizer) {
    Fail(ErrorKind::kIo,
         "{}: has no tokenizer.json, which text needs; put the model's there, or use `tern logits`",
         loaded.path);
  }
  return loaded;
}

void AddLoadOptions(CLI::App* command, LoadOptions* load) {
  const std::map<std::string, FloatWeights> names = {{"auto", FloatWeights::kByFamily},
                                                     {"masters", FloatWeights::kMasters},
                                                     {"float", FloatWeights::kPlain}};
  command
      ->add_option_function<std::string>(
          "--weights", [load, names](const std::string& name) { load->weights = names.at(name); },
          "What floats without a quantization_config are: masters, which are\n"
          "quantized (unless they are ternary already), float, or what the\n"
          "family makes of them (auto, the default)")
      ->check(CLI::IsMember(std::vector<std::string>{"auto", "masters", "float"}).description(""))
      ->type_name("KIND");
  command
      ->add_option("--i2s-layout", load->i2_s_layout,
                   "How the codes of a GGUF file's I2_S tensors lie, which the file does\n"
                   "not tell: i2_s (x86, the published files), i2_s_64 (written on ARM)\n"
                   "or i2_s_rows (without ACT_PARALLEL)")
      ->check(
          CLI::IsMember(std::vector<std::string>{"i2_s", "i2_s_64", "i2_s_rows"}).description(""))
      ->type_name("NAME");
}

void AddKvTypeOption(CLI::App* command, DType* type) {
  const std::map<std::string, DType> names = {
      {"f32", DType::kF32}, {"bf16", DType::kBF16}, {"f16", DType::kF16}, {"int8", DType::kI8}};
  command
      ->add_option_function<std::string>(
          "--kv-type", [type, names](const std::string& name) { *type = names.at(name); },
          "What keys and values are rounded to: f32 (default), bf16, f16, or int8\n"
          "with a scale for each token and head")
      ->check(CLI::IsMember(std::vector<std::string>{"f32", "bf16", "f16", "int8"}).description(""))
      ->type_name("TYPE");
}

void AddLayoutOption(CLI::App* command, std::optional<TernaryLayout>* layout) {
  command
      ->add_option_function<std::string>(
          "--weights-layout",
          [layout](const std::string& name) { *layout = kLayoutNames.at(name); },
          "How trits lie in memory: 2bit or base3, which takes a fifth less\n"
          "(default: whichever is faster here); the results are the same")
      ->check(CLI::IsMember(kLayoutNames).description(""))
      ->type_name("NAME");
}

void AddLayoutsOption(CLI::App* command, std::vector<TernaryLayout>* layouts) {
  command
      ->add_option_function<std::vector<std::string>>(
          "--weights-layout",
          [layouts](const std::vector<std::string>& names) {
            for (const std::string& name : names) layouts->push_back(kLayoutNames.at(name));
          },
          "How trits lie in memory: 2bit, base3, or 2bit,base3 in turn\n"
          "(default: whichever is faster here)")
      ->delimiter(',')
      ->check(CLI::IsMember(kLayoutNames).description(""))
      ->type_name("LIST");
}

const char* LayoutName(TernaryLayout layout) {
  return layout == TernaryLayout::kPanelsBase3 ? "base3" : "2bit";
}

std::vector<int32_t> ProbeIds(const ModelConfig& config) {
  constexpr int64_t kTokens = 32;
  constexpr int64_t kStep = 7919;  // a prime
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < std::min(kTokens, config.max_positions); ++i) {
    ids.push_back(static_cast<int32_t>((1 + i * kStep) % config.vocab_size));
  }
  return ids;
}

Tensor IdsTensor(Context& ctx, std::span<const int32_t> ids, int64_t batch) {
  Tensor tensor = ctx.Empty({batch, static_cast<int64_t>(ids.size())}, DType::kI32);
  for (int64_t row = 0; row < batch; ++row) {
    std::copy(ids.begin(), ids.end(),
              tensor.data<int32_t>() + row * static_cast<int64_t>(ids.size()));
  }
  return tensor;
}

uint64_t LogitsHash(Context& ctx, const Model& model, std::span<const int32_t> ids) {
  return HashLogits(model.Forward(ctx, IdsTensor(ctx, ids)).span<float>());
}

std::string HashText(uint64_t hash) { return fmt::format("{:016x}", hash); }

}  // namespace tern::cli
