// SPDX-License-Identifier: MIT
// tern perplexity: how well a model predicts a text.
#include <fmt/format.h>

#include "tern/base/error.h"
#include "tern/base/read_file.h"
#include "tern/runtime/perplexity.h"
#include "tools/tern/command.h"
#include "tools/tern/load.h"
#include "tools/tern/status_line.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Scores every token of the file once, in consecutive windows of --context tokens. A window's\n"
    "first token is scored after the last token of the window before, the file's first after the\n"
    "token that begins a text or, where the model has none, ends one. Bits per byte count the\n"
    "whole cost against the file's bytes, so they compare models with different tokenizers (and\n"
    "compressors). Special tokens such as <|endoftext|> are recognised.";
constexpr const char* kExamples =
    "  tern perplexity tern-stories --file examples/data/shakespeare.txt\n"
    "  tern perplexity my-model --file valid.txt --context 128 --json";

struct Options : CommonOptions {
  std::string model;
  FloatWeights weights = FloatWeights::kByFamily;
  std::string file;
  int64_t context = 0;
  DType kv_type = DType::kF32;
};

int Run(const Options& options) {
  const std::string text = ReadFile(options.file, kMaxTextBytes);
  if (text.empty()) {
    Fail(ErrorKind::kInvalidArgument, "{}: is empty; there is nothing to score", options.file);
  }
  const std::unique_ptr<Context> ctx = MakeContext(options);
  const LoadedModel loaded = LoadWithTokenizer(*ctx, options.model, {.weights = options.weights});
  const std::vector<int32_t> ids = EncodeFile(*loaded.tokenizer, text, options.file);
  PerplexityOptions perplexity;
  perplexity.window = options.context;
  perplexity.kv_dtype = options.kv_type;
  PerplexityResult result;
  {
    StatusLine status;
    result = Perplexity(*ctx, *loaded.model, ids, perplexity, [&](int64_t scored) {
      if (status.Due()) status.Show(fmt::format("{} of {} tokens", scored, ids.size()));
    });
  }
  const auto bytes = static_cast<int64_t>(text.size());
  const int64_t context =
      options.context > 0 ? options.context : loaded.model->config().max_positions;
  if (options.json) {
    PrintJson({{"tokens", result.tokens},
               {"bytes", bytes},
               {"context", context},
               {"nats_per_token", result.NatsPerToken()},
               {"perplexity", result.Perplexity()},
               {"bits_per_byte", result.BitsPerByte(bytes)}});
    return 0;
  }
  Print(fmt::format("tokens          {} ({} bytes, windows of {})\n", CountText(result.tokens),
                    CountText(bytes), context));
  Print(fmt::format("nats per token  {:.4f}\n", result.NatsPerToken()));
  Print(fmt::format("perplexity      {:.3f}\n", result.Perplexity()));
  Print(fmt::format("bits per byte   {:.4f}\n", result.BitsPerByte(bytes)));
  return 0;
}

}  // namespace

void AddPerplexity(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, "perplexity", "How well a model predicts a text", kText, kExamples);
  AddModelArgument(command, &options->model);
  command->add_option("--file", options->file, "UTF-8 text")->required()->type_name("FILE");
  command->add_option("--context", options->context, "Tokens of a window (default: the model's)")
      ->check(AtLeast(1))
      ->type_name("N");
  AddKvTypeOption(command, &options->kv_type);
  AddWeightsOption(command, &options->weights);
  AddCommonOptions(command, options.get());
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
