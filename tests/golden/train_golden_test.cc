// SPDX-License-Identifier: MIT
// Training against reference states: losses, every gradient, AdamW, and a run of 30 steps. Where
// the tolerances come from stands in README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/settings.h"
#include "tern/io/json_file.h"
#include "tern/io/safetensors.h"
#include "tern/models/model.h"
#include "tern/train/train_step.h"
#include "tests/golden/golden.h"

namespace tern {
namespace {

const std::string& Directory() {
  static const std::string directory = GoldenDir("qat-train");
  return directory;
}

// run.json
struct Reference {
  OptimizerOptions options;
  Rates rates;
  int64_t steps = 0;
  std::vector<double> losses;
};

Reference ReadReference() {
  const std::string path = Directory() + "/run.json";
  const nlohmann::json json = ReadJsonFile(path);
  const JsonObject run(json, path);
  Reference reference;
  reference.options.beta1 = json.at("betas").at(0);
  reference.options.beta2 = json.at("betas").at(1);
  reference.options.eps = run.GetFloat("eps", 0, 1);
  reference.options.decay_all = true;
  reference.rates.learning_rate = run.GetFloat("lr", 0, 1);
  reference.rates.weight_decay = run.GetFloat("weight_decay", 0, 1);
  reference.steps = run.GetInt("steps", 1, 1 << 20);
  reference.losses = json.at("losses").get<std::vector<double>>();
  return reference;
}

void Fill(const SafetensorsFile& file, const std::string& name, const Tensor& tensor) {
  const TensorInfo& info = file.Get(name);
  RequireShape(info, tensor.shape().dims());
  CopyTo(info, DType::kF32, tensor.span<float>());
}

class TrainGolden : public ::testing::Test {
 protected:
  TrainGolden() : ctx_({.threads = 2, .log = {}}) {
    ctx_.AddBackend(std::make_unique<CpuBackend>(ReadSettings().cpu_target));
  }

  // The model with the weights that `file` names with `prefix` in front.
  std::unique_ptr<Model> MakeModel(const SafetensorsFile& file, const std::string& prefix) {
    auto model = Model::Create(ctx_, ReadModelConfig(Directory() + "/config.json"), 0);
    for (const Parameter& parameter : model->Parameters()) {
      Fill(file, prefix + parameter.name, *parameter.value);
    }
    return model;
  }

  // What step `step` of the run trains on.
  TokenBatch Batch(int64_t step) {
    const SafetensorsFile file(Directory() + "/run.safetensors");
    const TensorInfo& batches = file.Get("batches");
    std::vector<int32_t> all(static_cast<size_t>(batches.element_count));
    CopyTo(batches, DType::kI32, std::span(all));
    const int64_t sequences = batches.shape.at(1);
    const int64_t width = batches.shape.at(2);
    TokenBatch batch = TokenBatch::Empty(ctx_, sequences, width - 1);
    for (int64_t s = 0; s < sequences; ++s) {
      const int32_t* row = all.data() + (step * sequences + s) * width;
      std::copy_n(row, width - 1, batch.inputs.data<int32_t>() + s * (width - 1));
      std::copy_n(row + 1, width - 1, batch.targets.data<int32_t>() + s * (width - 1));
    }
    return batch;
  }

