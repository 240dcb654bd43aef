// SPDX-License-Identifier: MIT
// tern verify: shows that every way of computing a model's logits gives the same bits.
#include <fmt/format.h>

#include <algorithm>

#include "tern/autograd/tape.h"
#include "tern/base/check.h"
#include "tern/base/cpu_features.h"
#include "tern/base/error.h"
#include "tern/base/settings.h"
#include "tern/kernels/kernel_table.h"
#include "tern/models/logits_hash.h"
#include "tern/runtime/session.h"
#include "tern/train/train_step.h"
#include "tools/tern/command.h"
#include "tools/tern/load.h"
#include "tools/tern/status_line.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Runs one prompt in every way that Tern has and prints a hash of all its logits for each:\n"
    "  recorded     the forward pass of training, with its tape; from masters where MODEL has\n"
    "               them, else from its packed weights\n"
    "  packed       the forward pass that only runs\n"
    "  3 at once    the same for a batch of three\n"
    "  one by one   token by token, with the cache of keys and values\n"
    "  base 3       the same two, packed and one by one, with five trits in a byte\n"
    "on every CPU target of this machine, or on that of TERN_CPU alone, with 1 thread and with\n"
    "several. Exit status 1 unless all are equal, bit for bit.";
constexpr const char* kExamples =
    "  tern verify tern-stories\n"
    "  tern verify my-model --ids 1,2,3 --threads 8";

struct Options : CommonOptions {
  std::string model;
  LoadOptions load;
  std::string ids;
};

struct Check {
  std::string target;
  int threads;
  const char* form;
  uint64_t hash;
};

uint64_t Recorded(Context& ctx, Model& model, const std::vector<int32_t>& ids) {
  Tape tape(ctx);
  const std::vector<Parameter> parameters = model.Parameters();
  const WatchedParameters watched(tape, parameters);
  const uint64_t hash = LogitsHash(ctx, model, ids);
  TERN_CHECK(tape.nodes() > 0);
  return hash;
}

// The rows of a batch are equal prompts: the hash of the first, or of one that differs.
uint64_t Batched(Context& ctx, const Model& model, const std::vector<int32_t>& ids) {
  constexpr int64_t kBatch = 3;
  const Tensor logits = model.Forward(ctx, IdsTensor(ctx, ids, kBatch));
  const std::span<const float> values = logits.span<float>();
  const size_t row = values.size() / kBatch;
  const uint64_t first = HashLogits(values.first(row));
  for (size_t i = 1; i < kBatch; ++i) {
    const uint64_t hash = HashLogits(values.subspan(i * row, row));
    if (hash != first) return hash;
  }
  return first;
}

uint64_t OneByOne(Context& ctx, const Model& model, const std::vector<int32_t>& ids) {
  Session session(ctx, model);
  std::vector<float> logits;
  for (const int32_t id : ids) {
    const std::span<const float> row = session.Feed(id);
    logits.insert(logits.end(), row.begin(), row.end());
  }
  return HashLogits(logits);
}

// What TERN_CPU asks for (MakeContext refuses what is not there), else all.
std::vector<std::string> Targets() {
  const std::string forced = ReadSettings().cpu_target;
  if (!forced.empty()) return {forced};
  std::vector<std::string> names;
  for (const kernels::Target& target : kernels::ListTargets(CpuFeatures::Detect())) {
    if (target.supported) names.emplace_back(target.name);
  }
  return names;
}

void CheckTarget(const Options& options, const std::string& target, int threads,
                 std::vector<Check>* checks) {
  CommonOptions common = options;
  common.threads = threads;
  const std::unique_ptr<Context> ctx = MakeContext(common, target);
  LoadOptions load = options.load;
  load.keep_masters = true;
  load.tokenizer = false;
  const LoadedModel loaded = Load(*ctx, options.model, load);
  Model& model = *loaded.model;
  const std::vector<int32_t> ids =
      options.ids.empty() ? ProbeIds(model.config()) : ParseIds(options.ids, "--ids");
  CheckTokenIds(ids, model.config());
  checks->push_back({target, threads, "recorded", Recorded(*ctx, model, ids)});
  model.Pack(*ctx, TernaryLayout::kPanels2Bit);
  checks->push_back({target, threads, "packed", LogitsHash(*ctx, model, ids)});
  checks->push_back({target, threads, "3 at once", Batched(*ctx, model, ids)});
  checks->push_back({target, threads, "one by one", OneByOne(*ctx, model, ids)});
  model.Pack(*ctx, TernaryLayout::kPanelsBase3);
  checks->push_back({target, threads, "base 3", LogitsHash(*ctx, model, ids)});
  checks->push_back({target, threads, "base 3, one by one", OneByOne(*ctx, model, ids)});
}

bool AllEqual(const std::vector<Check>& checks) {
  return std::all_of(checks.begin(), checks.end(),
                     [&](const Check& check) { return check.hash == checks.front().hash; });
}

nlohmann::ordered_json ToJson(const std::vector<Check>& checks) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Check& check : checks) {
    list.push_back({{"target", check.target},
                    {"threads", check.threads},
                    {"forward", check.form},
                    {"hash", HashText(check.hash)}});
  }
  return {{"equal", AllEqual(checks)}, {"checks", list}};
}

int Run(const Options& options) {
  const int several = std::max(2, ThreadCount(options));
  std::vector<Check> checks;
  size_t printed = 0;
  for (const std::string& target : Targets()) {
    for (const int threads : {1, several}) {
      CheckTarget(options, target, threads, &checks);
      for (; printed < checks.size() && !options.json; ++printed) {
        const Check& check = checks[printed];
        Print(fmt::format("{}  {:<11} {:>2} thread{} {}\n", HashText(check.hash), check.target,
                          check.threads, check.threads == 1 ? " " : "s", check.form));
      }
    }
  }
  if (options.json) {
    PrintJson(ToJson(checks));
  } else {
    Print(AllEqual(checks) ? fmt::format("all {} equal\n", checks.size()) : "NOT equal\n");
  }
  if (!AllEqual(checks)) {
    Fail(ErrorKind::kNumeric, "{}: its logits are not the same bits on every path", options.model);
  }
  return 0;
}

}  // namespace

void AddVerify(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(
      app, "verify", "Shows that a model gives the same bits on every path", kText, kExamples);
  AddModelArgument(command, &options->model);
  command->add_option("--ids", options->ids, "The prompt (default: 32 ids)")
      ->check(NotEmpty())
      ->type_name("IDS");
  AddLoadOptions(command, &options->load);
  AddCommonOptions(command, options.get());
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
