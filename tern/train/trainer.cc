// SPDX-License-Identifier: MIT
#include "tern/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <utility>

#include "tern/base/error.h"
#include "tern/models/checkpoint.h"
#include "tern/train/curve.h"
#include "tern/train/run_directory.h"
#include "tern/train/train_step.h"

namespace tern {
namespace {

using Clock = std::chrono::steady_clock;

// The smoothed loss, and the speed that progress shows, follow about this many steps.
constexpr int64_t kLossSteps = 30;
constexpr int64_t kSpeedSteps = 10;

// The mean of the first `horizon` values, then an exponential one: `value` is the count-th.
double Smooth(double old, double value, int64_t count, int64_t horizon) {
  return old + (value - old) / static_cast<double>(std::min(count, horizon));
}

bool IsDue(int64_t step, int64_t interval) { return interval > 0 && step % interval == 0; }

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// The time of this process's steps.
class Pace {
 public:
  void Fill(int64_t batch_tokens, TrainProgress* progress) {
    const Clock::time_point now = Clock::now();
    ++steps_;
    step_seconds_ = Smooth(step_seconds_, Seconds(now - last_), steps_, kSpeedSteps);
    progress->tokens_per_second = static_cast<double>(batch_tokens) / step_seconds_;
    progress->seconds_left = Seconds(now - start_) / static_cast<double>(steps_) *
                             static_cast<double>(progress->steps - progress->step);
  }
  // What lies between is no training.
  void StartStep() { last_ = Clock::now(); }

 private:
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
  int64_t steps_ = 0;
  double step_seconds_ = 0;
};

std::unique_ptr<Model> LoadRunModel(Context& ctx, const std::string& run,
                                    const std::string& checkpoint, const TrainConfig& config) {
  LoadedModel loaded = LoadModel(ctx, checkpoint + kModelDirectory,
                                 {.keep_masters = true, .float_dtype = FloatDTypeOf(config)});
  RequireShape(config, loaded.model->config(), run + kTrainConfigFile);
  return std::move(loaded.model);
}

}  // namespace

struct Trainer::State {
  State(Context& context, const std::string& run, const std::string& checkpoint)
      : ctx(context),
        directory(run),
        config(ReadTrainConfig(run + kTrainConfigFile)),
        tokenizer(Tokenizer::FromFile(run + kTokenizerFile)),
        tokens(run, tokenizer, config),
        token_bytes(tokenizer),
        model(LoadRunModel(context, run, checkpoint, config)),
        position(ReadRunPosition(checkpoint)),
        train_step(context, *model, OptimizerOptionsOf(config), config.sequences_at_once()),
        sampler(tokens.training(), config.sequence_length, static_cast<uint64_t>(config.seed)),
        batch(TokenBatch::Empty(context, config.sequences_per_step(), config.sequence_length)) {
    LoadOptimizer(checkpoint, &train_step.optimizer());
  }

  TrainProgress Step(const Schedule& schedule);
  TrainEvaluation Evaluate();
  void Save();
  [[noreturn]] void FailNumeric(const Error& error);

  Context& ctx;
  std::string directory;
  TrainConfig config;
  Tokenizer tokenizer;
  RunTokens tokens;
  TokenBytes token_bytes;
  std::unique_ptr<Model> model;
  RunPosition position;
  TrainStep train_step;
  WindowSampler sampler;
  TokenBatch batch;
};

TrainProgress Trainer::State::Step(const Schedule& schedule) {
  const Rates rates = RatesAt(schedule, position.step);
  sampler.Fill(position.step, batch);
  const StepResult result = train_step.Run(batch, rates);
  ++position.step;
  position.smoothed_loss = Smooth(position.smoothed_loss, result.loss, position.step, kLossSteps);
  return {.step = position.step,
          .steps = config.steps,
          .loss = result.loss,
          .smoothed_loss = position.smoothed_loss,
          .learning_rate = rates.learning_rate,
          .gradient_norm = result.gradient_norm};
}

TrainEvaluation Trainer::State::Evaluate() {
  TokenSpan ids = tokens.validation();
  if (position.step < config.steps) ids = ids.Part(0, std::min(ids.size(), config.eval_tokens));
  if (ids.size() < 2) return {.step = position.step};
  const Evaluation sums =
      tern::Evaluate(ctx, *model, ids, config.sequence_length, config.sequences_at_once());
  const int64_t bytes = token_bytes.Count(ids.Part(1, ids.size()));
  return {.step = position.step,
          .nats_per_token = sums.nats / static_cast<double>(sums.tokens),
          .bits_per_byte = sums.nats / std::numbers::ln2 / static_cast<double>(bytes),
          .tokens = sums.tokens,
          .bytes = bytes};
}

void Trainer::State::Save() {
  SaveRunCheckpoint(ctx, directory, tokenizer, *model, train_step.optimizer(), position);
}

void Trainer::State::FailNumeric(const Error& error) {
  const std::string bad = FirstNotFinite(ctx, train_step.parameters());
  Fail(ErrorKind::kNumeric, "after step {}: {}{}{}; the last good checkpoint is {}", position.step,
       error.what(), bad.empty() ? "" : "; NaN or infinity is in ", bad,
       FindRunCheckpoint(directory));
}

Trainer::Trainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Trainer::~Trainer() = default;

std::unique_ptr<Trainer> Trainer::Resume(Context& ctx, const std::string& directory) {
  const std::string checkpoint = FindRunCheckpoint(directory);
  return std::unique_ptr<Trainer>(new Trainer(std::make_unique<State>(ctx, directory, checkpoint)));
}

TrainSummary Trainer::Run(const TrainObserver& observer) {
  State& s = *state_;
  const Schedule schedule = ScheduleOf(s.config);
  Curve curve(s.directory + kCurveFile, s.position.step);
  Pace pace;
  TrainSummary summary;
  summary.last = {
      .step = s.position.step, .steps = s.config.steps, .smoothed_loss = s.position.smoothed_loss};
  const auto evaluate = [&] {
    summary.evaluation = s.Evaluate();
    if (summary.evaluation.tokens == 0) return;
    curve.Add(summary.evaluation);
    if (observer.on_evaluation) observer.on_evaluation(summary.evaluation);
  };
  try {
    bool stopped = false;
    while (!stopped && s.position.step < s.config.steps) {
      pace.StartStep();
      summary.last = s.Step(schedule);
      pace.Fill(s.config.batch_tokens, &summary.last);
      curve.Add(summary.last);
      stopped = observer.on_step && !observer.on_step(summary.last);
      const int64_t step = s.position.step;
      if (step < s.config.steps && IsDue(step, s.config.eval_interval)) evaluate();
      if (stopped || step == s.config.steps || IsDue(step, s.config.checkpoint_interval)) s.Save();
    }
    if (s.position.step < s.config.steps) return summary;
    evaluate();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNumeric) throw;
    s.FailNumeric(error);
  }
  summary.finished = true;
  summary.model_path = s.directory + kModelDirectory;
  SaveModel(s.ctx, *s.model, summary.model_path,
            {.tokenizer = &s.tokenizer, .companions = s.directory, .replace = true});
  return summary;
}

const TrainConfig& Trainer::config() const { return state_->config; }
const Model& Trainer::model() const { return *state_->model; }
const Tokenizer& Trainer::tokenizer() const { return state_->tokenizer; }
int64_t Trainer::step() const { return state_->position.step; }
int64_t Trainer::training_tokens() const { return state_->tokens.training().size(); }

}  // namespace tern
