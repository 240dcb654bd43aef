// SPDX-License-Identifier: MIT
// tern evaluate: questions of multiple choice.
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tern/base/read_file.h"
#include "tern/runtime/multiple_choice.h"
#include "tools/tern/command.h"
#include "tools/tern/load.h"
#include "tools/tern/status_line.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Asks the questions of a file, a line of JSON each:\n"
    "\n"
    "  {\"context\": \"The sky is\", \"choices\": [\" blue\", \" a verb\"], \"answer\": 0}\n"
    "\n"
    "The model chooses what it finds likeliest behind the context; a choice is appended as it is,\n"
    "so it mostly begins with a space. Accuracy is the share of right answers when the choice is\n"
    "the largest log-likelihood, and when it is the largest for each byte, which does not favour\n"
    "short choices; +/- is the standard error. Beside them stands what guessing gives.\n"
    "--json adds the log-likelihoods and choices of every question.";
constexpr const char* kExamples =
    "  tern evaluate my-model --file questions.jsonl\n"
    "  tern evaluate my-model --file questions.jsonl --json";

struct Options : CommonOptions {
  std::string model;
  LoadOptions load;
  std::string file;
};

int Run(const Options& options) {
  const std::vector<ChoiceQuestion> questions =
      ParseChoiceQuestions(ReadFile(options.file, kMaxTextBytes), options.file);
  const std::unique_ptr<Context> ctx = MakeContext(options);
  const LoadedModel loaded = LoadWithTokenizer(*ctx, options.model, options.load);

  ChoiceAccuracy plain;
  ChoiceAccuracy per_byte;
  double guessed = 0;
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  {
    StatusLine status;
    for (const ChoiceQuestion& question : questions) {
      const ChoiceScore score = ScoreChoices(*ctx, *loaded.model, *loaded.tokenizer, question);
      plain.Add(score.likeliest == question.answer);
      per_byte.Add(score.likeliest_per_byte == question.answer);
      guessed += 1 / static_cast<double>(question.choices.size());
      if (options.json) {
        results.push_back({{"log_likelihoods", score.log_likelihoods},
                           {"likeliest", score.likeliest},
                           {"likeliest_per_byte", score.likeliest_per_byte},
                           {"answer", question.answer}});
      }
      if (status.Due()) {
        status.Show(fmt::format("{} of {} questions", plain.questions, questions.size()));
      }
    }
  }
  const double chance = guessed / static_cast<double>(questions.size());
  if (options.json) {
    PrintJson({{"questions", questions.size()},
               {"chance", chance},
               {"accuracy", plain.Share()},
               {"accuracy_error", plain.StandardError()},
               {"accuracy_per_byte", per_byte.Share()},
               {"accuracy_per_byte_error", per_byte.StandardError()},
               {"results", results}});
    return 0;
  }
  Print(fmt::format("questions          {} (guessing gives {:.4f})\n",
                    CountText(static_cast<int64_t>(questions.size())), chance));
  Print(
      fmt::format("accuracy           {:.4f} +/- {:.4f}\n", plain.Share(), plain.StandardError()));
  Print(fmt::format("accuracy per byte  {:.4f} +/- {:.4f}\n", per_byte.Share(),
                    per_byte.StandardError()));
  return 0;
}

}  // namespace

void AddEvaluate(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, "evaluate", "How well a model answers questions", kText, kExamples);
  AddModelArgument(command, &options->model);
  command->add_option("--file", options->file, "Questions, a line of JSON each")
      ->required()
      ->type_name("FILE");
  AddLoadOptions(command, &options->load);
  AddCommonOptions(command, options.get());
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
