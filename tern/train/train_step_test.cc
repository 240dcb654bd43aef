// SPDX-License-Identifier: MIT
#include "tern/train/train_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "tern/io/test_files.h"
#include "tern/train/test_run.h"

namespace tern {
namespace {

using testing::ExpectError;
using testing::MakeTrainContext;
using testing::RandomBatch;
using testing::TinyModelConfig;

constexpr Rates kRates = {.learning_rate = 1e-2, .weight_decay = 0.1};

std::vector<std::vector<float>> Values(std::span<const Parameter> parameters) {
  std::vector<std::vector<float>> values;
  for (const Parameter& p : parameters) {
    const auto span = p.value->span<float>();
    values.emplace_back(span.begin(), span.end());
  }
  return values;
}

class TrainStepTest : public ::testing::Test {
 protected:
  TrainStepTest()
      : ctx_(MakeTrainContext(2)),
        model_(Model::Create(*ctx_, TinyModelConfig(), 3)),
        batch_(RandomBatch(*ctx_, 4, 12, TinyModelConfig().vocab_size)) {}

  const Parameter& Named(const TrainStep& step, const std::string& name) {
    for (const Parameter& p : step.parameters()) {
      if (p.name == name) return p;
    }
    throw std::runtime_error("no parameter " + name);
  }

