// SPDX-License-Identifier: MIT
// tern perplexity: how well a model predicts a text.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tern/base/error.h"
#include "tern/base/read_file.h"
#include "tern/runtime/perplexity.h"
#include "tern/runtime/scorer.h"
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
    "compressors). Special tokens such as <|endoftext|> are recognised.\n"
    "\n"
    "--llama-windows gives the figure of llama.cpp's llama-perplexity instead: windows of 512\n"
    "tokens, or --context, of which the second half alone is scored, each behind the begin token\n"
    "where the tokenizer adds one; a rest is left out. The file's last line feed is dropped, and\n"
    "special tokens are text. llama.cpp keeps keys and values in f16: --kv-type f16 does too.";
constexpr const char* kExamples =
    "  tern perplexity tern-stories --file examples/data/shakespeare.txt\n"
    "  tern perplexity my-model --file valid.txt --context 128 --json\n"
    "  tern perplexity my-model --file wiki.test.raw --llama-windows";

struct Options : CommonOptions {
  std::string model;
  LoadOptions load;
  std::string file;
  int64_t context = 0;
  DType kv_type = DType::kF32;
  bool llama_windows = false;
};

int PrintLlama(const Options& options, const LlamaPerplexityResult& result, int64_t context) {
  if (options.json) {
    PrintJson({{"tokens", result.tokens},
               {"windows", result.windows},
               {"context", context},
               {"nats_per_token", result.NatsPerToken()},
               {"perplexity", result.Perplexity()},
               {"perplexity_error", result.StandardError()}});
    return 0;
  }
  Print(fmt::format("tokens          {} (of the second halves of {} windows of {})\n",
                    CountText(result.tokens), CountText(result.windows), context));
  Print(fmt::format("nats per token  {:.4f}\n", result.NatsPerToken()));
  Print(fmt::format("perplexity      {:.4f} +/- {:.5f}\n", result.Perplexity(),
                    result.StandardError()));
  return 0;
}

int RunLlama(const Options& options, Context& ctx, const LoadedModel& loaded, std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  EncodeOptions encode;
  encode.special = false;
  std::vector<int32_t> ids = EncodeFile(*loaded.tokenizer, text, options.file, encode);
  LlamaWindows windows;
  windows.begin = LeadingToken(*loaded.tokenizer);
  windows.kv_dtype = options.kv_type;
  if (windows.begin) ids.insert(ids.begin(), *windows.begin);
  windows.window = options.context > 0
                       ? options.context
                       : std::min(windows.window, loaded.model->config().max_positions);
  LlamaPerplexityResult result;
  {
    StatusLine status;
    result = LlamaPerplexity(ctx, *loaded.model, ids, windows, [&](int64_t read) {
      if (status.Due()) status.Show(fmt::format("{} of {} tokens", read, ids.size()));
    });
  }
  return PrintLlama(options, result, windows.window);
}

int Run(const Options& options) {
  const std::string text = ReadFile(options.file, kMaxTextBytes);
  if (text.empty()) {
    Fail(ErrorKind::kInvalidArgument, "{}: is empty; there is nothing to score", options.file);
  }
  const std::unique_ptr<Context> ctx = MakeContext(options);
  const LoadedModel loaded = LoadWithTokenizer(*ctx, options.model, options.load);
  if (options.llama_windows) return RunLlama(options, *ctx, loaded, text);
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
  command->add_flag("--llama-windows", options->llama_windows,
                    "Score as llama.cpp's llama-perplexity does");
  AddLoadOptions(command, &options->load);
  AddCommonOptions(command, options.get());
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
