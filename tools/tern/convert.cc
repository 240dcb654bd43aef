// SPDX-License-Identifier: MIT
// tern convert: a model from one form to another, with the same logits.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <set>
#include <system_error>

#include "tern/base/atomic_file.h"
#include "tern/base/error.h"
#include "tern/io/gguf.h"
#include "tern/models/chat_format.h"
#include "tern/models/gguf_model.h"
#include "tools/tern/command.h"
#include "tools/tern/load.h"
#include "tools/tern/model_path.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Writes the model IN to the new directory or GGUF file OUT. Types:\n"
    "  hf-packed     ternary weights as four trits a byte (Hugging Face's bitnet, offline): an\n"
    "                eighth of bf16, and what running needs\n"
    "  hf-bitlinear  the same, with scales that divide: the older form, from before autobitlinear\n"
    "  hf-floats     floats that are ternary already; holds scales by row and group too\n"
    "  hf-masters    the float weights that the trits are made from, where IN has them: for\n"
    "                training on\n"
    "  i2_s, tq1_0, tq2_0  a GGUF file for llama.cpp, ik_llama.cpp and bitnet.cpp: 2 bits a trit\n"
    "                (2-bit codes with one scale a matrix), 1.69 and 2.06 bits (a scale for 256\n"
    "                columns, so that scales by row and wide groups have a place)\n"
    "Trits never change. A directory takes settings of generation, tokenizer and chat along as\n"
    "they are. Before OUT appears it is loaded, and its logits are compared with IN's: equal "
    "bits,\n"
    "unless tensors had to be rounded, which are named.";
constexpr const char* kExamples =
    "  tern convert my-model my-model-packed\n"
    "  tern convert my-model small --float bf16\n"
    "  tern convert falcon-prequantized packed --weights masters\n"
    "  tern convert my-model copy --type hf-masters\n"
    "  tern convert my-model my-model.gguf --embeddings q6_k\n"
    "  tern convert from-arm.gguf right.gguf --i2s-layout i2_s_64";

const std::map<std::string, CheckpointForm> kTypes = {
    {"hf-packed", CheckpointForm::kPacked},
    {"hf-bitlinear", CheckpointForm::kPackedDivides},
    {"hf-floats", CheckpointForm::kFloats},
    {"hf-masters", CheckpointForm::kMasters}};
const std::map<std::string, DType> kFloats = {
    {"f32", DType::kF32}, {"bf16", DType::kBF16}, {"f16", DType::kF16}};

// Of GGUF files: names of TritBlock and of FloatBlock or GgmlType.
const std::set<std::string> kGgufTypes = {"i2_s", "tq1_0", "tq2_0"};
const std::map<std::string, std::string> kEmbeddings = {
    {"f32", "F32"}, {"f16", "F16"}, {"bf16", "BF16"}, {"q8_0", "Q8_0"}, {"q6_k", "Q6_K"}};

struct Options : CommonOptions {
  std::string in;
  LoadOptions load;
  std::string out;
  std::string type;
  std::string embeddings = "f16";
  std::string float_type;
  uint64_t max_shard_bytes = SaveOptions().max_shard_bytes;
  bool force = false;
};