  std::unique_ptr<Context> ctx_;
  std::unique_ptr<Model> model_;
  TokenBatch batch_;
};

TEST_F(TrainStepTest, LearnsABatchByHeart) {
  TrainStep step(*ctx_, *model_, {}, 4);
  const double first = step.Run(batch_, kRates).loss;
  double last = first;
  for (int i = 0; i < 60; ++i) last = step.Run(batch_, kRates).loss;
  EXPECT_NEAR(first, std::log(40), 0.3);
  EXPECT_LT(last, first / 2);
  EXPECT_EQ(step.optimizer().step(), 61);
}

// What steps on batches of four sequences make of the parameters.
std::vector<std::vector<float>> Trained(int threads, const ModelConfig& config, int64_t length,
                                        int steps) {
  const auto ctx = MakeTrainContext(threads);
  const auto model = Model::Create(*ctx, config, 3);
  TrainStep step(*ctx, *model, {}, 4);
  const TokenBatch batch = RandomBatch(*ctx, 4, length, config.vocab_size);
  for (int i = 0; i < steps; ++i) step.Run(batch, kRates);
  return Values(step.parameters());
}

TEST_F(TrainStepTest, GivesTheSameBitsForAnyNumberOfThreads) {
  EXPECT_EQ(Trained(3, TinyModelConfig(), 12, 5), Trained(1, TinyModelConfig(), 12, 5));
}

// Matrices that are cut into many pieces, and more threads than cores.
TEST_F(TrainStepTest, GivesTheSameBitsForManyThreadsOnLargeMatrices) {
  ModelConfig config = TinyModelConfig();
  config.vocab_size = 600;
  config.hidden_size = 128;
  config.intermediate_size = 300;
  config.layers = 1;
  config.head_dim = 64;
  config.max_positions = 270;
  EXPECT_EQ(Trained(16, config, 270, 1), Trained(1, config, 270, 1));
}

TEST_F(TrainStepTest, DecaysMatricesAloneUnlessToldOtherwise) {
  for (const bool all : {false, true}) {
    OptimizerOptions options;
    options.decay_all = all;
    const Optimizer optimizer(*ctx_, model_->Parameters(), options);
    for (const Optimizer::Slot& slot : optimizer.slots()) {
      const bool matrix = slot.parameter.kind == ParameterKind::kTernaryMaster;
      EXPECT_EQ(slot.decays, all || matrix) << slot.parameter.name;
    }
  }
}

TEST_F(TrainStepTest, ClipsAllGradientsTogetherByTheirNorm) {
  // The first moment after one step is (1 - beta1) times the gradient as it was used.
  const auto norm_of_used = [&](double clip_norm, double* reported) {
    const auto model = Model::Create(*ctx_, TinyModelConfig(), 3);
    TrainStep step(*ctx_, *model, {.beta1 = 0.5, .clip_norm = clip_norm}, 4);
    *reported = step.Run(batch_, kRates).gradient_norm;
    double sum = 0;
    for (const Optimizer::Slot& slot : step.optimizer().slots()) {
      for (const double m : slot.exp_avg.span<float>()) sum += 4 * m * m;
    }
    return std::sqrt(sum);
  };
  double norm = 0;
  double clipped_norm = 0;
  const double used = norm_of_used(0, &norm);
  EXPECT_NEAR(used, norm, 1e-5 * norm);
  EXPECT_NEAR(norm_of_used(norm / 4, &clipped_norm), norm / 4, 1e-5 * norm);
  EXPECT_EQ(clipped_norm, norm);
  EXPECT_NEAR(norm_of_used(norm * 2, &clipped_norm), norm, 1e-5 * norm);
}

TEST_F(TrainStepTest, FindsTheParameterThatIsNotFinite) {
  TrainStep step(*ctx_, *model_, {}, 4);
  EXPECT_EQ(FirstNotFinite(*ctx_, step.parameters()), "");
  const std::string name = "model.layers.1.mlp.up_proj.weight";
  Named(step, name).value->span<float>()[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(FirstNotFinite(*ctx_, step.parameters()), name);
  EXPECT_THROW(step.Run(batch_, kRates), Error);
  for (const Parameter& p : step.parameters()) EXPECT_EQ(p.value->link().tape, nullptr);
}

TEST_F(TrainStepTest, StopsAtALossThatIsNotFinite) {
  TrainStep step(*ctx_, *model_, {}, 4);
  for (float& w : Named(step, "model.norm.weight").value->span<float>()) w = 3e38f;
  const auto before = Values(step.parameters());
  ExpectError([&] { step.Run(batch_, kRates); }, ErrorKind::kNumeric, {"the loss is"});
  EXPECT_EQ(Values(step.parameters()), before);
}

TEST_F(TrainStepTest, NamesTheGradientThatIsNotFiniteAndChangesNothing) {
  const std::vector<Parameter> parameters = model_->Parameters();
  Optimizer optimizer(*ctx_, parameters, {});
  Tape tape(*ctx_);
  const WatchedParameters watched(tape, parameters);
  AccumulateGradients(tape, *model_, batch_, 4);
  const Parameter& last = parameters.back();
  Tensor gradient = tape.Gradient(*last.value);
  gradient.span<float>().front() = std::numeric_limits<float>::infinity();
  const auto before = Values(parameters);
  ExpectError([&] { optimizer.Step(tape, kRates); }, ErrorKind::kNumeric, {last.name});
  EXPECT_EQ(Values(parameters), before);
  EXPECT_EQ(optimizer.step(), 0);
}

TEST_F(TrainStepTest, EvaluatesEveryTokenButTheFirst) {
  constexpr int64_t kTokens = 67;
  std::vector<uint16_t> ids(kTokens);
  Random random(9);
  for (uint16_t& id : ids) id = static_cast<uint16_t>(random.Below(40));
  const TokenSpan span(reinterpret_cast<const std::byte*>(ids.data()), kTokens, 2);
  const Evaluation once = Evaluate(*ctx_, *model_, span, 12, 3);
  EXPECT_EQ(once.tokens, kTokens - 1);
  EXPECT_NEAR(once.nats / static_cast<double>(once.tokens), std::log(40), 0.3);
  EXPECT_NEAR(Evaluate(*ctx_, *model_, span, 12, 1).nats, once.nats, 1e-9 * once.nats);
  EXPECT_EQ(Evaluate(*ctx_, *model_, span.Part(0, 1), 12, 1).tokens, 0);
}

}  // namespace
}  // namespace tern
