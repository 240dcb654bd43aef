// SPDX-License-Identifier: MIT
// The files of a training run (trainer.h): its texts as tokens, and its checkpoints.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tern/core/context.h"
#include "tern/models/checkpoint.h"
#include "tern/models/model.h"
#include "tern/text/tokenizer.h"
#include "tern/train/optimizer.h"
#include "tern/train/token_data.h"
#include "tern/train/train_config.h"

namespace tern {

inline constexpr const char* kTrainConfigFile = "/train.json";
inline constexpr const char* kTokenizerFile = "/tokenizer.json";
inline constexpr const char* kTrainTokensFile = "/train.ids";
inline constexpr const char* kValidTokensFile = "/valid.ids";
inline constexpr const char* kCurveFile = "/curve.csv";
inline constexpr const char* kModelDirectory = "/model";

// The run's tokens, divided into those to train on and those to evaluate with.
class RunTokens {
 public:
  // Without a file of its own the validation text is the end of the training text.
  RunTokens(const std::string& directory, const Tokenizer& tokenizer, const TrainConfig& config);

  TokenSpan training() const { return training_; }
  TokenSpan validation() const { return validation_; }  // may be empty

 private:
  TokenFile train_file_;
  std::optional<TokenFile> valid_file_;
  TokenSpan training_;
  TokenSpan validation_;
};

struct RunPosition {
  int64_t step = 0;  // done
  double smoothed_loss = 0;
};

// Writes the checkpoint of that position below `directory`, whole or not at all, and then removes
// earlier ones. The model takes along what lies in `directory` about generation and chats
// (SaveOptions::companions). Error(kNumeric) when a weight is not finite: what is there stays.
void SaveRunCheckpoint(Context& ctx, const std::string& directory, const Tokenizer& tokenizer,
                       Model& model, const Optimizer& optimizer, const RunPosition& position);

// The last checkpoint below `directory`. Error(kInvalidFile) if there is none.
std::string FindRunCheckpoint(const std::string& directory);
RunPosition ReadRunPosition(const std::string& checkpoint);
// Moments, and parameters where the model's files hold them rounded, into the optimizer's slots.
void LoadOptimizer(const std::string& checkpoint, Optimizer* optimizer);

// The settings that a model which training goes on from decides.
void TakeShape(const ModelConfig& model, TrainConfig* config);
// Error(kInvalidFile) that begins with `place` when the settings are those of another model.
void RequireShape(const TrainConfig& config, const ModelConfig& model, const std::string& place);

OptimizerOptions OptimizerOptionsOf(const TrainConfig& config);

}  // namespace tern
