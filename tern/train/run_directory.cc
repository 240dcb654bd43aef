// SPDX-License-Identifier: MIT
#include "tern/train/run_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "tern/base/atomic_file.h"
#include "tern/base/error.h"
#include "tern/io/json_file.h"
#include "tern/io/safetensors.h"
#include "tern/io/safetensors_writer.h"
#include "tern/train/train_step.h"

namespace tern {
namespace {

constexpr std::string_view kCheckpointPrefix = "checkpoint-";
constexpr const char* kOptimizerFile = "/optimizer.safetensors";
constexpr const char* kPositionFile = "/position.json";

// Names of complete checkpoints, in order of their steps: an unfinished one has another name.
std::vector<std::string> CheckpointNames(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const std::string_view digits = std::string_view(name).substr(
        name.starts_with(kCheckpointPrefix) ? kCheckpointPrefix.size() : name.size());
    const bool number = !digits.empty() && std::all_of(digits.begin(), digits.end(),
                                                       [](char c) { return c >= '0' && c <= '9'; });
    if (number && entry.is_directory()) names.push_back(name);
  }
  if (error) Fail(ErrorKind::kIo, "{}: {}", directory, error.message());
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return names;
}

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// What the optimizer's file holds. A model's files hold parameters exactly only in f32.
std::vector<NamedTensor> OptimizerTensors(const Optimizer& optimizer, bool with_weights) {
  std::vector<NamedTensor> tensors;
  for (const Optimizer::Slot& slot : optimizer.slots()) {
    const std::string& name = slot.parameter.name;
    tensors.push_back({"exp_avg." + name, slot.exp_avg});
    tensors.push_back({"exp_avg_sq." + name, slot.exp_avg_sq});
    if (with_weights) tensors.push_back({"weight." + name, *slot.parameter.value});
  }
  return tensors;
}

void SaveOptimizer(const std::string& path, const Optimizer& optimizer, bool with_weights) {
  const std::vector<NamedTensor> tensors = OptimizerTensors(optimizer, with_weights);
  std::vector<TensorSpec> specs;
  for (const NamedTensor& t : tensors) {
    const auto dims = t.tensor.shape().dims();
    specs.push_back({t.name, DType::kF32, {dims.begin(), dims.end()}});
  }
  SafetensorsWriter writer(path, std::move(specs));
  for (const NamedTensor& t : tensors) {
    writer.AppendValues<float>(t.name, t.tensor.span<float>());
  }
  writer.Commit();
}

}  // namespace

RunTokens::RunTokens(const std::string& directory, const Tokenizer& tokenizer,
                     const TrainConfig& config)
    : train_file_(directory + kTrainTokensFile, tokenizer) {
  training_ = train_file_.ids();
  if (std::filesystem::exists(directory + kValidTokensFile)) {
    validation_ = valid_file_.emplace(directory + kValidTokensFile, tokenizer).ids();
    return;
  }
  const auto kept =
      static_cast<int64_t>(static_cast<double>(training_.size()) * config.validation_fraction);
  const int64_t split = training_.size() - kept;
  validation_ = training_.Part(split, training_.size());
  training_ = training_.Part(0, split);
}

void SaveRunCheckpoint(Context& ctx, const std::string& directory, const Tokenizer& tokenizer,
                       Model& model, const Optimizer& optimizer, const RunPosition& position) {
  if (!FirstNotFinite(ctx, model.Parameters()).empty()) {
    Fail(ErrorKind::kNumeric, "the update made weights that are not finite");
  }
  const std::string name = fmt::format("{}{:06}", kCheckpointPrefix, position.step);
  const std::vector<std::string> earlier = CheckpointNames(directory);
  AtomicDirectory checkpoint(directory + "/" + name, AtomicDirectory::Existing::kReplace);
  const std::string& staging = checkpoint.staging_path();
  SaveModel(ctx, model, staging + kModelDirectory,
            {.tokenizer = &tokenizer, .companions = directory});
  SaveOptimizer(staging + kOptimizerFile, optimizer, model.config().float_dtype != DType::kF32);
  WriteJsonFile(staging + kPositionFile,
                {{"step", position.step}, {"smoothed_loss", position.smoothed_loss}});
  checkpoint.Commit();
  for (const std::string& old : earlier) {
    std::error_code error;
    if (old != name) std::filesystem::remove_all(directory + "/" + old, error);
    if (error)
      Fail(ErrorKind::kIo, "{}/{}: cannot be removed: {}", directory, old, error.message());
  }
}

std::string FindRunCheckpoint(const std::string& directory) {
  const std::vector<std::string> names = CheckpointNames(directory);
  if (names.empty()) {
    Fail(ErrorKind::kInvalidFile, "{}: holds no checkpoint; start a new run in an empty directory",
         directory);
  }
  return directory + "/" + names.back();
}

RunPosition ReadRunPosition(const std::string& checkpoint) {
  const std::string path = checkpoint + kPositionFile;
  const nlohmann::json json = ReadJsonFile(path);
  const JsonObject object(json, path);
  return {.step = object.GetInt("step", 0, int64_t{1} << 40),
          .smoothed_loss = object.GetFloat("smoothed_loss", 0, 1e30)};
}

void LoadOptimizer(const std::string& checkpoint, Optimizer* optimizer) {
  const SafetensorsFile file(checkpoint + kOptimizerFile);
  const bool with_weights =
      file.Find("weight." + optimizer->slots().front().parameter.name) != nullptr;
  for (const NamedTensor& t : OptimizerTensors(*optimizer, with_weights)) {
    const TensorInfo& info = file.Get(t.name);
    RequireShape(info, t.tensor.shape().dims());
    CopyTo(info, DType::kF32, t.tensor.span<float>());
  }
  optimizer->set_step(ReadRunPosition(checkpoint).step);
}

void TakeShape(const ModelConfig& model, TrainConfig* config) {
  config->hidden_size = model.hidden_size;
  config->intermediate_size = model.intermediate_size;
  config->num_hidden_layers = model.layers;
  config->num_attention_heads = model.heads;
  config->num_key_value_heads = model.kv_heads;
  config->max_position_embeddings = model.max_positions;
  config->rope_theta = model.rope_theta;
  config->rms_norm_eps = model.rms_norm_eps;
  config->hidden_act = model.activation == Activation::kSilu ? "silu" : "relu2";
  config->tie_word_embeddings = model.tie_embeddings;
  config->weights = model.weights == nn::WeightKind::kTernary ? "ternary" : "f32";
  config->quantizer = model.quantizer == TernaryQuantizer::kSign ? "sign" : "absmean";
}

void RequireShape(const TrainConfig& config, const ModelConfig& model, const std::string& place) {
  TrainConfig shaped = config;
  TakeShape(model, &shaped);
  shaped.vocab_size = model.vocab_size;
  const nlohmann::ordered_json given = TrainConfigToJson(config), held = TrainConfigToJson(shaped);
  for (const auto& item : held.items()) {
    const nlohmann::ordered_json& value = given.at(item.key());
    if (value == item.value()) continue;
    Fail(ErrorKind::kInvalidFile, "{}: \"{}\" is {}, but the run's model has {}; put that back",
         place, item.key(), value.dump(), item.value().dump());
  }
}

OptimizerOptions OptimizerOptionsOf(const TrainConfig& config) {
  return {.beta1 = config.beta1,
          .beta2 = config.beta2,
          .eps = config.eps,
          .clip_norm = config.clip_norm,
          .decay_all = config.decay == "all"};
}

}  // namespace tern
