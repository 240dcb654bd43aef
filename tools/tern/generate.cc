// SPDX-License-Identifier: MIT
// tern generate: continues a text.
#include <optional>
#include <utility>

#include "tern/base/error.h"
#include "tern/runtime/generate.h"
#include "tools/tern/command.h"
#include "tools/tern/load.h"
#include "tools/tern/sampling.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Prints the prompt and what the model makes of it, as it comes. Without a prompt the model\n"
    "begins a text of its own. The same seed gives the same text on every machine, with any\n"
    "number of threads; --temperature 0 always takes the likeliest token.";
constexpr const char* kExamples =
    "  tern generate tern-stories --prompt \"Once upon a time\"\n"
    "  tern generate tern-stories --prompt \"The king\" --seed 7 --max-tokens 400\n"
    "  tern generate my-model --prompt \"ROMEO:\" --temperature 0 --json";

struct Options : CommonOptions {
  std::string model;
  LoadOptions load;
  std::string prompt;
  GenerateOptions generate;
  int64_t context = 0;
  DType kv_type = DType::kF32;
};

// Room for the prompt and what is asked for, as far as the model goes.
int64_t Capacity(const Options& options, const LoadedModel& loaded,
                 const std::vector<int32_t>& prompt) {
  const int64_t most = loaded.model->config().max_positions;
  const auto tokens = static_cast<int64_t>(prompt.size());
  return options.generate.max_tokens >= most - tokens ? most : tokens + options.generate.max_tokens;
}

int PrintResult(const Options& options, const GenerateResult& result) {
  const auto prompt_rate = TokensPerSecond(result.prompt_tokens, result.prompt_seconds);
  const auto rate = TokensPerSecond(result.steps, result.generate_seconds);
  if (options.json) {
    PrintJson({{"prompt", options.prompt},
               {"text", result.text},
               {"ids", result.ids},
               {"stop", StopReasonName(result.reason)},
               {"prompt_tokens", result.prompt_tokens},
               {"prompt_tokens_per_second", RateJson(prompt_rate)},
               {"tokens_per_second", RateJson(rate)}});
  } else {
    Print("\n");
    Note("[{}{}; prompt of {}{}; stop: {}]\n",
         CountText(static_cast<int64_t>(result.ids.size()), "token"), RateText(rate),
         CountText(result.prompt_tokens), RateText(prompt_rate), StopReasonName(result.reason));
  }
  return 0;
}

int Run(const Options& options) {
  AsUsage([&] { CheckSamplerOptions(options.generate.sampler); });
  const std::unique_ptr<Context> ctx = MakeContext(options);
  const LoadedModel loaded = LoadWithTokenizer(*ctx, options.model, options.load);
  const std::vector<int32_t> prompt =
      PromptIds(*loaded.tokenizer, loaded.model->config(), options.prompt);
  SessionOptions session_options;
  session_options.capacity =
      options.context > 0 ? options.context : Capacity(options, loaded, prompt);
  session_options.kv_dtype = options.kv_type;
  Session session(*ctx, *loaded.model, session_options);
  // The prompt is shown with the first text, so that an Error leaves stdout empty.
  bool shown = options.json;
  const auto show = [&](std::string_view text) {
    if (!std::exchange(shown, true)) Print(options.prompt);
    if (!options.json) Print(text);
    return true;
  };
  const GenerateResult result =
      Generate(session, *loaded.tokenizer, prompt, options.generate, show);
  show("");
  return PrintResult(options, result);
}

}  // namespace

void AddGenerate(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  GenerateOptions& generate = options->generate;
  CLI::App* command = AddCommand(app, "generate", "Continues a text", kText, kExamples);
  AddModelArgument(command, &options->model);
  command->add_option("--prompt", options->prompt, "How the text begins")->type_name("TEXT");
  command->add_option("--max-tokens", generate.max_tokens, "Tokens to add at most")
      ->check(AtLeast(0))
      ->capture_default_str()
      ->type_name("N");
  command->add_option("--stop", generate.stop, "Ends the text before this string; may be repeated")
      ->type_name("TEXT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--ignore-eos", generate.ignore_eos, "Go on behind the end of a text");
  command
      ->add_option("--context", options->context,
                   "Tokens to make room for (default: what is needed)")
      ->check(AtLeast(1))
      ->type_name("N");
  AddKvTypeOption(command, &options->kv_type);
  AddSamplerOptions(command, &generate.sampler);
  AddLoadOptions(command, &options->load);
  AddLayoutOption(command, &options->load.layout);
  AddCommonOptions(command, options.get());
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
