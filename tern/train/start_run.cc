// SPDX-License-Identifier: MIT
// Trainer::Start: from texts to a run's directory with its first checkpoint.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "tern/base/atomic_file.h"
#include "tern/base/error.h"
#include "tern/base/mapped_file.h"
#include "tern/base/read_file.h"
#include "tern/io/json_file.h"
#include "tern/models/checkpoint.h"
#include "tern/text/tokenizer_trainer.h"
#include "tern/train/run_directory.h"
#include "tern/train/trainer.h"

namespace tern {
namespace {

constexpr const char* kDocumentEnd = "<|endoftext|>";

ModelConfig ModelConfigOf(const TrainConfig& config, const Tokenizer& tokenizer) {
  ModelConfig model;
  model.vocab_size = tokenizer.vocab_size();
  model.hidden_size = config.hidden_size;
  model.intermediate_size = config.intermediate_size;
  model.layers = config.num_hidden_layers;
  model.heads = config.num_attention_heads;
  model.kv_heads = config.num_key_value_heads;
  model.head_dim = config.hidden_size / config.num_attention_heads;
  model.max_positions = config.max_position_embeddings;
  model.rope_theta = config.rope_theta;
  model.rms_norm_eps = config.rms_norm_eps;
  model.activation = config.hidden_act == "silu" ? Activation::kSilu : Activation::kRelu2;
  model.tie_embeddings = config.tie_word_embeddings;
  model.weights = config.weights == "ternary" ? nn::WeightKind::kTernary : nn::WeightKind::kF32;
  model.quantizer =
      config.quantizer == "sign" ? TernaryQuantizer::kSign : TernaryQuantizer::kAbsMean;
  model.float_dtype = FloatDTypeOf(config);
  if (const std::optional<int32_t> end = tokenizer.TokenId(kDocumentEnd)) {
    model.bos = *end;
    model.eos = {*end};
  }
  return model;
}

Tokenizer TrainTokenizer(Context& ctx, const TrainConfig& config,
                         const std::vector<std::string>& texts, Poll poll) {
  constexpr size_t kChunkBytes = size_t{1} << 20;
  ctx.Log(LogLevel::kInfo, fmt::format("training a tokenizer of {} tokens", config.vocab_size));
  TokenizerTrainer trainer(
      {.vocab_size = static_cast<int32_t>(config.vocab_size), .special_tokens = {kDocumentEnd}});
  for (const std::string& path : texts) {
    const MappedFile file(path);
    RequireUtf8(file, poll);
    for (auto left = file.bytes(); !left.empty();) {
      poll();
      const auto chunk = left.first(std::min(kChunkBytes, left.size()));
      trainer.Add({reinterpret_cast<const char*>(chunk.data()), chunk.size()});
      file.Release(chunk);
      left = left.subspan(chunk.size());
    }
  }
  return trainer.Train(poll);
}

struct Beginning {
  std::unique_ptr<Model> model;
  Tokenizer tokenizer;
};

Beginning LoadBeginning(Context& ctx, const std::string& path, TrainConfig* config) {
  LoadedModel loaded =
      LoadModel(ctx, path, {.keep_masters = true, .float_dtype = FloatDTypeOf(*config)});
  if (loaded.model->config().weights == nn::WeightKind::kTernary && !loaded.model->has_masters()) {
    Fail(ErrorKind::kInvalidArgument,
         "{}: holds packed weights, which do not train; give the masters that they were made from",
         path);
  }
  if (!loaded.tokenizer) {
    Fail(ErrorKind::kInvalidFile, "{}: has no tokenizer.json, so no text can be read for it", path);
  }
  TakeShape(loaded.model->config(), config);
  return {std::move(loaded.model), std::move(*loaded.tokenizer)};
}

// The run's models keep what the model at `init` says about generation, its tokenizer and chats.
void TakeCompanions(const std::string& init, const std::string& directory) {
  constexpr size_t kMaxCompanionBytes = size_t{64} << 20;
  for (const std::string_view name : CompanionFiles()) {
    const std::string from = fmt::format("{}/{}", init, name);
    std::error_code ignored;
    if (!std::filesystem::exists(from, ignored)) continue;
    WriteFileAtomically(fmt::format("{}/{}", directory, name), ReadFile(from, kMaxCompanionBytes));
  }
}

Beginning MakeBeginning(Context& ctx, const TrainSource& source, TrainConfig* config, Poll poll) {
  Tokenizer tokenizer = source.tokenizer.empty() ? TrainTokenizer(ctx, *config, source.data, poll)
                                                 : Tokenizer::FromFile(source.tokenizer);
  const ModelConfig model = ModelConfigOf(*config, tokenizer);
  CheckModelConfig(model, "the model to train");
  return {Model::Create(ctx, model, static_cast<uint64_t>(config->seed)), std::move(tokenizer)};
}

void WriteTokens(Context& ctx, const TrainSource& source, const Tokenizer& tokenizer,
                 const std::string& directory, Poll poll) {
  ctx.Log(LogLevel::kInfo, "encoding the text");
  WriteTokenFile(ctx.threads(), tokenizer, source.data, directory + kTrainTokensFile, poll);
  if (!source.validation.empty()) {
    const std::vector<std::string> paths = {source.validation};
    WriteTokenFile(ctx.threads(), tokenizer, paths, directory + kValidTokensFile, poll);
  }
}

void RequireEmpty(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(directory, error) &&
      !(fs::is_directory(directory, error) &&
        fs::directory_iterator(directory, error) == fs::directory_iterator())) {
    Fail(ErrorKind::kInvalidArgument,
         "{}: is there already; name a new directory, or resume the run that it holds", directory);
  }
}

}  // namespace

