// SPDX-License-Identifier: MIT
// tern inspect: what a model's files hold, from their headers alone.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>

#include "tern/base/error.h"
#include "tern/io/json_file.h"
#include "tern/io/tensor_directory.h"
#include "tools/tern/command.h"
#include "tools/tern/model_path.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Reads config.json and the headers of the safetensors files, not the weights: instant for a\n"
    "model of any size. MODEL may also be one .safetensors file. Headers are validated.";
constexpr const char* kExamples =
    "  tern inspect tern-stories\n"
    "  tern inspect my-model --tensors\n"
    "  tern inspect model.safetensors --json";

// Hugging Face's packing holds four trits in a byte (docs/formats.md).
constexpr int64_t kTritsPerByte = 4;

struct Options : CommonOptions {
  std::string model;
  bool tensors = false;
};

struct Entry {
  const TensorInfo* tensor;
  std::string kind;
  int64_t parameters;  // 0 for scales: they belong to the weights
};

struct Total {
  int64_t tensors = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;

  void Add(const Entry& entry) {
    ++tensors;
    parameters += entry.parameters;
    bytes += static_cast<int64_t>(entry.tensor->bytes.size());
  }
};

struct Contents {
  std::string path;
  std::vector<std::string> files;
  int64_t file_bytes = 0;
  std::optional<nlohmann::json> config;
  std::vector<Entry> entries;
  std::map<std::string, Total> kinds;
  Total total;
};

bool EndsWith(std::string_view text, std::string_view end) { return text.ends_with(end); }
bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Entry Classify(const TensorInfo& tensor, const TensorDirectory& directory) {
  const std::string& name = tensor.name;
  const bool has_scale = directory.Find(name + "_scale") != nullptr;
  if (tensor.dtype == DType::kU8 && has_scale) {
    return {&tensor, "packed trits", tensor.element_count * kTritsPerByte};
  }
  if (EndsWith(name, "weight_scale")) return {&tensor, "scale", 0};
  std::string kind = "other";
  if (EndsWith(name, ".bias")) kind = "bias";
  if (Contains(name, "norm") && tensor.shape.size() == 1) kind = "norm";
  if (EndsWith(name, "_proj.weight") && tensor.shape.size() == 2) kind = "projection";
  if (Contains(name, "embed_tokens")) kind = "embedding";
  if (name == "lm_head.weight") kind = "head";
  return {&tensor, kind, tensor.element_count};
}

std::optional<nlohmann::json> ReadConfig(const std::string& model) {
  const std::filesystem::path config = std::filesystem::path(model) / "config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(config, ignored)) return std::nullopt;
  return ReadJsonFile(config.string());
}

Contents Examine(const std::string& model, const TensorDirectory& directory) {
  Contents contents;
  contents.path = model;
  contents.config = ReadConfig(model);
  for (const auto& shard : directory.shards()) {
    contents.files.push_back(std::filesystem::path(shard->path()).filename().string());
    contents.file_bytes += static_cast<int64_t>(shard->file_bytes());
  }
  for (const TensorInfo* tensor : directory.tensors()) {
    contents.entries.push_back(Classify(*tensor, directory));
    contents.kinds[contents.entries.back().kind].Add(contents.entries.back());
    contents.total.Add(contents.entries.back());
  }
  return contents;
}

double BitsPerWeight(const Total& total) {
  return total.parameters == 0
             ? 0
             : 8.0 * static_cast<double>(total.bytes) / static_cast<double>(total.parameters);
}

nlohmann::ordered_json ToJson(const Total& total) {
  return {{"tensors", total.tensors},
          {"parameters", total.parameters},
          {"bytes", total.bytes},
          {"bits_per_weight", BitsPerWeight(total)}};
}

nlohmann::ordered_json ToJson(const Contents& contents) {
  nlohmann::ordered_json tensors = nlohmann::ordered_json::array();
  for (const Entry& entry : contents.entries) {
    tensors.push_back({{"name", entry.tensor->name},
                       {"dtype", entry.tensor->type_name},
                       {"shape", entry.tensor->shape},
                       {"bytes", entry.tensor->bytes.size()},
                       {"kind", entry.kind},
                       {"parameters", entry.parameters}});
  }
  nlohmann::ordered_json kinds = nlohmann::ordered_json::object();
  for (const auto& [kind, total] : contents.kinds) kinds[kind] = ToJson(total);
  nlohmann::ordered_json json = {
      {"path", contents.path}, {"files", contents.files}, {"file_bytes", contents.file_bytes}};
  json["config"] = contents.config ? nlohmann::ordered_json(*contents.config) : nullptr;
  json["kinds"] = kinds;
  json["total"] = ToJson(contents.total);
  json["tensors"] = tensors;
  return json;
}

// The lines of config.json that say what the model is.
void PrintConfig(const nlohmann::json& config) {
  constexpr const char* kKeys[] = {"model_type",
                                   "vocab_size",
                                   "hidden_size",
                                   "intermediate_size",
                                   "num_hidden_layers",
                                   "num_attention_heads",
                                   "num_key_value_heads",
                                   "head_dim",
                                   "max_position_embeddings",
                                   "hidden_act",
                                   "tie_word_embeddings",
                                   "quantization_config"};
  for (const char* key : kKeys) {
    if (config.contains(key)) {
      const nlohmann::json& value = config[key];
      Print(fmt::format("{:<25}{}\n", key,
                        value.is_string() ? value.get<std::string>() : value.dump()));
    }
  }
}

void PrintTotal(std::string_view name, const Total& total) {
  Print(fmt::format("{:<14}{:>8}{:>16}{:>12}{:>10}\n", name, total.tensors,
                    CountText(total.parameters), BytesText(static_cast<double>(total.bytes)),
                    total.parameters > 0 ? fmt::format("{:.2f}", BitsPerWeight(total)) : ""));
}

void PrintContents(const Contents& contents, bool tensors) {
  Print(fmt::format("{}: {} in {} safetensors file{}\n\n", contents.path,
                    BytesText(static_cast<double>(contents.file_bytes)), contents.files.size(),
                    contents.files.size() == 1 ? "" : "s"));
  if (contents.config) {
    PrintConfig(*contents.config);
    Print("\n");
  }
  if (tensors) {
    for (const Entry& entry : contents.entries) {
      Print(fmt::format("{:<56} {:<5}{:<16}{:>12}\n", entry.tensor->name, entry.tensor->type_name,
                        ShapeText(entry.tensor->shape),
                        CountText(static_cast<int64_t>(entry.tensor->bytes.size()))));
    }
    Print("\n");
  }
  Print(fmt::format("{:<14}{:>8}{:>16}{:>12}{:>10}\n", "kind", "tensors", "parameters", "bytes",
                    "bits each"));
  for (const auto& [kind, total] : contents.kinds) PrintTotal(kind, total);
  PrintTotal("total", contents.total);
}

int Run(const Options& options) {
  const std::string path = ResolveModel(options.model);
  const TensorDirectory directory(path);
  const Contents contents = Examine(path, directory);
  if (options.json) {
    PrintJson(ToJson(contents));
  } else {
    PrintContents(contents, options.tensors);
  }
  return 0;
}

}  // namespace

void AddInspect(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  CLI::App* command = AddCommand(app, "inspect", "What a model's files hold, without loading them",
                                 kText, kExamples);
  AddModelArgument(command, &options->model);
  command->add_flag("--tensors", options->tensors, "List every tensor (--json always does)");
  command->add_flag("--json", options->json, "One JSON object on stdout, nothing else there");
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
