// SPDX-License-Identifier: MIT
// One step of training: forward and backward pass over the micro batches of a batch, then one
// update of the optimizer. This is the compute path: once warm, it asks nobody but the pool for
// memory. Between steps no parameter is watched, so that the model may be saved or evaluated.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tern/autograd/tape.h"
#include "tern/core/context.h"
#include "tern/models/model.h"
#include "tern/train/optimizer.h"
#include "tern/train/token_data.h"

namespace tern {

// The parameters are watched by the tape while this lives.
class WatchedParameters {
 public:
  WatchedParameters(Tape& tape, std::span<const Parameter> parameters);
  ~WatchedParameters();
  WatchedParameters(const WatchedParameters&) = delete;
  WatchedParameters& operator=(const WatchedParameters&) = delete;

 private:
  std::span<const Parameter> parameters_;
};

// The mean loss over the batch, in nats per token. Its gradients are added to the tape's leaves,
// micro batches of `sequences_at_once` sequences one after the other.
double AccumulateGradients(Tape& tape, const Model& model, const TokenBatch& batch,
                           int64_t sequences_at_once);

// The name of the first parameter with an element that is NaN or infinite; empty: none.
std::string FirstNotFinite(Context& ctx, std::span<const Parameter> parameters);

struct StepResult {
  double loss = 0;           // before the update
  double gradient_norm = 0;  // before clipping
};

class TrainStep {
 public:
  // The model must have masters, and outlive this.
  TrainStep(Context& ctx, Model& model, const OptimizerOptions& options, int64_t sequences_at_once);

  // Error(kNumeric) when the loss or a gradient is NaN or infinite; no parameter has changed then.
  StepResult Run(const TokenBatch& batch, const Rates& rates);

  std::span<const Parameter> parameters() const { return parameters_; }
  Optimizer& optimizer() { return optimizer_; }
  const Optimizer& optimizer() const { return optimizer_; }

 private:
  Context& ctx_;
  Model& model_;
  int64_t sequences_at_once_;
  std::vector<Parameter> parameters_;
  Optimizer optimizer_;
};

struct Evaluation {
  double nats = 0;     // summed over the tokens
  int64_t tokens = 0;  // that were predicted: all but the first
};

// What the model makes of the ids in consecutive windows of `length` tokens.
Evaluation Evaluate(Context& ctx, const Model& model, const TokenSpan& ids, int64_t length,
                    int64_t sequences_at_once);

}  // namespace tern