std::unique_ptr<Trainer> Trainer::Start(Context& ctx, const TrainConfig& given,
                                        const TrainSource& source, const std::string& directory,
                                        Poll poll) {
  if (source.data.empty()) {
    Fail(ErrorKind::kInvalidArgument, "training needs at least one text");
  }
  CheckTrainConfig(given, "the training settings");
  RequireEmpty(directory);
  TrainConfig config = given;
  std::optional<Beginning> loaded;
  if (!source.init.empty()) loaded = LoadBeginning(ctx, source.init, &config);
  poll();
  AtomicDirectory run(directory, AtomicDirectory::Existing::kRefuse);
  {
    Beginning begin = loaded ? std::move(*loaded) : MakeBeginning(ctx, source, &config, poll);
    config.vocab_size = begin.model->config().vocab_size;
    CheckTrainConfig(config, source.init.empty() ? "the training settings" : source.init);
    WriteFileAtomically(run.staging_path() + kTokenizerFile, begin.tokenizer.ToJson());
    WriteTokens(ctx, source, begin.tokenizer, run.staging_path(), poll);
    const RunTokens tokens(run.staging_path(), begin.tokenizer, config);
    if (!source.validation.empty() && tokens.validation().size() < 2) {
      Fail(ErrorKind::kInvalidArgument,
           "{}: is too short to measure on; give more text, or leave it out", source.validation);
    }
    if (tokens.training().size() < config.sequence_length + 1) {
      Fail(
          ErrorKind::kInvalidArgument,
          "{}: too short to train on: a window takes {} tokens, and {} are left for training; give "
          "more text, or make \"sequence_length\" smaller",
          fmt::join(source.data, ", "), config.sequence_length + 1, tokens.training().size());
    }
    if (!source.init.empty()) TakeCompanions(source.init, run.staging_path());
    WriteJsonFile(run.staging_path() + kTrainConfigFile, TrainConfigToJson(config));
    const Optimizer optimizer(ctx, begin.model->Parameters(), OptimizerOptionsOf(config));
    SaveRunCheckpoint(ctx, run.staging_path(), begin.tokenizer, *begin.model, optimizer, {});
  }
  poll();
  run.Commit();
  return Resume(ctx, directory);
}

}  // namespace tern