  Context ctx_;
};

std::string StepFile(int64_t step) {
  const std::string digits = std::to_string(step);
  return Directory() + "/step" + (digits.size() < 2 ? "0" : "") + digits + ".safetensors";
}

constexpr int64_t kStates[] = {0, 10, 20};

double RelativeError(const Tensor& value, const Tensor& expected) {
  double difference = 0;
  double norm = 0;
  for (int64_t i = 0; i < value.elements(); ++i) {
    const double e = expected.span<float>()[i];
    const double d = value.span<float>()[i] - e;
    difference += d * d;
    norm += e * e;
  }
  return std::sqrt(difference / norm);
}

TEST_F(TrainGolden, LossAndGradientsOfThreeStates) {
  for (const int64_t step : kStates) {
    SCOPED_TRACE(step);
    const SafetensorsFile state(StepFile(step));
    const auto model = MakeModel(state, "weight.");
    const TokenBatch batch = Batch(step);
    const Tensor expected_loss = ctx_.Empty({1}, DType::kF32);
    Fill(state, "loss", expected_loss);

    Tape tape(ctx_);
    const std::vector<Parameter> parameters = model->Parameters();
    const WatchedParameters watched(tape, parameters);
    const double loss = AccumulateGradients(tape, *model, batch, batch.inputs.dim(0));
    EXPECT_NEAR(loss, expected_loss.item<float>(), 2e-4 * expected_loss.item<float>());
    std::vector<double> errors;
    for (const Parameter& parameter : parameters) {
      const Tensor& gradient = tape.Gradient(*parameter.value);
      const Tensor expected = ctx_.Empty(gradient.shape(), DType::kF32);
      Fill(state, "grad." + parameter.name, expected);
      errors.push_back(RelativeError(gradient, expected));
      EXPECT_LT(errors.back(), 5e-2) << parameter.name;
    }
    std::nth_element(errors.begin(), errors.begin() + errors.size() / 2, errors.end());
    EXPECT_LT(errors[errors.size() / 2], 5e-3);
  }
}

// A mean over the batch must not depend on how it is cut into micro batches, beyond rounding.
TEST_F(TrainGolden, MicroBatchesAddUpToTheSameGradients) {
  const SafetensorsFile state(StepFile(10));
  const auto model = MakeModel(state, "weight.");
  const TokenBatch batch = Batch(10);
  const std::vector<Parameter> parameters = model->Parameters();
  for (const int64_t at_once : {1, 3}) {
    SCOPED_TRACE(at_once);
    Tape whole(ctx_);
    std::vector<Tensor> expected;
    double expected_loss = 0;
    {
      const WatchedParameters watched(whole, parameters);
      expected_loss = AccumulateGradients(whole, *model, batch, batch.inputs.dim(0));
      for (const Parameter& p : parameters) expected.push_back(whole.Gradient(*p.value));
    }
    Tape parts(ctx_);
    const WatchedParameters watched(parts, parameters);
    EXPECT_NEAR(AccumulateGradients(parts, *model, batch, at_once), expected_loss,
                1e-6 * expected_loss);
    for (size_t i = 0; i < parameters.size(); ++i) {
      EXPECT_LT(RelativeError(parts.Gradient(*parameters[i].value), expected[i]), 1e-5)
          << parameters[i].name;
    }
  }
}

TEST_F(TrainGolden, AdamWOnTheReferencesGradients) {
  const Reference reference = ReadReference();
  for (const int64_t step : kStates) {
    SCOPED_TRACE(step);
    const SafetensorsFile state(StepFile(step));
    const auto model = MakeModel(state, "weight.");
    const std::vector<Parameter> parameters = model->Parameters();
    Optimizer optimizer(ctx_, parameters, reference.options);
    optimizer.set_step(step);
    Tape tape(ctx_);
    const WatchedParameters watched(tape, parameters);
    for (const Optimizer::Slot& slot : optimizer.slots()) {
      const Parameter& parameter = slot.parameter;
      const Tensor gradient = ctx_.Empty(parameter.value->shape(), DType::kF32);
      Fill(state, "grad." + parameter.name, gradient);
      tape.SetGradient(*parameter.value, gradient);
      if (step == 0) continue;
      Fill(state, "exp_avg." + parameter.name, slot.exp_avg);
      Fill(state, "exp_avg_sq." + parameter.name, slot.exp_avg_sq);
    }
    optimizer.Step(tape, reference.rates);
    for (const Parameter& parameter : parameters) {
      const Tensor expected = ctx_.Empty(parameter.value->shape(), DType::kF32);
      Fill(state, "after." + parameter.name, expected);
      for (int64_t i = 0; i < expected.elements(); ++i) {
        ASSERT_NEAR(parameter.value->span<float>()[i], expected.span<float>()[i], 1e-6)
            << parameter.name << " " << i;
      }
    }
  }
}

TEST_F(TrainGolden, LossesOfTheWholeRun) {
  const Reference reference = ReadReference();
  const auto model = MakeModel(SafetensorsFile(Directory() + "/init.safetensors"), "");
  const TokenBatch first = Batch(0);
  TrainStep train_step(ctx_, *model, reference.options, first.inputs.dim(0));
  ASSERT_EQ(reference.losses.size(), static_cast<size_t>(reference.steps));
  double tail = 0;
  double expected_tail = 0;
  for (int64_t step = 0; step < reference.steps; ++step) {
    const double expected = reference.losses[static_cast<size_t>(step)];
    const double loss = train_step.Run(Batch(step), reference.rates).loss;
    if (step < 10) {
      EXPECT_NEAR(loss, expected, (step < 3 ? 5e-3 : 3e-2) * expected) << step;
    }
    if (step >= reference.steps - 5) {
      tail += loss;
      expected_tail += expected;
    }
  }
  EXPECT_NEAR(tail, expected_tail, 5e-2 * expected_tail);
}

}  // namespace
}  // namespace tern
