// SPDX-License-Identifier: MIT
// tern train: from text to a model.
#include <fmt/format.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <map>

#include "tern/base/error.h"
#include "tern/io/gguf.h"
#include "tern/models/config.h"
#include "tern/models/gguf_model.h"
#include "tern/train/trainer.h"
#include "tools/tern/command.h"
#include "tools/tern/model_path.h"
#include "tools/tern/status_line.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Trains a language model from UTF-8 text, ternary unless --weights f32 asks for plain\n"
    "floats. Without --tokenizer or --init a tokenizer is trained on the text first. DIR keeps\n"
    "the settings, the text as token ids, a curve (curve.csv), checkpoints, and at the end\n"
    "the model; DIR then works as MODEL in the other commands. A line <|endoftext|> separates\n"
    "texts in a file. Ctrl-C ends the step, writes a checkpoint and stops (before the first step\n"
    "it leaves nothing); --resume goes on from the last checkpoint, to the same bits as a run that "
    "was\n"
    "never stopped.\n"
    "\n"
    "Settings come from a JSON file (--config), and from the options below, which go first.\n"
    "Without a file they start from a model and a number of steps that suit the size of the\n"
    "text: some minutes on two cores for a book or two.";
constexpr const char* kExamples =
    "  tern train --data book.txt --out my-model\n"
    "  tern train --data a.txt b.txt --out my-model --steps 500 --hidden-size 128\n"
    "  tern train --resume --out my-model\n"
    "  tern train --init my-model --data more.txt --out my-model-2";

struct Options : CommonOptions {
  TrainSource source;
  std::string out;
  std::string config;
  bool resume = false;
  std::map<std::string, std::string> settings;  // key of train_config.inc to its value as written
};

// Ctrl-C: what a signal handler may write.
volatile std::sig_atomic_t stop_requested = 0;

void RequestStop(int) {
  stop_requested = 1;
  // A second Ctrl-C ends the program at once.
  std::signal(SIGINT, SIG_DFL);
}

void HearSignals() {
  std::signal(SIGINT, RequestStop);
  std::signal(SIGTERM, RequestStop);
}

// While models are loaded there is nothing to put away, and signals end the program as they do
// others. From the first call on they are heard.
void PollBeforeFirstStep() {
  if (stop_requested != 0) {
    Fail(ErrorKind::kCancelled, "stopped before the first step; nothing was written");
  }
  HearSignals();
}

uint64_t TextBytes(const std::vector<std::string>& files) {
  uint64_t bytes = 0;
  for (const std::string& file : files) {
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(file, error);
    if (error) {
      Fail(ErrorKind::kIo, "{}: cannot tell its size ({}); --data takes regular files", file,
           error.message());
    }
    bytes += size;
  }
  return bytes;
}

// The options as JSON: numbers and true/false as such, everything else as text.
nlohmann::json SettingsJson(const std::map<std::string, std::string>& settings) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [key, text] : settings) {
    nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
    json[key] = value.is_number() || value.is_boolean() ? value : nlohmann::json(text);
  }
  return json;
}

// How many positions the model at `path`, a directory or a GGUF file, takes.
int64_t ContextOf(const std::string& path) {
  if (IsGgufFile(path)) return ReadGgufConfig(GgufFile(path)).max_positions;
  return ReadModelConfig(path + "/config.json").max_positions;
}

// What holds where the options say nothing.
TrainConfig BaseConfig(const Options& options) {
  TrainConfig config;
  if (options.config.empty()) config = DefaultTrainConfig(TextBytes(options.source.data));
  if (!options.source.init.empty()) {
    FitContext(ContextOf(ResolveModel(options.source.init)), &config);
  }
  return options.config.empty() ? config : ReadTrainConfig(options.config, config);
}

TrainConfig MakeConfig(const Options& options) {
  const TrainConfig base = BaseConfig(options);
  nlohmann::json settings = SettingsJson(options.settings);
  // A short run asked for by --steps alone warms up shorter, too.
  if (options.settings.contains("steps") && !options.settings.contains("warmup_steps") &&
      settings["steps"].is_number_integer()) {
    settings["warmup_steps"] =
        std::min<int64_t>(base.warmup_steps, settings["steps"].get<int64_t>() / 10);
  }
  return AsUsage([&] { return TrainConfigFromJson(settings, "command line", base); });
}

