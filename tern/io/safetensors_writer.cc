// SPDX-License-Identifier: MIT
#include "tern/io/safetensors_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/io/json_file.h"
#include "tern/io/safetensors.h"

namespace tern {
namespace {

constexpr size_t kDataAlignment = 64;
constexpr size_t kPrefixBytes = 8;
constexpr size_t kMaxShards = 99999;  // five digits in the shard's name

const char* FileTypeName(DType dtype) {
  constexpr const char* kNames[kDTypeCount] = {"F64", "F32", "BF16", "F16", "I8", "U8", "I32"};
  return kNames[static_cast<int>(dtype)];
}

// One "key":value of the header. The header is joined from these, because an ordered object of the
// JSON library looks every new key up among all others.
template <typename Value>
std::string Member(const std::string& path, const std::string& key, const Value& value) {
  try {
    return fmt::format("{}:{}", nlohmann::json(key).dump(), nlohmann::ordered_json(value).dump());
  } catch (const nlohmann::json::type_error&) {
    Fail(ErrorKind::kInvalidArgument, "{}: {} holds text that is not UTF-8", path, Quoted(key));
  }
}

std::string MakeHeaderText(const std::string& path, std::span<const TensorSpec> tensors,
                           const SafetensorsMetadata& metadata) {
  std::vector<std::string> members;
  if (!metadata.empty()) members.push_back(Member(path, "__metadata__", metadata));
  std::set<std::string_view> names;
  uint64_t offset = 0;
  for (const TensorSpec& tensor : tensors) {
    if (tensor.name == "__metadata__" || !names.insert(tensor.name).second) {
      Fail(ErrorKind::kInvalidArgument, "{}: the name {} cannot be given to another tensor", path,
           Quoted(tensor.name));
    }
    const uint64_t end = offset + TensorBytes(tensor);
    if (end < offset) {
      Fail(ErrorKind::kInvalidArgument, "{}: the tensors' sizes overflow at {}", path,
           Quoted(tensor.name));
    }
    const nlohmann::ordered_json entry = {{"dtype", FileTypeName(tensor.dtype)},
                                          {"shape", tensor.shape},
                                          {"data_offsets", {offset, end}}};
    members.push_back(Member(path, tensor.name, entry));
    offset = end;
  }
  return fmt::format("{{{}}}", fmt::join(members, ","));
}

// The length prefix and the header, padded with spaces so that the data begins aligned.
std::string MakeHeader(const std::string& path, std::span<const TensorSpec> tensors,
                       const SafetensorsMetadata& metadata) {
  std::string text = MakeHeaderText(path, tensors, metadata);
  const size_t past_border = (kPrefixBytes + text.size()) % kDataAlignment;
  text.append((kDataAlignment - past_border) % kDataAlignment, ' ');
  if (text.size() > kMaxSafetensorsHeaderBytes) {
    Fail(ErrorKind::kInvalidArgument, "{}: a header of {} bytes exceeds the format's limit of {}",
         path, text.size(), kMaxSafetensorsHeaderBytes);
  }
  std::string prefix(kPrefixBytes, '\0');
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    prefix[i] = static_cast<char>(uint64_t{text.size()} >> (8 * i) & 0xff);
  }
  return prefix + text;
}

void RemoveIfPresent(const std::string& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) {
    Fail(ErrorKind::kIo, "{}: cannot remove the file of an earlier save: {}", path,
         error.message());
  }
}

}  // namespace

uint64_t TensorBytes(const TensorSpec& tensor) {
  uint64_t bytes = ElementBytes(tensor.dtype);
  bool empty = false;
  for (const int64_t dim : tensor.shape) {
    empty = empty || dim == 0;
    const auto factor = static_cast<uint64_t>(std::max<int64_t>(dim, 1));
    if (dim < 0 || bytes > uint64_t{INT64_MAX} / factor) {
      Fail(ErrorKind::kInvalidArgument, "tensor {}: shape {} is negative or overflows 63 bits",
           Quoted(tensor.name), ShapeText(tensor.shape));
    }
    bytes *= factor;
  }
  return empty ? 0 : bytes;
}

