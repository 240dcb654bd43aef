// SPDX-License-Identifier: MIT
// Writing GGUF files, version 3. Metadata and the tensors' names, types and shapes are declared in
// a GgufHeader, the tensors' bytes are then streamed in that order, in pieces of any size; nothing
// is held in memory. The file appears under its name only at Commit, complete.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/atomic_file.h"
#include "tern/io/gguf.h"

namespace tern {

class GgufHeader {
 public:
  void AddString(std::string_view key, std::string_view value);
  void AddU32(std::string_view key, uint32_t value);
  void AddF32(std::string_view key, float value);
  void AddBool(std::string_view key, bool value);
  void AddStrings(std::string_view key, std::span<const std::string> values);
  void AddI32s(std::string_view key, std::span<const int32_t> values);
  void AddF32s(std::string_view key, std::span<const float> values);

  // shape in the order of a matrix [rows, k]. Error(kInvalidArgument) that names the tensor where
  // blocks do not divide a row.
  void AddTensor(std::string_view name, std::span<const int64_t> shape, const GgmlType& type);

 private:
  friend class GgufWriter;
  struct Tensor {
    std::string name;
    uint64_t bytes;
  };
  template <typename T>
  static void Put(T value, std::string* out);
  static void PutString(std::string_view text, std::string* out);
  void AddKey(std::string_view key, GgufValueType type);

  std::string metadata_;
  uint64_t metadata_count_ = 0;
  std::string infos_;
  uint64_t data_bytes_ = 0;
  std::vector<Tensor> tensors_;
};

class GgufWriter {
 public:
  // Error(kIo) when the file cannot be created.
  GgufWriter(const std::string& path, const GgufHeader& header);

  // The next bytes of `name`. Tensors come in the declared order, each complete before the next;
  // anything else is a programmer's mistake (TERN_CHECK).
  void Append(std::string_view name, std::span<const std::byte> bytes);
  // Where the file can be read before Commit.
  const std::string& temporary_path() const { return file_.temporary_path(); }
  // Every declared byte must have come (TERN_CHECK). Puts the file in place.
  void Commit();

 private:
  void Pad(uint64_t written);

  std::vector<GgufHeader::Tensor> tensors_;
  AtomicFile file_;
  size_t current_ = 0;       // the tensor that takes the next bytes
  uint64_t left_bytes_ = 0;  // of it
};

}  // namespace tern
