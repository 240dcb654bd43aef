// SPDX-License-Identifier: MIT
// tern inspect: what a model's files hold, from their headers alone.
#include <fmt/format.h>

#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "tern/base/error.h"
#include "tern/io/gguf.h"
#include "tern/io/json_file.h"
#include "tern/io/tensor_directory.h"
#include "tools/tern/command.h"
#include "tools/tern/model_path.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Reads config.json and the headers of the safetensors files, or a GGUF file's metadata, not "
    "the\n"
    "weights: instant for a model of any size. MODEL may also be one .safetensors file. Headers "
    "are\n"
    "validated.";
constexpr const char* kExamples =
    "  tern inspect tern-stories\n"
    "  tern inspect my-model --tensors\n"
    "  tern inspect model.gguf\n"
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
  const char* format = "safetensors";
  std::vector<std::string> files;
  int64_t file_bytes = 0;
  std::optional<nlohmann::ordered_json> config;
  std::vector<Entry> entries;
  std::map<std::string, Total> kinds;
  Total total;

  void Add(const Entry& entry) {
    entries.push_back(entry);
    kinds[entry.kind].Add(entry);
    total.Add(entry);
  }
};

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Entry Classify(const TensorInfo& tensor, const TensorDirectory& directory) {
  const std::string& name = tensor.name;
  const bool has_scale = directory.Find(name + "_scale") != nullptr;
  if (tensor.dtype == DType::kU8 && has_scale) {
    return {&tensor, "packed trits", tensor.element_count * kTritsPerByte};
  }
  if (name.ends_with("weight_scale")) return {&tensor, "scale", 0};
  std::string kind = "other";
  if (name.ends_with(".bias")) kind = "bias";
  if (Contains(name, "norm") && tensor.shape.size() == 1) kind = "norm";
  if (name.ends_with("_proj.weight") && tensor.shape.size() == 2) kind = "projection";
  if (Contains(name, "embed_tokens")) kind = "embedding";
  if (name == "lm_head.weight") kind = "head";
  return {&tensor, kind, tensor.element_count};
}

std::optional<nlohmann::ordered_json> ReadConfig(const std::string& model) {
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
    contents.Add(Classify(*tensor, directory));
  }
  return contents;
}

Entry Classify(const GgufTensor& tensor) {
  const std::string& name = tensor.info.name;
  std::string kind = "other";
  if (name.ends_with(".bias")) kind = "bias";
  if (name.ends_with("norm.weight")) kind = "norm";
  if (name.starts_with("blk.") && tensor.info.shape.size() == 2) kind = "projection";
  if (tensor.type->ternary) kind = "packed trits";
  if (name == "token_embd.weight") kind = "embedding";
  if (name == "output.weight") kind = "head";
  return {&tensor.info, kind, tensor.info.element_count};
}

// Metadata as JSON; of an array its type and length.
nlohmann::ordered_json MetadataJson(const GgufMetadata& metadata) {
  using Object = nlohmann::ordered_json::object_t;
  Object json;
  // A file may have a million keys, and Object looks each up among all before.
  const auto add = [&](std::string_view key, nlohmann::ordered_json value) {
    json.std::vector<Object::value_type>::emplace_back(key, std::move(value));
  };
  for (const auto& [key, value] : metadata.values()) {
    if (value.array) {
      add(key, GgufTypeText(value));
    } else if (value.type == GgufValueType::kString) {
      add(key, *metadata.FindString(key));
    } else if (value.type == GgufValueType::kBool) {
      add(key, *metadata.FindBool(key));
    } else if (value.type == GgufValueType::kF32 || value.type == GgufValueType::kF64) {
      constexpr double kInfinity = std::numeric_limits<double>::infinity();
      add(key, metadata.FindFloat(key, -kInfinity, kInfinity).value());
    } else {
      add(key, metadata.FindInt(key, INT64_MIN, INT64_MAX).value());
    }
  }
  return json;
}

Contents Examine(const GgufFile& file) {
  Contents contents;
  contents.path = file.path();
  contents.format = "GGUF";
  contents.config = MetadataJson(file.metadata());
  for (const std::string& path : file.paths()) {
    contents.files.push_back(std::filesystem::path(path).filename().string());
  }
  contents.file_bytes = static_cast<int64_t>(file.file_bytes());
  for (const GgufTensor* tensor : file.tensors()) contents.Add(Classify(*tensor));
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
  json["format"] = contents.format;
  json["config"] = contents.config.value_or(nullptr);
  json["kinds"] = kinds;
  json["total"] = ToJson(contents.total);
  json["tensors"] = tensors;
  return json;
}

std::string ValueText(const nlohmann::ordered_json& value) {
  return value.is_string() ? Escaped(value.get<std::string>()) : value.dump();
}

// All metadata of a GGUF file; of config.json the lines that say what the model is.
void PrintConfig(const Contents& contents) {
  const nlohmann::ordered_json& config = *contents.config;
  if (contents.format == std::string_view("GGUF")) {
    for (const auto& item : config.items()) {
      Print(fmt::format("{:<44} {}\n", Escaped(item.key()), ValueText(item.value())));
    }
    return;
  }
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
    if (config.contains(key)) Print(fmt::format("{:<25}{}\n", key, ValueText(config[key])));
  }
}

void PrintTotal(std::string_view name, const Total& total) {
  Print(fmt::format("{:<14}{:>8}{:>16}{:>12}{:>10}\n", name, total.tensors,
                    CountText(total.parameters), BytesText(static_cast<double>(total.bytes)),
                    total.parameters > 0 ? fmt::format("{:.2f}", BitsPerWeight(total)) : ""));
}

void PrintContents(const Contents& contents, bool tensors) {
  Print(fmt::format("{}: {} in {} {} file{}\n\n", contents.path,
                    BytesText(static_cast<double>(contents.file_bytes)), contents.files.size(),
                    contents.format, contents.files.size() == 1 ? "" : "s"));
  if (contents.config) {
    PrintConfig(contents);
    Print("\n");
  }
  if (tensors) {
    for (const Entry& entry : contents.entries) {
      Print(fmt::format("{:<56} {:<6}{:<16}{:>12}\n", Escaped(entry.tensor->name),
                        entry.tensor->type_name, ShapeText(entry.tensor->shape),
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
  const auto print = [&](const Contents& contents) {
    if (options.json) {
      PrintJson(ToJson(contents));
    } else {
      PrintContents(contents, options.tensors);
    }
  };
  if (IsGgufFile(path)) {
    print(Examine(GgufFile(path)));
  } else {
    print(Examine(path, TensorDirectory(path)));
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
