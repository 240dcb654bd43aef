// SPDX-License-Identifier: MIT
// tern embed: the embeddings of texts.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "tern/base/error.h"
#include "tern/runtime/embed.h"
#include "tools/tern/command.h"
#include "tools/tern/load.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Reads each --text with an embedding model and gives its embedding: the state of the last\n"
    "token, of length 1, so that the product of two embeddings is their cosine. A line of numbers\n"
    "for each text; with --json {\"embeddings\": [[...], ...], \"tokens\": [...]}. The "
    "tokenizer's\n"
    "own tokens are added, such as the end of text that these models pool.";
constexpr const char* kExamples =
    "  tern embed my-embedder --text 'query: what is a trit?' --text 'A trit is a digit of "
    "three.'\n"
    "  tern embed my-embedder --ids 1,2,3 --json";

struct Options : CommonOptions {
  std::string model;
  std::vector<std::string> texts;
  std::string ids;
  LoadOptions load;
};

int Run(const Options& options) {
  const std::unique_ptr<Context> ctx = MakeContext(options);
  std::vector<std::vector<int32_t>> inputs;
  LoadedModel loaded;
  if (!options.ids.empty()) {
    inputs.push_back(ParseIds(options.ids, "--ids"));
    loaded = Load(*ctx, options.model, options.load);
  } else {
    loaded = LoadWithTokenizer(*ctx, options.model, options.load, Purpose::kEmbed);
    EncodeOptions encode;
    encode.add_special = true;
    for (const std::string& text : options.texts) {
      inputs.push_back(loaded.tokenizer->Encode(text, encode));
    }
  }
  nlohmann::ordered_json embeddings = nlohmann::ordered_json::array();
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
  for (const std::vector<int32_t>& ids : inputs) {
    const std::vector<float> embedding = EmbedText(*ctx, *loaded.model, ids);
    if (options.json) {
      embeddings.push_back(embedding);
      tokens.push_back(ids.size());
      continue;
    }
    Print(fmt::format("{:.7g}\n", fmt::join(embedding, " ")));
  }
  if (options.json) PrintJson({{"embeddings", embeddings}, {"tokens", tokens}});
  return 0;
}

}  // namespace

void AddEmbed(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(app, "embed", "The embeddings of texts", kText, kExamples);
  AddModelArgument(command, &options->model);
  CLI::Option_group* input = command->add_option_group("input");
  input->add_option("--text", options->texts, "A text; may be repeated")
      ->allow_extra_args(false)
      ->type_name("TEXT");
  input->add_option("--ids", options->ids, "Token ids, like 1,2,3, in place of texts")
      ->check(NotEmpty())
      ->type_name("IDS");
  input->require_option(1);
  AddLoadOptions(command, &options->load);
  AddCommonOptions(command, options.get());
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
