// SPDX-License-Identifier: MIT
// Reading one safetensors file: 8 bytes of header length (little-endian), a JSON header that gives
// each tensor's dtype, shape and byte range, then the data. The file is mapped, and everything is
// validated before any tensor is handed out, so that a TensorInfo can be trusted: its bytes lie in
// the file, match its shape, and belong to no other tensor. As in the reference implementation the
// tensors must cover the data without holes. Writing is safetensors_writer.h's, directories of
// several shards are tensor_directory.h's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "tern/base/mapped_file.h"
#include "tern/core/dtype.h"

namespace tern {

// The reference implementation's limit is 100 MB; a model of 100,000 tensors needs about 15 MB.
inline constexpr size_t kMaxSafetensorsHeaderBytes = size_t{100} << 20;
inline constexpr size_t kMaxSafetensorsRank = 16;

struct TensorInfo {
  std::string name;
  std::string_view type_name;  // as in the file: "BF16"
  std::optional<DType> dtype;  // none for types that the format has and Tern does not (I64, BOOL)
  std::vector<int64_t> shape;  // [] is a scalar; a dimension may be 0
  int64_t element_count = 0;
  // The tensor's bytes in the file, little-endian, row-major, aligned to nothing.
  std::span<const std::byte> bytes;
  std::string_view file;  // path of the file, for Errors
};

// "[2, 3]"
std::string ShapeText(std::span<const int64_t> shape);

// The tensor's DType, or Error(kUnsupported) that names file, tensor and type.
DType RequireDType(const TensorInfo& tensor);

// Throws Error(kInvalidFile) unless the tensor has this shape.
void RequireShape(const TensorInfo& tensor, std::span<const int64_t> shape);

namespace internal {
void CopyBytes(const TensorInfo& tensor, DType dtype, std::byte* out, size_t out_bytes);
}  // namespace internal

// Copies the elements into `out`, which must hold exactly as many (TERN_CHECKed). The stored type
// must be `dtype`, otherwise Error(kInvalidFile): no conversion happens here. sizeof(T) is the size
// of an element of `dtype`; bf16 and f16 are read as their 16 bits.
template <typename T, size_t kExtent>
void CopyTo(const TensorInfo& tensor, DType dtype, std::span<T, kExtent> out) {
  static_assert(std::is_trivially_copyable_v<T>);
  internal::CopyBytes(tensor, dtype, reinterpret_cast<std::byte*>(out.data()), out.size_bytes());
}

struct SafetensorsContents {
  std::vector<TensorInfo> tensors;  // in the order of their data; empty ones by name in between
  std::map<std::string, std::string> metadata;
};

// Validates a whole file that lies in memory. `path` is for Errors and, like the bytes, must
// outlive the result.
SafetensorsContents ParseSafetensors(std::span<const std::byte> file, const std::string& path);

class SafetensorsFile {
 public:
  // Throws Error(kIo) when the file cannot be mapped, Error(kInvalidFile) when it breaks the
  // format, Error(kUnsupported) when a tensor's type is not known.
  explicit SafetensorsFile(const std::string& path);

  // nullptr when there is no such tensor.
  const TensorInfo* Find(std::string_view name) const;
  // Error(kInvalidFile) when there is no such tensor.
  const TensorInfo& Get(std::string_view name) const;

  std::span<const TensorInfo> tensors() const { return contents_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return contents_.metadata; }
  const std::string& path() const { return file_.path(); }
  size_t file_bytes() const { return file_.bytes().size(); }

  // Lets the pages of a tensor go; its bytes stay readable and are then read from disk again.
  void Release(const TensorInfo& tensor) const noexcept { file_.Release(tensor.bytes); }

  SafetensorsFile(SafetensorsFile&&) = delete;  // TensorInfo refers to the path

 private:
  MappedFile file_;
  SafetensorsContents contents_;
  std::unordered_map<std::string_view, size_t> index_;
};

}  // namespace tern