// --force replaces what SaveModel writes, never anything else, and not IN: its masters would be
// lost.
void CheckReplaceable(const std::string& in, const std::string& directory) {
  std::set<std::string, std::less<>> written = {"config.json", "tokenizer.json",
                                                "model.safetensors.index.json"};
  written.insert(CompanionFiles().begin(), CompanionFiles().end());
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

// The same for a GGUF file: --force replaces such files alone, and no part of IN.
void CheckReplaceableFile(const std::string& in, const std::string& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return;
  if (!IsGgufFile(file)) {
    Fail(ErrorKind::kInvalidArgument, "{}: exists and is no GGUF file; name another one", file);
  }
  const std::string path = ResolveModel(in);
  if (!IsGgufFile(path)) return;
  for (const std::string& part : GgufFile(path).paths()) {
    if (!std::filesystem::equivalent(part, file, ignored)) continue;
    Fail(ErrorKind::kInvalidArgument, "{}: is IN itself; name another file", file);
  }
}

std::string TypeOf(const Options& options) {
  if (!options.type.empty()) return options.type;
  return options.out.ends_with(".gguf") ? "i2_s" : "hf-packed";
}

struct Converted {
  uint64_t before = 0;               // hash of IN's logits
  uint64_t after = 0;                // of OUT's
  std::vector<std::string> rounded;  // what OUT does not hold exactly
  int64_t bytes = 0;
};

LoadedModel LoadIn(Context& ctx, const Options& options) {
  LoadOptions load = options.load;
  load.keep_masters = TypeOf(options) == "hf-masters";
  return Load(ctx, options.in, load);
}

uint64_t ProbeHash(Context& ctx, const Model& model) {
  return LogitsHash(ctx, model, ProbeIds(model.config()));
}

// The hash of the logits of what was written at `path`.
uint64_t HashWritten(Context& ctx, const Options& options, const std::string& path) {
  try {
    return ProbeHash(ctx, *LoadModel(ctx, path).model);
  } catch (const Error& error) {
    Fail(error.kind(), "{}: is not right, since it does not load: {}", options.out, error.what());
  }
}

int64_t BytesAt(const std::string& path) {
  if (!std::filesystem::is_directory(path)) {
    return static_cast<int64_t>(std::filesystem::file_size(path));
  }
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

// Compares what was written at `path`, and is not OUT yet, with the hash of IN's logits.
Converted Compare(Context& ctx, const Options& options, uint64_t before, const std::string& path,
                  std::span<const std::string> rounded) {
  Converted result = {.before = before,
                      .after = HashWritten(ctx, options, path),
                      .rounded = {rounded.begin(), rounded.end()},
                      .bytes = BytesAt(path)};
  if (result.before != result.after && rounded.empty()) {
    Fail(ErrorKind::kNumeric, "{}: its logits (hash {}) are not those of {} (hash {})", options.out,
         HashText(result.after), options.in, HashText(result.before));
  }
  return result;
}

Converted WriteGguf(Context& ctx, const Options& options) {
  CheckReplaceableFile(options.in, options.out);
  const LoadedModel in = LoadIn(ctx, options);
  const std::optional<ChatSource> chat = FindChatSource(in.path);
  Converted result;
  SaveGguf(ctx, *in.model, options.out,
           {.trits = TypeOf(options),
            .floats = kEmbeddings.at(options.embeddings),
            .tokenizer = in.tokenizer ? &*in.tokenizer : nullptr,
            .chat_template = chat ? chat->text : "",
            .replace = options.force},
           [&](const std::string& path, std::span<const std::string> rounded) {
             result = Compare(ctx, options, ProbeHash(ctx, *in.model), path, rounded);
           });
  return result;
}

// Writes the files of OUT into `directory`; gives the hash of IN's logits and what was rounded.
Converted WriteFiles(Context& ctx, const Options& options, const std::string& directory) {
  const LoadedModel in = LoadIn(ctx, options);
  SaveOptions save;
  save.form = kTypes.at(TypeOf(options));
  if (!options.float_type.empty()) save.float_dtype = kFloats.at(options.float_type);
  save.max_shard_bytes = options.max_shard_bytes;
  if (save.form == CheckpointForm::kPacked &&
      in.model->config().weights != nn::WeightKind::kTernary) {
    Fail(ErrorKind::kInvalidArgument,
         "{}: has plain float weights, which do not pack; copy it with --type hf-masters",
         options.in);
  }
  save.tokenizer = in.tokenizer ? &*in.tokenizer : nullptr;
  save.companions = in.path;
  SaveReport report = WriteModelFiles(ctx, *in.model, directory, save);
  const auto chat = IsGgufFile(in.path) ? FindChatSource(in.path) : std::nullopt;
  if (chat) WriteFileAtomically(directory + "/chat_template.jinja", chat->text);
  return {.before = ProbeHash(ctx, *in.model), .rounded = std::move(report.rounded)};
}

Converted WriteDirectory(Context& ctx, const Options& options) {
  if (options.force) CheckReplaceable(options.in, options.out);
  AtomicDirectory out(options.out, options.force ? AtomicDirectory::Existing::kReplace
                                                 : AtomicDirectory::Existing::kRefuse);
  const Converted written = WriteFiles(ctx, options, out.staging_path());
  Converted result = Compare(ctx, options, written.before, out.staging_path(), written.rounded);
  out.Commit();
  return result;
}

int Run(const Options& options) {
  const std::unique_ptr<Context> ctx = MakeContext(options);
  const Converted result = kGgufTypes.contains(TypeOf(options)) ? WriteGguf(*ctx, options)
                                                                : WriteDirectory(*ctx, options);
  const bool equal = result.before == result.after;
  if (options.json) {
    PrintJson({{"in", options.in},
               {"out", options.out},
               {"type", TypeOf(options)},
               {"bytes", result.bytes},
               {"hash_in", HashText(result.before)},
               {"hash_out", HashText(result.after)},
               {"equal", equal},
               {"rounded", result.rounded}});
    return 0;
  }
  const std::string count = CountText(static_cast<int64_t>(result.rounded.size()), "tensor");
  Print(fmt::format("{}: {}, {}\n", options.out, BytesText(static_cast<double>(result.bytes)),
                    equal ? "logits equal bit for bit (hash " + HashText(result.after) + ")"
                          : "logits changed by rounding " + count));
  for (const std::string& name : result.rounded) Print("  rounded: " + name + "\n");
  return 0;
}

// What OUT's form has no place for is wrong usage, rather than ignored.
void CheckOptions(const CLI::App& command, const Options& options) {
  const bool gguf = kGgufTypes.contains(TypeOf(options));
  const std::vector<const char*> others =
      gguf ? std::vector{"--float", "--max-shard"} : std::vector{"--embeddings"};
  for (const char* other : others) {
    if (command.count(other) > 0) {
      throw CLI::ValidationError(fmt::format("{} is for {}, and {} is written as {}", other,
                                             gguf ? "directories" : "GGUF files", options.out,
                                             TypeOf(options)));
    }
  }
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
  command->add_option("OUT", options->out, "The directory or GGUF file to write")
      ->required()
      ->type_name("");
  std::vector<std::string> types = Names(kTypes);
  types.insert(types.end(), kGgufTypes.begin(), kGgufTypes.end());
  command
      ->add_option("--type", options->type,
                   "hf-packed, hf-bitlinear, hf-floats, hf-masters, i2_s, tq1_0 or\n"
                   "tq2_0 (default: i2_s for a name that ends in .gguf, else\n"
                   "hf-packed)")
      ->check(CLI::IsMember(types).description(""))
      ->type_name("NAME");
  command
      ->add_option("--embeddings", options->embeddings,
                   "Type of embeddings and head in a GGUF file: f32, f16, bf16,\n"
                   "q8_0 or q6_k")
      ->check(CLI::IsMember(Names(kEmbeddings)).description(""))
      ->capture_default_str()
      ->type_name("TYPE");
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
  AddLoadOptions(command, &options->load);
  AddCommonOptions(command, options.get());
  command->callback([run, command, options] {
    CheckOptions(*command, *options);
    *run = [options] { return Run(*options); };
  });
}

}  // namespace tern::cli
