// SPDX-License-Identifier: MIT
// tern convert: a model from one form to another, with the same logits.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <map>
#include <set>
#include <system_error>

#include "tern/base/error.h"
#include "tools/tern/command.h"
#include "tools/tern/load.h"
#include "tools/tern/model_path.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Writes the model IN to the new directory OUT. Types:\n"
    "  hf-packed     ternary weights as four trits a byte (Hugging Face's bitnet, offline): an\n"
    "                eighth of bf16, and what running needs\n"
    "  hf-bitlinear  the same, with scales that divide: the older form, from before autobitlinear\n"
    "  hf-floats     floats that are ternary already; holds scales by row and group too\n"
    "  hf-masters    the float weights that the trits are made from, where IN has them: for\n"
    "                training on\n"
    "Trits never change. Afterwards OUT is loaded and its logits are compared with IN's: equal\n"
    "bits, unless tensors had to be rounded, which are named.";
constexpr const char* kExamples =
    "  tern convert my-model my-model-packed\n"
    "  tern convert my-model small --float bf16\n"
    "  tern convert falcon-prequantized packed --weights masters\n"
    "  tern convert my-model copy --type hf-masters";

const std::map<std::string, CheckpointForm> kTypes = {
    {"hf-packed", CheckpointForm::kPacked},
    {"hf-bitlinear", CheckpointForm::kPackedDivides},
    {"hf-floats", CheckpointForm::kFloats},
    {"hf-masters", CheckpointForm::kMasters}};
const std::map<std::string, DType> kFloats = {
    {"f32", DType::kF32}, {"bf16", DType::kBF16}, {"f16", DType::kF16}};

struct Options : CommonOptions {
  std::string in;
  FloatWeights weights = FloatWeights::kByFamily;
  std::string out;
  std::string type = "hf-packed";
  std::string float_type;
  uint64_t max_shard_bytes = SaveOptions().max_shard_bytes;
  bool force = false;
};

// --force replaces what SaveModel writes, never anything else, and not IN: its masters would be
// lost.
void CheckReplaceable(const std::string& in, const std::string& directory) {
  const std::set<std::string> written = {"config.json", "generation_config.json", "tokenizer.json",
                                         "tokenizer_config.json", "model.safetensors.index.json"};
  std::error_code ignored;
  if (std::filesystem::equivalent(ResolveModel(in), directory, ignored)) {
    Fail(ErrorKind::kInvalidArgument, "{}: is IN itself; name another directory", directory);
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || (!written.contains(name) && !name.ends_with(".safetensors"))) {
      Fail(ErrorKind::kInvalidArgument,
           "{}: holds {}, which is not a model's; --force replaces models alone", directory, name);
    }
  }
}

// Writes OUT and gives the hash of IN's logits.
uint64_t Write(Context& ctx, const Options& options, SaveReport* report) {
  if (options.force) CheckReplaceable(options.in, options.out);
  SaveOptions save;
  save.form = kTypes.at(options.type);
  if (!options.float_type.empty()) save.float_dtype = kFloats.at(options.float_type);
  save.max_shard_bytes = options.max_shard_bytes;
  save.replace = options.force;
  LoadOptions load;
  load.weights = options.weights;
  load.keep_masters = save.form == CheckpointForm::kMasters;
  const LoadedModel in = Load(ctx, options.in, load);
  if (save.form == CheckpointForm::kPacked &&
      in.model->config().weights != nn::WeightKind::kTernary) {
    Fail(ErrorKind::kInvalidArgument,
         "{}: has plain float weights, which do not pack; copy it with --type hf-masters",
         options.in);
  }
  save.tokenizer = in.tokenizer ? &*in.tokenizer : nullptr;
  *report = SaveModel(ctx, *in.model, options.out, save);
  return LogitsHash(ctx, *in.model, ProbeIds(in.model->config()));
}

int64_t DirectoryBytes(const std::string& path) {
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

int Run(const Options& options) {
  const std::unique_ptr<Context> ctx = MakeContext(options);
  SaveReport report;
  const uint64_t before = Write(*ctx, options, &report);
  const LoadedModel out = LoadModel(*ctx, options.out);
  const uint64_t after = LogitsHash(*ctx, *out.model, ProbeIds(out.model->config()));
  if (before != after && report.rounded.empty()) {
    Fail(ErrorKind::kNumeric, "{}: its logits (hash {}) are not those of {} (hash {})", options.out,
         HashText(after), options.in, HashText(before));
  }
  const int64_t bytes = DirectoryBytes(options.out);
  if (options.json) {
    PrintJson({{"in", options.in},
               {"out", options.out},
               {"type", options.type},
               {"bytes", bytes},
               {"hash_in", HashText(before)},
               {"hash_out", HashText(after)},
               {"equal", before == after},
               {"rounded", report.rounded}});
    return 0;
  }
  Print(fmt::format("{}: {}, {}\n", options.out, BytesText(static_cast<double>(bytes)),
                    before == after ? "logits equal bit for bit (hash " + HashText(after) + ")"
                                    : "logits changed"));
  if (!report.rounded.empty()) {
    Print(fmt::format("rounded: {}\n", fmt::join(report.rounded, ", ")));
  }
  return 0;
}

template <typename Value>
std::vector<std::string> Names(const std::map<std::string, Value>& map) {
  std::vector<std::string> names;
  names.reserve(map.size());
  for (const auto& entry : map) names.push_back(entry.first);
  return names;
}

}  // namespace

void AddConvert(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, "convert", "A model from one form to another", kText, kExamples);
  command->add_option("IN", options->in, "A model, as for the other commands")
      ->required()
      ->type_name("");
  command->add_option("OUT", options->out, "The directory to write")->required()->type_name("");
  command->add_option("--type", options->type, "hf-packed, hf-bitlinear, hf-floats or hf-masters")
      ->check(CLI::IsMember(Names(kTypes)).description(""))
      ->capture_default_str()
      ->type_name("NAME");
  command
      ->add_option("--float", options->float_type,
                   "Type of embeddings, norms and masters: f32, bf16 or f16\n"
                   "(default: f32, which holds any of them exactly, and which\n"
                   "transformers wants beside packed weights)")
      ->check(CLI::IsMember(Names(kFloats)).description(""))
      ->type_name("TYPE");
  command->add_option("--max-shard", options->max_shard_bytes, "Split files beyond this size")
      ->transform(SizeValue())
      ->type_name("SIZE");
  command->add_flag("--force", options->force, "OUT may hold a model: it is replaced");
  AddWeightsOption(command, &options->weights);
  AddCommonOptions(command, options.get());
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
