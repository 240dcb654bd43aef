// SPDX-License-Identifier: MIT
#include "tern/io/tensor_directory.h"

#include <filesystem>
#include <map>
#include <set>
#include <system_error>

#include "tern/base/error.h"
#include "tern/io/json_file.h"

namespace tern {
namespace {

constexpr size_t kMaxShards = 99999;
constexpr std::string_view kSuffix = ".safetensors";

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// A plain file name ending in .safetensors: nothing that could lead out of the directory.
bool IsShardName(std::string_view name) {
  if (name.size() <= kSuffix.size() || name.size() > 255 || !name.ends_with(kSuffix)) return false;
  return name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

}  // namespace

TensorDirectory::TensorDirectory(const std::string& path) : path_(path) {
  const std::string single = path + "/model.safetensors";
  const std::string index = path + "/model.safetensors.index.json";
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    AddShard(path);
  } else if (Exists(single)) {
    AddShard(single);
  } else if (Exists(index)) {
    OpenIndex(index);
  } else {
    Fail(ErrorKind::kIo, "{}: holds neither model.safetensors nor model.safetensors.index.json",
         path);
  }
}

void TensorDirectory::AddShard(const std::string& path) {
  shards_.push_back(std::make_unique<SafetensorsFile>(path));
  const SafetensorsFile& file = *shards_.back();
  for (const TensorInfo& tensor : file.tensors()) {
    const auto [entry, added] = entries_.emplace(tensor.name, Entry{&tensor, &file});
    if (!added) {
      Fail(ErrorKind::kInvalidFile, "{}: tensor {} is in {} too; one of the shards is stale", path,
           Quoted(tensor.name), entry->second.tensor->file);
    }
    tensors_.push_back(&tensor);
  }
}

void TensorDirectory::OpenIndex(const std::string& index_path) {
  const nlohmann::json document =
      ReadJsonFile(index_path, {.max_bytes = kMaxSafetensorsHeaderBytes, .max_depth = 8});
  const JsonObject index(document, index_path);
  // metadata.total_size, which files in the wild have wrong, is not looked at.
  const JsonObject weight_map = index.GetObject("weight_map");
  std::set<std::string> names;
  for (const auto& item : weight_map.value().items()) {
    const std::string name = item.value().is_string() ? item.value().get<std::string>() : "";
    if (!IsShardName(name)) {
      Fail(ErrorKind::kInvalidFile,
           "{}: weight_map: the shard of tensor {} must be the name of a .safetensors file in the "
           "same directory, not {}",
           index_path, Quoted(item.key()),
           Quoted(item.value().is_string() ? name : item.value().dump()));
    }
    names.insert(name);
  }
  if (names.size() > kMaxShards) {
    Fail(ErrorKind::kInvalidFile, "{}: {} shards, more than {}", index_path, names.size(),
         kMaxShards);
  }
  for (const std::string& name : names) {
    const std::string shard = path_ + "/" + name;
    if (!Exists(shard)) {
      Fail(ErrorKind::kIo, "{}: the shard {} is not in the directory; fetch it", index_path,
           Quoted(name));
    }
    AddShard(shard);
  }
  for (const auto& item : weight_map.value().items()) {
    const std::string shard = path_ + "/" + item.value().get<std::string>();
    const TensorInfo* tensor = Find(item.key());
    if (tensor == nullptr || tensor->file != shard) {
      Fail(ErrorKind::kInvalidFile, "{}: tensor {} is not in {}, where the index has it",
           index_path, Quoted(item.key()), shard);
    }
  }
}

const TensorInfo* TensorDirectory::Find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.tensor;
}

const TensorInfo& TensorDirectory::Get(std::string_view name) const {
  const TensorInfo* tensor = Find(name);
  if (tensor == nullptr) {
    Fail(ErrorKind::kInvalidFile, "{}: no tensor {}", path_, Quoted(name));
  }
  return *tensor;
}

void TensorDirectory::Release(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found != entries_.end()) found->second.file->Release(*found->second.tensor);
}

}  // namespace tern
