// SPDX-License-Identifier: MIT
// Trainer: a training run that lives in one directory, from text to a model.
//
//   train.json             the configuration, complete
//   tokenizer.json         trained on the text first, unless one was given
//   train.ids, valid.ids   the text as token ids (token_data.h)
//   chat_template.jinja, ...  what came along with the model to go on from (CompanionFiles)
//   curve.csv              a line for each step, and the evaluations
//   checkpoint-NNNNNN/     after that many steps: the model as a Hugging Face directory `model`,
//                          the optimizer's moments, the step; its predecessor goes once it is whole
//   model/                 the trained model, at the end
//
// A run that was stopped, by whatever, goes on from its last checkpoint: losses and weights come to
// the same bits as those of a run that was never stopped. Trainer prints nothing: stages go to the
// context's log, steps to the observer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tern/base/function_ref.h"
#include "tern/core/context.h"
#include "tern/models/model.h"
#include "tern/text/tokenizer.h"
#include "tern/train/train_config.h"

namespace tern {

// What a new run starts from. Paths; an empty string is none.
struct TrainSource {
  std::vector<std::string> data;  // UTF-8 texts, at least one
  std::string validation;         // none: the end of `data` is kept back
  std::string tokenizer;          // a tokenizer.json; none: train one
  std::string init;               // a model with masters (and its tokenizer) to go on from
};

struct TrainProgress {
  int64_t step = 0;  // done, counting from 1
  int64_t steps = 0;
  double loss = 0;  // nats per token of this step's batch
  double smoothed_loss = 0;
  double learning_rate = 0;
  double gradient_norm = 0;  // before clipping
  double tokens_per_second = 0;
  double seconds_left = 0;
};

struct TrainEvaluation {
  int64_t step = 0;  // after that many
  double nats_per_token = 0;
  double bits_per_byte = 0;
  int64_t tokens = 0;
  int64_t bytes = 0;
};

struct TrainObserver {
  // After each step; false: write a checkpoint and return.
  std::function<bool(const TrainProgress&)> on_step;
  std::function<void(const TrainEvaluation&)> on_evaluation;
};

struct TrainSummary {
  bool finished = false;  // false: the observer stopped the run
  TrainProgress last;
  TrainEvaluation evaluation;  // the last one; of no tokens if there is no validation text
  std::string model_path;      // directory of the model; empty unless finished
};

class Trainer {
 public:
  // A new run in `directory`, which must be missing or empty. `poll` is called before the first
  // file is written, when a model to go on from has been loaded, and then while the text is read;
  // what it throws leaves nothing behind.
  static std::unique_ptr<Trainer> Start(
      Context& ctx, const TrainConfig& config, const TrainSource& source,
      const std::string& directory, Poll poll = [] {});
  // The run that `directory` holds, at its last checkpoint. Its settings stand in it.
  static std::unique_ptr<Trainer> Resume(Context& ctx, const std::string& directory);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Trains to the end. NaN or infinity in a loss, a gradient or a weight is an Error(kNumeric) that
  // names step and tensor; the last good checkpoint stays.
  TrainSummary Run(const TrainObserver& observer = {});

  const TrainConfig& config() const;
  const Model& model() const;
  const Tokenizer& tokenizer() const;
  int64_t step() const;             // steps done
  int64_t training_tokens() const;  // in the text, without what is kept back

 private:
  struct State;
  explicit Trainer(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace tern
