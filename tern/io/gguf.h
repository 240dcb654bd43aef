// SPDX-License-Identifier: MIT
// Reading GGUF files, versions 2 and 3, little-endian: 'GGUF', version, counts, metadata, the
// tensors' names, types, shapes and offsets, then at the next multiple of general.alignment their
// data. A file is mapped; counts, lengths and offsets are checked against what the file holds
// before anything is made from them, so that a GgufTensor can be trusted: its bytes lie in the
// file, are those of its type and shape, and belong to no other tensor. As in ggml tensors lie
// behind each other, each padded to the alignment, without holes. Metadata are views into the
// mapping. Knows nothing of models; what the bytes of a quantized type mean is pack's.
//
// Two layouts go by the type id 42 (Q2_0): groups of 64 in 18 bytes and groups of 128 in 34. The
// bytes between the tensors tell which; where both fit every tensor of the file, it is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tern/base/mapped_file.h"
#include "tern/io/safetensors.h"

namespace tern {

inline constexpr uint32_t kGgufVersion = 3;
inline constexpr uint64_t kGgufAlignment = 32;  // where general.alignment is missing

// A line of ggml_types.inc.
struct GgmlType {
  uint32_t id;
  std::string_view name;
  int64_t block;
  int64_t block_bytes;
  int64_t row_bytes;
  int64_t tail_bytes;
  bool ternary;  // of trits, or of codes that may be trits
  std::optional<DType> dtype;

  // Bytes of a tensor [rows, k]; nothing where blocks do not divide a row or the number overflows.
  std::optional<int64_t> Bytes(int64_t rows, int64_t k) const;
};

std::span<const GgmlType> GgmlTypes();
// Null if there is none of that name.
const GgmlType* FindGgmlType(std::string_view name);

enum class GgufValueType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

struct GgufValue {
  GgufValueType type = GgufValueType::kU8;  // of the value, or of an array's elements
  bool array = false;
  uint64_t count = 1;                // of the array's elements
  std::span<const std::byte> bytes;  // the elements as in the file, strings with their lengths
};

// "u32", "string[128256]"
std::string GgufTypeText(const GgufValue& value);

// Metadata with typed access, as JsonObject's: Get… throws Error(kInvalidFile) that names file and
// key when the key is missing, has another type or is out of range; Find… gives nullopt for a
// missing key and throws for the rest. Strings are views into the file.
class GgufMetadata {
 public:
  GgufMetadata() = default;
  GgufMetadata(std::map<std::string_view, GgufValue> values, std::string place)
      : values_(std::move(values)), place_(std::move(place)) {}

  bool Has(std::string_view key) const { return values_.contains(key); }
  int64_t GetInt(std::string_view key, int64_t min, int64_t max) const;
  std::optional<int64_t> FindInt(std::string_view key, int64_t min, int64_t max) const;
  double GetFloat(std::string_view key, double min, double max) const;
  std::optional<double> FindFloat(std::string_view key, double min, double max) const;
  std::optional<bool> FindBool(std::string_view key) const;
  std::string_view GetString(std::string_view key) const;
  std::optional<std::string_view> FindString(std::string_view key) const;
  std::optional<std::vector<std::string_view>> FindStrings(std::string_view key) const;
  std::optional<std::vector<int64_t>> FindInts(std::string_view key) const;
  std::optional<std::vector<double>> FindFloats(std::string_view key) const;

  const std::map<std::string_view, GgufValue>& values() const { return values_; }
  const std::string& place() const { return place_; }

 private:
  const GgufValue* Find(std::string_view key, bool array) const;
  [[noreturn]] void Missing(std::string_view key) const;
  [[noreturn]] void WrongType(std::string_view key, const GgufValue& value,
                              std::string_view wanted) const;

  std::map<std::string_view, GgufValue> values_;
  std::string place_;
};

struct GgufTensor {
  TensorInfo info;  // shape in the order of a matrix [rows, k]: the reverse of the file's
  const GgmlType* type = nullptr;

  int64_t k() const { return info.shape.back(); }
  int64_t rows() const { return k() == 0 ? 0 : info.element_count / k(); }
};

struct GgufContents {
  uint32_t version = 0;
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  // in the order of their data
};

// Validates a whole file that lies in memory. `path` is for Errors and, like the bytes, must
// outlive the result. Throws Error(kInvalidFile), and Error(kUnsupported) for big-endian files,
// version 1 and unknown types.
GgufContents ParseGguf(std::span<const std::byte> file, const std::string& path);

// A GGUF file, or the parts of a split one (split.count; NAME-00001-of-00003.gguf names the first),
// found by tensor name. Immutable; usable by many threads.
class GgufFile {
 public:
  // As ParseGguf; Error(kIo) also when a part is missing, Error(kInvalidFile) when parts do not
  // belong together or path is not the first.
  explicit GgufFile(const std::string& path);
  GgufFile(GgufFile&&) = delete;  // tensors refer to the paths

  uint32_t version() const { return parts_.front()->contents.version; }
  const GgufMetadata& metadata() const { return parts_.front()->contents.metadata; }
  const GgufTensor* Find(std::string_view name) const;  // nullptr when there is no such tensor
  const GgufTensor& Get(std::string_view name) const;   // Error(kInvalidFile) that names it
  const std::vector<const GgufTensor*>& tensors() const { return tensors_; }

  const std::string& path() const { return parts_.front()->file.path(); }
  std::vector<std::string> paths() const;
  uint64_t file_bytes() const;

  // Lets the pages of a tensor go; its bytes stay readable and are then read from disk again.
  void Release(const GgufTensor& tensor) const;

 private:
  struct Part {
    explicit Part(const std::string& path);
    MappedFile file;
    GgufContents contents;
  };
  struct Entry {
    const GgufTensor* tensor;
    const Part* part;
  };
  void OpenParts(int64_t count);
  void AddTensors(const Part& part);

  std::vector<std::unique_ptr<Part>> parts_;
  std::vector<const GgufTensor*> tensors_;
  std::unordered_map<std::string_view, Entry> entries_;
};

// Whether the file at the path is named .gguf or begins as one.
bool IsGgufFile(const std::string& path);

}  // namespace tern
