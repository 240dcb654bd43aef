// SPDX-License-Identifier: MIT
#include "tern/train/trainer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tern/base/test_directory.h"
#include "tern/io/test_files.h"
#include "tern/models/checkpoint.h"
#include "tern/train/test_run.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using testing::ExpectError;
using testing::MakeTrainContext;
using testing::TinyText;
using testing::TinyTrainConfig;

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() : ctx_(MakeTrainContext(2)) {
    source_.data = {files_.Write("text.txt", TinyText(400))};
  }

  std::string Out(const std::string& name) const { return files_.File(name); }

  // Runs to `stop_at` or to the end, and notes the losses by step.
  TrainSummary Run(Trainer& trainer, int64_t stop_at = 0) {
    TrainObserver observer;
    observer.on_step = [&](const TrainProgress& progress) {
      losses_[progress.step] = progress.loss;
      return progress.step != stop_at;
    };
    return trainer.Run(observer);
  }

  std::string Weights(const std::string& directory) {
    return TestDirectory::Read(directory + "/model.safetensors");
  }

  TestDirectory files_{TestDirectory::FastParent()};
  std::unique_ptr<Context> ctx_;
  TrainSource source_;
  std::map<int64_t, double> losses_;
};

std::vector<std::string> Names(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST_F(TrainerTest, TrainsFromTextToAModelThatLoads) {
  TrainConfig config = TinyTrainConfig();
  config.steps = 60;
  const auto trainer = Trainer::Start(*ctx_, config, source_, Out("run"));
  int evaluations = 0;
  TrainObserver observer;
  observer.on_evaluation = [&](const TrainEvaluation& e) {
    ++evaluations;
    EXPECT_GT(e.bits_per_byte, 0);
  };
  const TrainSummary summary = trainer->Run(observer);
  EXPECT_TRUE(summary.finished);
  EXPECT_EQ(summary.last.step, 60);
  EXPECT_EQ(evaluations, 15);
  EXPECT_LT(summary.evaluation.nats_per_token, 4.5);
  EXPECT_LT(summary.last.smoothed_loss, 5.7);
  EXPECT_EQ(Names(Out("run")),
            (std::vector<std::string>{"checkpoint-000060", "curve.csv", "model", "tokenizer.json",
                                      "train.ids", "train.json"}));
  const std::string curve = TestDirectory::Read(Out("run") + "/curve.csv");
  EXPECT_EQ(std::count(curve.begin(), curve.end(), '\n'), 1 + 60 + 15);

  const LoadedModel loaded = LoadModel(*ctx_, summary.model_path);
  EXPECT_EQ(loaded.model->config().weights, nn::WeightKind::kTernary);
  ASSERT_TRUE(loaded.tokenizer.has_value());
  EXPECT_EQ(loaded.model->config().eos.front(), loaded.tokenizer->TokenId("<|endoftext|>"));
}

// The bytes of the final weights and every loss, of a run in one go and of one stopped twice.
void TrainerTestResumes(Context& ctx, const TrainConfig& config, const TrainSource& source,
                        const std::string& whole, const std::string& parts) {
  const auto run = [](Trainer& trainer, int64_t stop_at, std::vector<double>* losses) {
    TrainObserver observer;
    observer.on_step = [&](const TrainProgress& p) {
      losses->push_back(p.loss);
      losses->push_back(p.smoothed_loss);
      return p.step != stop_at;
    };
    return trainer.Run(observer).finished;
  };
  std::vector<double> expected;
  EXPECT_TRUE(run(*Trainer::Start(ctx, config, source, whole), 0, &expected));
  std::vector<double> losses;
  EXPECT_FALSE(run(*Trainer::Start(ctx, config, source, parts), 2, &losses));
  EXPECT_FALSE(run(*Trainer::Resume(ctx, parts), 5, &losses));
  EXPECT_TRUE(run(*Trainer::Resume(ctx, parts), 0, &losses));
  EXPECT_EQ(losses, expected);
  for (const char* file :
       {"/model/model.safetensors", "/checkpoint-000008/optimizer.safetensors"}) {
    EXPECT_EQ(TestDirectory::Read(parts + file), TestDirectory::Read(whole + file)) << file;
  }
  const std::string curve = TestDirectory::Read(parts + "/curve.csv");
  EXPECT_EQ(std::count(curve.begin(), curve.end(), '\n'), 1 + 8 + 2);
}

TEST_F(TrainerTest, ResumesToTheSameBits) {
  TrainerTestResumes(*ctx_, TinyTrainConfig(), source_, Out("whole"), Out("parts"));
}

// The model's files round the parameters, so the exact ones have to come from elsewhere.
TEST_F(TrainerTest, ResumesNarrowFloatsToTheSameBits) {
  TrainConfig config = TinyTrainConfig();
  config.float_dtype = "bf16";
  TrainerTestResumes(*ctx_, config, source_, Out("whole"), Out("parts"));
}

TEST_F(TrainerTest, ResumesPlainModelsToTheSameBits) {
  TrainConfig config = TinyTrainConfig();
  config.weights = "f32";
  config.tie_word_embeddings = false;
  TrainerTestResumes(*ctx_, config, source_, Out("whole"), Out("parts"));
}

TEST_F(TrainerTest, ForgetsWhatCameAfterTheLastCheckpoint) {
  TrainConfig config = TinyTrainConfig();
  Run(*Trainer::Start(*ctx_, config, source_, Out("whole")));
  config.checkpoint_interval = 3;
  const std::map<int64_t, double> expected = losses_;
  struct PowerFailure {};
  const auto trainer = Trainer::Start(*ctx_, config, source_, Out("run"));
  TrainObserver observer;
  observer.on_step = [](const TrainProgress& p) -> bool {
    if (p.step == 5) throw PowerFailure();
    return true;
  };
  EXPECT_THROW(trainer->Run(observer), PowerFailure);
  losses_.clear();
  const auto resumed = Trainer::Resume(*ctx_, Out("run"));
  EXPECT_EQ(resumed->step(), 3);
  Run(*resumed);
  EXPECT_EQ(losses_.size(), 5u);
  for (const auto& [step, loss] : losses_) EXPECT_EQ(loss, expected.at(step)) << step;
  EXPECT_EQ(Weights(Out("run") + "/model"), Weights(Out("whole") + "/model"));
}

TEST_F(TrainerTest, GoesOnFromAModel) {
  Run(*Trainer::Start(*ctx_, TinyTrainConfig(), source_, Out("first")));
  const double first_loss = losses_.at(1);
  TrainConfig config = TinyTrainConfig();
  config.hidden_size = 128;  // the model decides
  config.steps = 2;
  source_.init = Out("first") + "/model";
  const auto trainer = Trainer::Start(*ctx_, config, source_, Out("second"));
  EXPECT_EQ(trainer->config().hidden_size, 16);
  Run(*trainer);
  EXPECT_LT(losses_.at(1), first_loss);
}

TEST_F(TrainerTest, EvaluatesWithATextOfItsOwn) {
  source_.validation = files_.Write("valid.txt", TinyText(30, 2));
  const auto trainer = Trainer::Start(*ctx_, TinyTrainConfig(), source_, Out("run"));
  const auto size = static_cast<int64_t>(TinyText(30, 2).size());
  const TrainSummary summary = trainer->Run();
  EXPECT_LT(summary.evaluation.bytes, size);
  EXPECT_GT(summary.evaluation.bytes, size - 10);  // without the first token
}

// A fault that nothing but a test can bring about.
void Poison(const Trainer& trainer) {
  const std::vector<Parameter> parameters = const_cast<Model&>(trainer.model()).Parameters();
  for (const Parameter& p : parameters) {
    if (p.name == "model.layers.0.self_attn.o_proj.weight") {
      p.value->span<float>()[3] = std::numeric_limits<float>::quiet_NaN();
    }
  }
}

TEST_F(TrainerTest, StopsAtNanWithTheLastGoodCheckpoint) {
  Run(*Trainer::Start(*ctx_, TinyTrainConfig(), source_, Out("whole")));
  TrainConfig config = TinyTrainConfig();
  config.checkpoint_interval = 3;
  // A checkpoint that is due after step 3 must not take the place of the good one. After step 4
  // an evaluation is due, after step 5 nothing before the next step.
  for (const int64_t at : {3, 4, 5}) {
    SCOPED_TRACE(at);
    const std::string out = Out("run" + std::to_string(at));
    const auto trainer = Trainer::Start(*ctx_, config, source_, out);
    TrainObserver observer;
    observer.on_step = [&](const TrainProgress& p) {
      if (p.step == at) Poison(*trainer);
      return true;
    };
    const std::string good = out + (at == 3 ? "/checkpoint-000000" : "/checkpoint-000003");
    ExpectError(
        [&] { trainer->Run(observer); }, ErrorKind::kNumeric,
        {"after step " + std::to_string(at), "model.layers.0.self_attn.o_proj.weight", good});
    const auto resumed = Trainer::Resume(*ctx_, out);
    resumed->Run();
    EXPECT_EQ(Weights(out + "/model"), Weights(Out("whole") + "/model"));
  }
}

TEST_F(TrainerTest, KeepsTheLastCheckpointWhenTheNextCannotBeWritten) {
  const std::string out = Out("run");
  TrainConfig config = TinyTrainConfig();
  config.checkpoint_interval = 3;
  const auto trainer = Trainer::Start(*ctx_, config, source_, out);
  const std::string obstacle = out + "/checkpoint-000006";
  files_.Write("run/checkpoint-000006", "a file where the directory should go");
  ExpectError([&] { trainer->Run(); }, ErrorKind::kIo, {obstacle});
  fs::remove(obstacle);
  EXPECT_EQ(Trainer::Resume(*ctx_, out)->step(), 3);
}

// A limit on the size of files fails writes as a full disk does.
TEST_F(TrainerTest, KeepsTheLastCheckpointOnAFullDisk) {
  Run(*Trainer::Start(*ctx_, TinyTrainConfig(), source_, Out("whole")));
  const std::string out = Out("run");
  TrainConfig config = TinyTrainConfig();
  config.checkpoint_interval = 3;
  const auto trainer = Trainer::Start(*ctx_, config, source_, out);
  rlimit unlimited = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
  const auto ignore = std::signal(SIGXFSZ, SIG_IGN);
  TrainObserver observer;
  observer.on_step = [&](const TrainProgress& p) {
    const rlimit few_bytes = {.rlim_cur = 4096, .rlim_max = unlimited.rlim_max};
    if (p.step == 5) setrlimit(RLIMIT_FSIZE, &few_bytes);
    return true;
  };
  ExpectError([&] { trainer->Run(observer); }, ErrorKind::kIo, {out + "/checkpoint-000006"});
  setrlimit(RLIMIT_FSIZE, &unlimited);
  std::signal(SIGXFSZ, ignore);
  EXPECT_EQ(Names(out), (std::vector<std::string>{"checkpoint-000003", "curve.csv",
                                                  "tokenizer.json", "train.ids", "train.json"}));
  Trainer::Resume(*ctx_, out)->Run();
  EXPECT_EQ(Weights(out + "/model"), Weights(Out("whole") + "/model"));
}

TEST_F(TrainerTest, LeavesNothingBehindWhereItCannotStart) {
  const TrainConfig config = TinyTrainConfig();
  const std::string out = Out("run");
  const auto start = [&] { Trainer::Start(*ctx_, config, source_, out); };
  const std::string text = source_.data[0];

  source_.data = {files_.Write("latin.txt", "caf\xe9 au lait\n")};
  ExpectError(start, ErrorKind::kInvalidFile, {"latin.txt", "byte 3", "UTF-8"});
  source_.data = {files_.Write("short.txt", "a few words")};
  ExpectError(start, ErrorKind::kInvalidArgument, {"short.txt", "tokens", "sequence_length"});
  source_.data = {Out("missing.txt")};
  ExpectError(start, ErrorKind::kIo, {"missing.txt"});
  source_.data = {text};
  source_.validation = Out("missing-too.txt");
  ExpectError(start, ErrorKind::kIo, {"missing-too.txt"});
  source_.data = {};
  ExpectError(start, ErrorKind::kInvalidArgument, {"text"});
  EXPECT_EQ(Names(files_.path()), (std::vector<std::string>{"latin.txt", "short.txt", "text.txt"}));
}

TEST_F(TrainerTest, LeavesNothingBehindWhenStoppedBeforeTheFirstStep) {
  const TrainConfig config = TinyTrainConfig();
  int polls = 0;
  Trainer::Start(*ctx_, config, source_, Out("whole"), [&] { ++polls; });
  // Each merge of the tokenizer, and the stages around its training.
  EXPECT_GT(polls, config.vocab_size - 257);
  struct Stop {};
  for (const int last : {1, polls / 2, polls - 1, polls}) {
    SCOPED_TRACE(last);
    int calls = 0;
    const auto poll = [&] {
      if (++calls == last) throw Stop();
    };
    EXPECT_THROW(Trainer::Start(*ctx_, config, source_, Out("run"), poll), Stop);
    EXPECT_EQ(calls, last);
    EXPECT_EQ(Names(files_.path()), (std::vector<std::string>{"text.txt", "whole"}));
  }
}

TEST_F(TrainerTest, RefusesDirectoriesThatCannotHoldANewRun) {
  const TrainConfig config = TinyTrainConfig();
  ExpectError([&] { Trainer::Start(*ctx_, config, source_, files_.path()); },
              ErrorKind::kInvalidArgument, {files_.path(), "resume"});
  ExpectError([&] { Trainer::Start(*ctx_, config, source_, source_.data[0] + "/run"); },
              ErrorKind::kIo, {"text.txt/run"});
  ExpectError([&] { Trainer::Start(*ctx_, config, source_, "/proc/run"); }, ErrorKind::kIo,
              {"/proc/run"});
  ExpectError([&] { Trainer::Resume(*ctx_, files_.path()); }, ErrorKind::kInvalidFile,
              {files_.path(), "no checkpoint"});
  ExpectError([&] { Trainer::Resume(*ctx_, Out("nowhere")); }, ErrorKind::kIo, {"nowhere"});
}

TEST_F(TrainerTest, RefusesSettingsOfAnotherModel) {
  TrainConfig config = TinyTrainConfig();
  Trainer::Start(*ctx_, config, source_, Out("run"));
  config.steps += 2;
  config.intermediate_size += 8;
  files_.Write("run/train.json", TrainConfigToJson(config).dump());
  ExpectError([&] { Trainer::Resume(*ctx_, Out("run")); }, ErrorKind::kInvalidFile,
              {"run/train.json", "\"intermediate_size\"", "the run's model has"});
  config.intermediate_size -= 8;
  files_.Write("run/train.json", TrainConfigToJson(config).dump());
  EXPECT_EQ(Trainer::Resume(*ctx_, Out("run"))->config().steps, config.steps);
}

}  // namespace
}  // namespace tern