std::string TimeText(double seconds) {
  const int64_t whole = std::llround(seconds);
  return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                       : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string ProgressText(const TrainProgress& progress) {
  return fmt::format("step {}/{}  loss {:.4f}  {} tokens/s  {} left", progress.step, progress.steps,
                     progress.smoothed_loss,
                     CountText(static_cast<int64_t>(progress.tokens_per_second)),
                     TimeText(progress.seconds_left));
}

std::string EvaluationText(const TrainEvaluation& evaluation) {
  return fmt::format("step {}: validation {:.4f} nats per token, {:.4f} bits per byte",
                     evaluation.step, evaluation.nats_per_token, evaluation.bits_per_byte);
}

TrainSummary RunWithProgress(Trainer& trainer) {
  StatusLine status;
  TrainObserver observer;
  observer.on_step = [&](const TrainProgress& progress) {
    if (status.Due()) status.Show(ProgressText(progress));
    return stop_requested == 0;
  };
  observer.on_evaluation = [&](const TrainEvaluation& evaluation) {
    status.Keep(EvaluationText(evaluation));
  };
  return trainer.Run(observer);
}

void PrintSummary(const Options& options, const TrainSummary& summary) {
  if (options.json) {
    nlohmann::ordered_json json = {{"finished", summary.finished},
                                   {"step", summary.last.step},
                                   {"steps", summary.last.steps},
                                   {"loss", summary.last.smoothed_loss},
                                   {"tokens_per_second", summary.last.tokens_per_second}};
    if (summary.evaluation.tokens > 0) {
      json["validation"] = {{"nats_per_token", summary.evaluation.nats_per_token},
                            {"bits_per_byte", summary.evaluation.bits_per_byte},
                            {"tokens", summary.evaluation.tokens},
                            {"bytes", summary.evaluation.bytes}};
    }
    json["model"] = summary.finished ? nlohmann::ordered_json(summary.model_path) : nullptr;
    PrintJson(json);
  } else if (summary.finished) {
    Print(fmt::format("{}\n", summary.model_path));
    Note("Try it: tern generate {}\n", options.out);
  } else {
    Note("Stopped after step {}. Go on: tern train --resume --out {}\n", summary.last.step,
         options.out);
  }
}

int Run(const Options& options) {
  const std::unique_ptr<Context> ctx = MakeContext(options);
  std::unique_ptr<Trainer> trainer;
  if (options.resume) {
    trainer = Trainer::Resume(*ctx, options.out);
    HearSignals();
  } else {
    TrainSource source = options.source;
    if (!source.init.empty()) source.init = ResolveModel(source.init);
    if (!source.tokenizer.empty()) source.tokenizer = ResolveTokenizer(source.tokenizer);
    trainer = Trainer::Start(*ctx, MakeConfig(options), source, options.out,
                             [] { PollBeforeFirstStep(); });
  }
  const TrainConfig& config = trainer->config();
  Note("{}, {}, {} of {}, {}\n", CountText(ParameterCount(trainer->model().config()), "parameter"),
       CountText(trainer->training_tokens(), "training token"), CountText(config.steps, "step"),
       CountText(config.batch_tokens, "token"), CountText(ctx->threads().threads(), "thread"));
  PrintSummary(options, RunWithProgress(*trainer));
  return 0;
}

// An option for each key of the configuration, named like it with dashes.
void AddSettings(CLI::App* command, const std::shared_ptr<Options>& options,
                 std::vector<CLI::Option*>* added) {
  for (const TrainSetting& setting : TrainSettings()) {
    std::string name = std::string("--") + setting.key;
    std::replace(name.begin(), name.end(), '_', '-');
    const std::string key = setting.key;
    added->push_back(
        command
            ->add_option_function<std::string>(
                name, [options, key](const std::string& value) { options->settings[key] = value; },
                setting.help)
            ->default_str(setting.default_value)
            ->type_name("")
            ->group("Settings, with the defaults of a --config"));
  }
}

// A setting that --init or --tokenizer decides is wrong usage beside it, rather than ignored.
void ExcludeWhatIsDecided(CLI::App* command) {
  CLI::Option* tokenizer = command->get_option("--tokenizer");
  CLI::Option* init = command->get_option("--init");
  tokenizer->excludes(command->get_option("--vocab-size"));
  init->excludes(tokenizer);
  for (const char* name : {"--vocab-size", "--hidden-size", "--intermediate-size",
                           "--num-hidden-layers", "--num-attention-heads", "--num-key-value-heads",
                           "--max-position-embeddings", "--rope-theta", "--rms-norm-eps",
                           "--hidden-act", "--tie-word-embeddings", "--weights", "--quantizer"}) {
    init->excludes(command->get_option(name));
  }
}

}  // namespace

void AddTrain(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  TrainSource& source = options->source;
  CLI::App* command =
      AddCommand(app, "train", "Trains a language model from text", kText, kExamples);
  std::vector<CLI::Option*> of_new_run;
  const auto add = [&](const char* name, auto& value, const char* type, const char* text) {
    of_new_run.push_back(
        command->add_option(name, value, text)->check(NotEmpty())->type_name(type));
  };
  add("--data", source.data, "FILE", "Texts to learn from");
  command->add_option("--out", options->out, "Directory of the run; new, or --resume's")
      ->required()
      ->type_name("DIR");
  add("--validation", source.validation, "FILE",
      "Text to measure on (default: the end of the data)");
  add("--tokenizer", source.tokenizer, "FILE", "A tokenizer.json, or a model's");
  add("--init", source.init, "MODEL", "Model with masters to train on from, with its tokenizer");
  add("--config", options->config, "FILE", "Settings as a JSON object");
  CLI::Option* resume =
      command->add_flag("--resume", options->resume, "Go on from the last checkpoint in --out");
  AddSettings(command, options, &of_new_run);
  for (CLI::Option* option : of_new_run) resume->excludes(option);
  ExcludeWhatIsDecided(command);
  AddCommonOptions(command, options.get());
  command->callback([run, options] {
    if (!options->resume && options->source.data.empty()) {
      throw CLI::RequiredError("--data FILE, or --resume,");
    }
    *run = [options] { return Run(*options); };
  });
}

}  // namespace tern::cli
