// SPDX-License-Identifier: MIT
// tern tokenize: text to token ids and back.
#include <unistd.h>

#include "tern/base/error.h"
#include "tern/base/read_file.h"
#include "tern/models/gguf_model.h"
#include "tern/text/tokenizer.h"
#include "tools/tern/command.h"
#include "tools/tern/model_path.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Prints the ids as 1,2,3, the form that `tern logits --ids` takes. Special tokens written\n"
    "in the text are recognised. Text comes from --text, --file, or standard input.";
constexpr const char* kExamples =
    "  tern tokenize tern-stories --text \"Once upon a time\"\n"
    "  tern tokenize tokenizer.json --file book.txt --json\n"
    "  tern tokenize tern-stories --decode 1,2,3";

struct Options : CommonOptions {
  std::string model;
  std::string text;
  std::string file;
  std::string decode;
  const CLI::Option* text_option = nullptr;
  const CLI::Option* decode_option = nullptr;
  bool plain = false;
  bool add_special = false;
};

// What messages call the text.
std::string InputName(const Options& options) {
  if (options.text_option->count() > 0) return "--text";
  return options.file.empty() ? "standard input" : options.file;
}

std::string InputText(const Options& options) {
  if (options.text_option->count() > 0) return options.text;
  if (!options.file.empty()) return ReadFile(options.file, kMaxTextBytes);
  if (::isatty(STDIN_FILENO) != 0) {
    Note("tern: reading text from the terminal; Ctrl-D ends it\n");
  }
  return ReadStandardInput(kMaxTextBytes);
}

int Decode(const Options& options, const Tokenizer& tokenizer) {
  const std::vector<int32_t> ids = ParseIds(options.decode, "--decode");
  const std::string text = tokenizer.Decode(ids);
  if (options.json) {
    PrintJson({{"ids", ids}, {"text", text}});
  } else {
    Print(text);
    if (::isatty(STDOUT_FILENO) != 0) Print("\n");
  }
  return 0;
}

Tokenizer LoadTokenizer(const std::string& model) {
  const std::string path = ResolveTokenizer(model);
  if (!IsGgufFile(path)) return Tokenizer::FromFile(path);
  std::optional<Tokenizer> tokenizer = ReadGgufTokenizer(GgufFile(path).metadata());
  if (!tokenizer) Fail(ErrorKind::kIo, "{}: the file holds no tokenizer", path);
  return std::move(*tokenizer);
}

int Run(const Options& options) {
  const Tokenizer tokenizer = LoadTokenizer(options.model);
  if (options.decode_option->count() > 0) return Decode(options, tokenizer);
  const std::string text = InputText(options);
  EncodeOptions encode;
  encode.special = !options.plain;
  encode.add_special = options.add_special;
  const std::vector<int32_t> ids = EncodeFile(tokenizer, text, InputName(options), encode);
  if (options.json) {
    PrintJson({{"ids", ids},
               {"tokens", ids.size()},
               {"bytes", text.size()},
               {"vocab_size", tokenizer.vocab_size()}});
  } else {
    Print(IdsText(ids) + "\n");
  }
  return 0;
}

}  // namespace

void AddTokenize(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(app, "tokenize", "Text to token ids, and back", kText, kExamples);
  command
      ->add_option("MODEL", options->model,
                   "A model, as for the other commands, or a tokenizer.json")
      ->required()
      ->type_name("");
  CLI::Option* text =
      command->add_option("--text", options->text, "Text to encode")->type_name("TEXT");
  CLI::Option* file = command->add_option("--file", options->file, "UTF-8 file to encode")
                          ->check(NotEmpty())
                          ->type_name("FILE");
  CLI::Option* decode =
      command->add_option("--decode", options->decode, "Ids to turn into text instead")
          ->type_name("IDS");
  options->text_option = text;
  options->decode_option = decode;
  text->excludes(file)->excludes(decode);
  file->excludes(decode);
  command->add_flag("--plain", options->plain,
                    "Special tokens in the text are text like any other");
  command->add_flag("--add-special", options->add_special,
                    "Add what the tokenizer puts around a text, e.g. a begin token");
  command->add_flag("--json", options->json, "One JSON object on stdout, nothing else there");
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
