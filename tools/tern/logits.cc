// SPDX-License-Identifier: MIT
// tern logits: what a model computes for token ids, without a tokenizer.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "tern/base/error.h"
#include "tern/models/logits_hash.h"
#include "tern/runtime/generate.h"
#include "tools/tern/command.h"
#include "tools/tern/load.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Reads the ids and gives the logits of the last --last positions, and with --greedy the\n"
    "tokens that greedy decoding adds, end-of-sequence ignored. Needs no tokenizer. With --json\n"
    "{\"logits\": [[...], ...], \"greedy\": [...]} holds every logit exactly; without it, the\n"
    "likeliest tokens of each position and a hash of all logits are shown.";
constexpr const char* kExamples =
    "  tern logits my-model --ids 1,2,3\n"
    "  tern logits my-model --ids 1,2,3 --last 3 --greedy 8 --json\n"
    "  tern logits tern-stories --ids \"$(tern tokenize tern-stories --text 'Once upon')\"";

struct Options : CommonOptions {
  std::string model;
  LoadOptions load;
  std::string ids;
  int64_t last = 1;
  int64_t greedy = 0;
};

void PrintLikeliest(std::span<const float> logits, int64_t position) {
  constexpr size_t kShown = 5;
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const size_t shown = std::min(kShown, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(shown), order.end(),
                    [&](int32_t a, int32_t b) {
                      return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
                    });
  std::string line = fmt::format("position {}:", position);
  for (size_t i = 0; i < shown; ++i) {
    line += fmt::format("  {} ({:.4f})", order[i], logits[order[i]]);
  }
  Print(line + "\n");
}

int Run(const Options& options) {
  const std::vector<int32_t> ids = ParseIds(options.ids, "--ids");
  const auto tokens = static_cast<int64_t>(ids.size());
  if (options.last > tokens) {
    throw CLI::ValidationError(
        fmt::format("--last {} is more than --ids has: {}", options.last, tokens));
  }
  const std::unique_ptr<Context> ctx = MakeContext(options);
  LoadOptions load = options.load;
  load.tokenizer = false;
  const LoadedModel loaded = Load(*ctx, options.model, load);
  CheckTokenIds(ids, loaded.model->config());
  ForwardOptions forward;
  forward.last = options.last;
  const Tensor logits = loaded.model->Forward(*ctx, IdsTensor(*ctx, ids), forward);
  std::vector<int32_t> greedy;
  if (options.greedy > 0) {
    Session session(*ctx, *loaded.model);
    greedy = Greedy(session, ids, options.greedy);
  }
  const std::span<const float> values = logits.span<float>();
  const size_t vocab = values.size() / static_cast<size_t>(options.last);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (int64_t i = 0; i < options.last; ++i) {
    const std::span<const float> row = values.subspan(static_cast<size_t>(i) * vocab, vocab);
    if (options.json) {
      rows.push_back(row);
    } else {
      PrintLikeliest(row, tokens - options.last + i);
    }
  }
  if (options.json) {
    PrintJson({{"logits", rows}, {"greedy", greedy}});
    return 0;
  }
  Print(fmt::format("hash {}\n", HashText(HashLogits(values))));
  if (!greedy.empty()) Print(fmt::format("greedy {}\n", IdsText(greedy)));
  return 0;
}

}  // namespace

void AddLogits(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, "logits", "What a model computes for token ids", kText, kExamples);
  AddModelArgument(command, &options->model);
  command->add_option("--ids", options->ids, "Token ids, like 1,2,3")->required()->type_name("IDS");
  command->add_option("--last", options->last, "Positions from the end whose logits are given")
      ->check(AtLeast(1))
      ->capture_default_str()
      ->type_name("N");
  command->add_option("--greedy", options->greedy, "Tokens to add by greedy decoding")
      ->check(AtLeast(0))
      ->capture_default_str()
      ->type_name("N");
  AddLoadOptions(command, &options->load);
  AddCommonOptions(command, options.get());
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