void SortForAlignment(std::vector<TensorSpec>* tensors) {
  std::stable_sort(tensors->begin(), tensors->end(), [](const TensorSpec& a, const TensorSpec& b) {
    return ElementBytes(a.dtype) > ElementBytes(b.dtype);
  });
}

SafetensorsWriter::SafetensorsWriter(const std::string& path, std::vector<TensorSpec> tensors,
                                     const SafetensorsMetadata& metadata)
    : tensors_(std::move(tensors)), file_(path) {
  const std::string header = MakeHeader(path, tensors_, metadata);
  file_.Write(std::as_bytes(std::span(header)));
  if (!tensors_.empty()) left_bytes_ = TensorBytes(tensors_[0]);
}

void SafetensorsWriter::SkipFinished() {
  while (left_bytes_ == 0 && current_ < tensors_.size()) {
    if (++current_ < tensors_.size()) left_bytes_ = TensorBytes(tensors_[current_]);
  }
}

void SafetensorsWriter::Append(std::string_view name, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  SkipFinished();
  TERN_CHECK(current_ < tensors_.size());
  TERN_CHECK(tensors_[current_].name == name);
  TERN_CHECK(bytes.size() <= left_bytes_);
  file_.Write(bytes);
  left_bytes_ -= bytes.size();
}

void SafetensorsWriter::Commit() {
  SkipFinished();
  TERN_CHECK(current_ == tensors_.size());
  file_.Commit();
}

ShardedSafetensorsWriter::ShardedSafetensorsWriter(const std::string& directory,
                                                   std::vector<TensorSpec> tensors,
                                                   uint64_t max_shard_bytes,
                                                   const SafetensorsMetadata& metadata)
    : directory_(directory) {
  std::vector<std::vector<TensorSpec>> shards(1);
  uint64_t shard_bytes = 0;
  for (TensorSpec& tensor : tensors) {
    const uint64_t bytes = TensorBytes(tensor);
    if (!shards.back().empty() &&
        (shard_bytes > max_shard_bytes || bytes > max_shard_bytes - shard_bytes)) {
      shards.emplace_back();
      shard_bytes = 0;
    }
    if (!shard_of_.emplace(tensor.name, shards.size() - 1).second) {
      Fail(ErrorKind::kInvalidArgument, "{}: two tensors are called {}", directory,
           Quoted(tensor.name));
    }
    shards.back().push_back(std::move(tensor));
    shard_bytes += bytes;
    total_bytes_ += bytes;
  }
  if (shards.size() > kMaxShards) {
    Fail(ErrorKind::kInvalidArgument, "{}: {} shards, more than {}; raise the shard size",
         directory, shards.size(), kMaxShards);
  }
  for (size_t i = 0; i < shards.size(); ++i) {
    shard_names_.push_back(
        shards.size() == 1 ? "model.safetensors"
                           : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size()));
    shards_.push_back(std::make_unique<SafetensorsWriter>(directory + "/" + shard_names_.back(),
                                                          std::move(shards[i]), metadata));
  }
}

void ShardedSafetensorsWriter::Append(std::string_view name, std::span<const std::byte> bytes) {
  const auto shard = shard_of_.find(name);
  TERN_CHECK(shard != shard_of_.end());
  shards_[shard->second]->Append(name, bytes);
}

void ShardedSafetensorsWriter::Commit() {
  for (const auto& shard : shards_) shard->Commit();
  const std::string index_path = directory_ + "/model.safetensors.index.json";
  if (shards_.size() == 1) {
    RemoveIfPresent(index_path);
    return;
  }
  nlohmann::json weight_map = nlohmann::json::object();
  for (const auto& [name, shard] : shard_of_) weight_map[name] = shard_names_[shard];
  nlohmann::ordered_json index;
  index["metadata"]["total_size"] = total_bytes_;
  index["weight_map"] = weight_map;
  WriteJsonFile(index_path, index);
  RemoveIfPresent(directory_ + "/model.safetensors");
}

}  // namespace tern
