// SPDX-License-Identifier: MIT
#include "tern/train/train_step.h"

#include <algorithm>
#include <cmath>

#include "tern/base/error.h"
#include "tern/ops/ops.h"

namespace tern {
namespace {

// Per-token losses [sequences * length] of the model's predictions.
Tensor TokenLosses(Context& ctx, const Model& model, const TokenBatch& batch) {
  const Tensor logits = model.Forward(ctx, batch.inputs);
  const Tensor rows =
      ops::Reshape(ctx, logits, {batch.targets.elements(), model.config().vocab_size});
  return ops::CrossEntropy(ctx, rows, batch.targets);
}

double Sum(Context& ctx, const Tensor& losses) {
  ctx.default_backend().Synchronize();
  double sum = 0;
  for (const float loss : losses.span<float>()) sum += loss;
  return sum;
}

double SumOfLosses(Context& ctx, const Model& model, const TokenBatch& batch) {
  return Sum(ctx, TokenLosses(ctx, model, batch));
}

}  // namespace

WatchedParameters::WatchedParameters(Tape& tape, std::span<const Parameter> parameters)
    : parameters_(parameters) {
  for (const Parameter& parameter : parameters_) *parameter.value = tape.Watch(*parameter.value);
}

WatchedParameters::~WatchedParameters() {
  for (const Parameter& parameter : parameters_) *parameter.value = parameter.value->Detached();
}

double AccumulateGradients(Tape& tape, const Model& model, const TokenBatch& batch,
                           int64_t sequences_at_once) {
  Context& ctx = tape.ctx();
  const int64_t sequences = batch.inputs.dim(0);
  const double tokens = static_cast<double>(batch.inputs.elements());
  double sum = 0;
  for (int64_t begin = 0; begin < sequences; begin += sequences_at_once) {
    const TokenBatch part = batch.Part(begin, std::min(begin + sequences_at_once, sequences));
    const Tensor losses = TokenLosses(ctx, model, part);
    sum += Sum(ctx, losses);
    tape.Backward(losses, ops::Full(ctx, losses.shape(), DType::kF32, 1 / tokens));
  }
  return sum / tokens;
}

std::string FirstNotFinite(Context& ctx, std::span<const Parameter> parameters) {
  const Tensor finite = ctx.Empty({1}, DType::kI32, MemoryTag::kWorkspace);
  for (const Parameter& parameter : parameters) {
    const Tensor* in[] = {parameter.value};
    const Tensor* out[] = {&finite};
    ctx.Run({.op = Op::kAllFinite, .inputs = in, .outputs = out});
    ctx.default_backend().Synchronize();
    if (finite.item<int32_t>() == 0) return parameter.name;
  }
  return "";
}

TrainStep::TrainStep(Context& ctx, Model& model, const OptimizerOptions& options,
                     int64_t sequences_at_once)
    : ctx_(ctx),
      model_(model),
      sequences_at_once_(sequences_at_once),
      parameters_(model.Parameters()),
      optimizer_(ctx, parameters_, options) {
  TERN_CHECK(!parameters_.empty() && sequences_at_once > 0);
}

StepResult TrainStep::Run(const TokenBatch& batch, const Rates& rates) {
  Tape tape(ctx_);
  const WatchedParameters watched(tape, parameters_);
  StepResult result;
  result.loss = AccumulateGradients(tape, model_, batch, sequences_at_once_);
  if (!std::isfinite(result.loss)) {
    Fail(ErrorKind::kNumeric, "the loss is {}; a lower learning rate may help", result.loss);
  }
  result.gradient_norm = optimizer_.Step(tape, rates);
  return result;
}

Evaluation Evaluate(Context& ctx, const Model& model, const TokenSpan& ids, int64_t length,
                    int64_t sequences_at_once) {
  Evaluation result;
  result.tokens = std::max<int64_t>(ids.size() - 1, 0);
  for (int64_t begin = 0; begin < result.tokens;) {
    const int64_t left = result.tokens - begin;
    const int64_t sequences = std::clamp<int64_t>(left / length, 1, sequences_at_once);
    const int64_t tokens = std::min(sequences * length, left);
    const TokenBatch batch = TokenBatch::Empty(ctx, sequences, tokens / sequences);
    ids.CopyTo(begin, batch.inputs.span<int32_t>());
    ids.CopyTo(begin + 1, batch.targets.span<int32_t>());
    result.nats += SumOfLosses(ctx, model, batch);
    begin += tokens;
  }
  return result;
}

}  // namespace tern
