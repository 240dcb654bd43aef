// SPDX-License-Identifier: MIT
// Writing safetensors files. The tensors' names, types and shapes are declared up front, their
// bytes are then streamed in the declared order, in pieces of any size; nothing is held in memory.
// Files appear under their names only at Commit, complete; without it nothing is left behind. The
// data starts at a multiple of 64 bytes of the file; tensors lie behind each other without gaps, so
// one is aligned to its element where the types before it leave it so (SortForAlignment sees to
// that).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/atomic_file.h"
#include "tern/core/dtype.h"

namespace tern {

struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

// What transformers expects in a file's metadata.
inline SafetensorsMetadata DefaultSafetensorsMetadata() { return {{"format", "pt"}}; }

// Bytes of the tensor's data. Throws Error(kInvalidArgument) naming the tensor when a dimension is
// negative or the size overflows.
uint64_t TensorBytes(const TensorSpec& tensor);

// Sorts wider elements first and keeps the order otherwise: every tensor comes to lie at a multiple
// of its element.
void SortForAlignment(std::vector<TensorSpec>* tensors);

class SafetensorsWriter {
 public:
  // Throws Error(kInvalidArgument) for two tensors of one name, names that are not UTF-8 or a
  // header beyond the format's limit; Error(kIo) when the file cannot be created.
  SafetensorsWriter(const std::string& path, std::vector<TensorSpec> tensors,
                    const SafetensorsMetadata& metadata = DefaultSafetensorsMetadata());

  // The next bytes of `name`. Tensors come in the declared order, each complete before the next;
  // anything else is a programmer's mistake (TERN_CHECK). A tensor without elements may be skipped.
  void Append(std::string_view name, std::span<const std::byte> bytes);

  template <typename T>
  void AppendValues(std::string_view name, std::span<const T> values) {
    Append(name, std::as_bytes(values));
  }

  // Every declared byte must have come (TERN_CHECK). Puts the file in place.
  void Commit();

  const std::vector<TensorSpec>& tensors() const { return tensors_; }

 private:
  void SkipFinished();

  std::vector<TensorSpec> tensors_;
  AtomicFile file_;
  size_t current_ = 0;       // the tensor that takes the next bytes
  uint64_t left_bytes_ = 0;  // of it
};

// A Hugging Face directory's weights: model.safetensors, or, where they exceed max_shard_bytes of
// data, model-00001-of-0000N.safetensors and model.safetensors.index.json. A tensor is never split,
// so one larger than the limit gets a shard of its own. The directory must exist. Commit puts the
// shards in place, the index last, and then removes a model.safetensors or an index of an earlier
// save that would stand beside them; a sharded save over a sharded one is not atomic as a whole.
class ShardedSafetensorsWriter {
 public:
  ShardedSafetensorsWriter(const std::string& directory, std::vector<TensorSpec> tensors,
                           uint64_t max_shard_bytes,
                           const SafetensorsMetadata& metadata = DefaultSafetensorsMetadata());

  // As SafetensorsWriter's.
  void Append(std::string_view name, std::span<const std::byte> bytes);
  template <typename T>
  void AppendValues(std::string_view name, std::span<const T> values) {
    Append(name, std::as_bytes(values));
  }
  void Commit();

  // File names in the directory, in order.
  const std::vector<std::string>& shard_names() const { return shard_names_; }

 private:
  std::string directory_;
  uint64_t total_bytes_ = 0;
  std::vector<std::string> shard_names_;
  std::vector<std::unique_ptr<SafetensorsWriter>> shards_;
  std::map<std::string, size_t, std::less<>> shard_of_;  // tensor name to shard
};

}  // namespace tern
