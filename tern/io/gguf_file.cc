// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "tern/base/error.h"
#include "tern/io/gguf.h"
#include "tern/io/json_file.h"

namespace tern {
namespace {

constexpr int64_t kMaxParts = 99999;  // five digits in the part's name

std::string PartSuffix(int64_t part, int64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", part + 1, count);
}

int64_t PartCount(const GgufMetadata& metadata) {
  return metadata.FindInt("split.count", 0, kMaxParts).value_or(1);
}

}  // namespace

GgufFile::Part::Part(const std::string& path)
    : file(path), contents(ParseGguf(file.bytes(), file.path())) {}

GgufFile::GgufFile(const std::string& path) {
  parts_.push_back(std::make_unique<Part>(path));
  const int64_t count = PartCount(metadata());
  if (count > 1) OpenParts(count);
  for (const auto& part : parts_) AddTensors(*part);
  const std::optional<int64_t> total = metadata().FindInt("split.tensors.count", 0, INT64_MAX);
  if (total && count > 1 && *total != static_cast<int64_t>(tensors_.size())) {
    Fail(ErrorKind::kInvalidFile, "{}: its parts hold {} tensors, split.tensors.count says {}",
         path, tensors_.size(), *total);
  }
}

void GgufFile::OpenParts(int64_t count) {
  const std::string first = path();
  const std::string suffix = PartSuffix(0, count);
  if (metadata().GetInt("split.no", 0, kMaxParts) != 0 || !first.ends_with(suffix)) {
    Fail(ErrorKind::kInvalidFile,
         "{}: a part of a model that is split into {}; give its first part, named …{}", first,
         count, suffix);
  }
  const std::string stem = first.substr(0, first.size() - suffix.size());
  for (int64_t i = 1; i < count; ++i) {
    const std::string name = stem + PartSuffix(i, count);
    std::error_code ignored;
    if (!std::filesystem::exists(name, ignored)) {
      Fail(ErrorKind::kIo, "{}: is missing, a part of the split model {}", name, first);
    }
    parts_.push_back(std::make_unique<Part>(name));
    const GgufMetadata& part = parts_.back()->contents.metadata;
    if (part.GetInt("split.no", 0, kMaxParts) != i || PartCount(part) != count) {
      Fail(ErrorKind::kInvalidFile, "{}: is not part {} of {}, which its name says", name, i + 1,
           count);
    }
  }
}

void GgufFile::AddTensors(const Part& part) {
  for (const GgufTensor& tensor : part.contents.tensors) {
    if (!entries_.emplace(tensor.info.name, Entry{&tensor, &part}).second) {
      Fail(ErrorKind::kInvalidFile, "{}: tensor {} appears twice", tensor.info.file,
           Quoted(tensor.info.name));
    }
    tensors_.push_back(&tensor);
  }
}

const GgufTensor* GgufFile::Find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.tensor;
}

const GgufTensor& GgufFile::Get(std::string_view name) const {
  const GgufTensor* tensor = Find(name);
  if (tensor == nullptr) {
    Fail(ErrorKind::kInvalidFile, "{}: no tensor {}", path(), Quoted(name));
  }
  return *tensor;
}

std::vector<std::string> GgufFile::paths() const {
  std::vector<std::string> paths;
  paths.reserve(parts_.size());
  for (const auto& part : parts_) paths.push_back(part->file.path());
  return paths;
}

uint64_t GgufFile::file_bytes() const {
  uint64_t bytes = 0;
  for (const auto& part : parts_) bytes += part->file.bytes().size();
  return bytes;
}

void GgufFile::Release(const GgufTensor& tensor) const {
  entries_.at(tensor.info.name).part->file.Release(tensor.info.bytes);
}

bool IsGgufFile(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  char magic[4] = {};
  return path.ends_with(".gguf") ||
         (std::ifstream(path, std::ios::binary).read(magic, sizeof(magic)) &&
          std::string_view(magic, sizeof(magic)) == "GGUF");
}

}  // namespace tern
