// SPDX-License-Identifier: MIT
// The weights of a Hugging Face directory, whether in one model.safetensors or in shards with
// model.safetensors.index.json, found by tensor name. Everything is validated when it is opened;
// immutable afterwards and usable by many threads. Knows nothing of models or of config.json.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tern/io/safetensors.h"

namespace tern {

class TensorDirectory {
 public:
  // `path` is a directory or one .safetensors file. Where a directory holds both model.safetensors
  // and an index, the single file counts, as in transformers. Errors: kIo when nothing is there or
  // a shard that the index names is missing; kInvalidFile when a file breaks its format, the index
  // names a file outside the directory, a tensor is not in the shard that the index gives, or two
  // shards hold the same tensor.
  explicit TensorDirectory(const std::string& path);

  const TensorInfo* Find(std::string_view name) const;  // nullptr when there is no such tensor
  const TensorInfo& Get(std::string_view name) const;   // Error(kInvalidFile) that names it

  // Shard by shard, each in the order of its data.
  const std::vector<const TensorInfo*>& tensors() const { return tensors_; }
  const std::vector<std::unique_ptr<SafetensorsFile>>& shards() const { return shards_; }
  const std::string& path() const { return path_; }

  // Lets the pages of a tensor go; its bytes stay readable and are then read from disk again.
  void Release(std::string_view name) const;

 private:
  struct Entry {
    const TensorInfo* tensor;
    const SafetensorsFile* file;
  };
  void AddShard(const std::string& path);
  void OpenIndex(const std::string& index_path);

  std::string path_;
  std::vector<std::unique_ptr<SafetensorsFile>> shards_;
  std::vector<const TensorInfo*> tensors_;
  std::unordered_map<std::string_view, Entry> entries_;
};

}  // namespace tern
