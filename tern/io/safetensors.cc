// SPDX-License-Identifier: MIT
#include "tern/io/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <tuple>
#include <utility>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/io/json_file.h"

namespace tern {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors is little-endian, and tensors are read without swapping");

using nlohmann::json;

constexpr size_t kPrefixBytes = 8;

struct FileType {
  std::string_view name;
  size_t bytes;
  std::optional<DType> dtype;
};

// Types of whole bytes. What has no DType can be listed and skipped, not read.
constexpr FileType kFileTypes[] = {
    {"F64", 8, DType::kF64},      {"F32", 4, DType::kF32},      {"BF16", 2, DType::kBF16},
    {"F16", 2, DType::kF16},      {"I8", 1, DType::kI8},        {"U8", 1, DType::kU8},
    {"I32", 4, DType::kI32},      {"I64", 8, std::nullopt},     {"BOOL", 1, std::nullopt},
    {"I16", 2, std::nullopt},     {"U16", 2, std::nullopt},     {"U32", 4, std::nullopt},
    {"U64", 8, std::nullopt},     {"F8_E4M3", 1, std::nullopt}, {"F8_E5M2", 1, std::nullopt},
    {"F8_E8M0", 1, std::nullopt}, {"C64", 8, std::nullopt},
};

template <typename... Args>
[[noreturn]] void FailTensor(const std::string& path, std::string_view name,
                             fmt::format_string<Args...> format, Args&&... args) {
  Fail(ErrorKind::kInvalidFile, "{}: tensor {}: {}", path, Quoted(name),
       fmt::format(format, std::forward<Args>(args)...));
}

// Returns the header's text and leaves the data in *data.
std::string_view SplitFile(std::span<const std::byte> file, const std::string& path,
                           std::span<const std::byte>* data) {
  if (file.size() < kPrefixBytes) {
    Fail(ErrorKind::kInvalidFile,
         "{}: {} bytes, too short for safetensors' 8 bytes of header length; the file is truncated "
         "or of another format",
         path, file.size());
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), kPrefixBytes);
  if (header_bytes > kMaxSafetensorsHeaderBytes) {
    Fail(ErrorKind::kInvalidFile,
         "{}: offset 0: header length {} exceeds the limit of {} bytes; not a safetensors file?",
         path, header_bytes, kMaxSafetensorsHeaderBytes);
  }
  if (header_bytes > file.size() - kPrefixBytes) {
    Fail(ErrorKind::kInvalidFile,
         "{}: offset 0: header length {} exceeds the {} bytes that follow; the file is truncated",
         path, header_bytes, file.size() - kPrefixBytes);
  }
  *data = file.subspan(kPrefixBytes + header_bytes);
  const char* header = reinterpret_cast<const char*>(file.data()) + kPrefixBytes;
  if (header_bytes == 0 || header[0] != '{') {
    Fail(ErrorKind::kInvalidFile, "{}: offset 8: the header does not start with '{{'", path);
  }
  return {header, static_cast<size_t>(header_bytes)};
}

std::vector<int64_t> ReadShape(const std::string& path, std::string_view name, const json& value) {
  if (!value.is_array()) FailTensor(path, name, "\"shape\" must be a list of dimensions");
  if (value.size() > kMaxSafetensorsRank) {
    FailTensor(path, name, "{} dimensions, more than {}", value.size(), kMaxSafetensorsRank);
  }
  std::vector<int64_t> shape;
  for (const json& dim : value) {
    // A negative number is no unsigned one, and 2^63 and above would not survive the cast.
    if (!dim.is_number_unsigned() || dim.get<uint64_t>() > uint64_t{INT64_MAX}) {
      FailTensor(path, name, "\"shape\" {} has a dimension that is not from 0 to 2^63 - 1",
                 value.dump());
    }
    shape.push_back(dim.get<int64_t>());
  }
  return shape;
}

// Elements of the shape. Refuses shapes whose product overflows even where a 0 hides it, so that
// strides computed from the shape cannot overflow either.
int64_t CountElements(const std::string& path, std::string_view name,
                      std::span<const int64_t> shape, size_t element_bytes) {
  uint64_t span_elements = 1;
  bool empty = false;
  for (const int64_t dim : shape) {
    empty = empty || dim == 0;
    const auto factor = static_cast<uint64_t>(std::max<int64_t>(dim, 1));
    const uint64_t limit = uint64_t{INT64_MAX} / element_bytes;
    if (span_elements > limit / factor) {
      FailTensor(path, name, "the dimensions {} overflow 63 bits of bytes", ShapeText(shape));
    }
    span_elements *= factor;
  }
  return empty ? 0 : static_cast<int64_t>(span_elements);
}

std::span<const std::byte> ReadRange(const std::string& path, std::string_view name,
                                     const json& value, std::span<const std::byte> data) {
  if (!value.is_array() || value.size() != 2 || !value[0].is_number_unsigned() ||
      !value[1].is_number_unsigned()) {
    FailTensor(path, name, "\"data_offsets\" must be two offsets from 0");
  }
  const auto begin = value[0].get<uint64_t>();
  const auto end = value[1].get<uint64_t>();
  if (begin > end) FailTensor(path, name, "data offsets [{}, {}] are reversed", begin, end);
  if (end > data.size()) {
    FailTensor(path, name,
               "data offsets [{}, {}] reach past the {} bytes of data; the file is truncated or "
               "its header wrong",
               begin, end, data.size());
  }
  return data.subspan(begin, end - begin);
}

const json& Field(const std::string& path, std::string_view name, const json& entry,
                  const char* key) {
  const auto found = entry.find(key);
  if (found == entry.end()) FailTensor(path, name, "\"{}\" is missing", key);
  return *found;
}

TensorInfo ReadTensor(const std::string& path, const std::string& name, const json& entry,
                      std::span<const std::byte> data) {
  if (!entry.is_object()) FailTensor(path, name, "the header entry is not an object");
  const json& type = Field(path, name, entry, "dtype");
  if (!type.is_string()) FailTensor(path, name, "\"dtype\" must be a string");
  const auto* file_type =
      std::find_if(std::begin(kFileTypes), std::end(kFileTypes), [&](const FileType& candidate) {
        return candidate.name == type.get_ref<const std::string&>();
      });
  if (file_type == std::end(kFileTypes)) {
    Fail(ErrorKind::kUnsupported, "{}: tensor {}: unknown dtype {}", path, Quoted(name),
         Quoted(type.get_ref<const std::string&>()));
  }
  TensorInfo tensor;
  tensor.name = name;
  tensor.type_name = file_type->name;
  tensor.dtype = file_type->dtype;
  tensor.shape = ReadShape(path, name, Field(path, name, entry, "shape"));
  tensor.element_count = CountElements(path, name, tensor.shape, file_type->bytes);
  tensor.bytes = ReadRange(path, name, Field(path, name, entry, "data_offsets"), data);
  tensor.file = path;
  const uint64_t wanted = static_cast<uint64_t>(tensor.element_count) * file_type->bytes;
  if (tensor.bytes.size() != wanted) {
    FailTensor(path, name, "{} bytes of data, but shape {} of {} takes {}", tensor.bytes.size(),
               ShapeText(tensor.shape), file_type->name, wanted);
  }
  return tensor;
}

void ReadMetadata(const std::string& path, const json& entry,
                  std::map<std::string, std::string>* metadata) {
  if (!entry.is_object()) {
    Fail(ErrorKind::kInvalidFile, "{}: \"__metadata__\" must be an object of strings", path);
  }
  for (const auto& item : entry.items()) {
    if (!item.value().is_string()) {
      Fail(ErrorKind::kInvalidFile, "{}: \"__metadata__\": the value of {} must be a string", path,
           Quoted(item.key()));
    }
    metadata->emplace(item.key(), item.value().get<std::string>());
  }
}

// `tensors` come sorted by their place; each must begin where the one before it ended.
void RequireExactCover(const std::string& path, std::span<const TensorInfo> tensors,
                       std::span<const std::byte> data) {
  size_t covered = 0;
  const TensorInfo* before = nullptr;
  for (const TensorInfo& tensor : tensors) {
    const auto begin = static_cast<size_t>(tensor.bytes.data() - data.data());
    if (begin < covered) {
      FailTensor(path, tensor.name, "data offsets [{}, {}] overlap those of tensor {}", begin,
                 begin + tensor.bytes.size(), Quoted(before->name));
    }
    if (begin > covered) {
      FailTensor(path, tensor.name, "{} bytes in front of its data offset {} belong to no tensor",
                 begin - covered, begin);
    }
    covered = begin + tensor.bytes.size();
    before = &tensor;
  }
  if (covered != data.size()) {
    Fail(ErrorKind::kInvalidFile, "{}: the last {} of {} bytes of data belong to no tensor", path,
         data.size() - covered, data.size());
  }
}

}  // namespace

std::string ShapeText(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

DType RequireDType(const TensorInfo& tensor) {
  if (!tensor.dtype) {
    Fail(ErrorKind::kUnsupported, "{}: tensor {}: Tern does not read the type {}", tensor.file,
         Quoted(tensor.name), tensor.type_name);
  }
  return *tensor.dtype;
}

void RequireShape(const TensorInfo& tensor, std::span<const int64_t> shape) {
  if (!std::equal(tensor.shape.begin(), tensor.shape.end(), shape.begin(), shape.end())) {
    Fail(ErrorKind::kInvalidFile, "{}: tensor {}: shape {}, expected {}", tensor.file,
         Quoted(tensor.name), ShapeText(tensor.shape), ShapeText(shape));
  }
}

namespace internal {
void CopyBytes(const TensorInfo& tensor, DType dtype, std::byte* out, size_t out_bytes) {
  const DType stored = RequireDType(tensor);
  if (stored != dtype) {
    Fail(ErrorKind::kInvalidFile, "{}: tensor {}: type {}, expected {}", tensor.file,
         Quoted(tensor.name), DTypeName(stored), DTypeName(dtype));
  }
  TERN_CHECK(out_bytes == tensor.bytes.size());
  if (out_bytes > 0) std::memcpy(out, tensor.bytes.data(), out_bytes);
}
}  // namespace internal

SafetensorsContents ParseSafetensors(std::span<const std::byte> file, const std::string& path) {
  std::span<const std::byte> data;
  const std::string_view header_text = SplitFile(file, path, &data);
  // Depth: the header, a tensor's entry, its shape.
  const json header = ParseJson(header_text, path + ": header",
                                {.max_bytes = kMaxSafetensorsHeaderBytes, .max_depth = 3});
  SafetensorsContents contents;
  for (const auto& item : header.items()) {
    if (item.key() == "__metadata__") {
      ReadMetadata(path, item.value(), &contents.metadata);
    } else {
      contents.tensors.push_back(ReadTensor(path, item.key(), item.value(), data));
    }
  }
  std::sort(contents.tensors.begin(), contents.tensors.end(),
            [](const TensorInfo& a, const TensorInfo& b) {
              return std::tuple(a.bytes.data(), a.bytes.size(), std::string_view(a.name)) <
                     std::tuple(b.bytes.data(), b.bytes.size(), std::string_view(b.name));
            });
  RequireExactCover(path, contents.tensors, data);
  return contents;
}

SafetensorsFile::SafetensorsFile(const std::string& path)
    : file_(path), contents_(ParseSafetensors(file_.bytes(), file_.path())) {
  for (size_t i = 0; i < contents_.tensors.size(); ++i) {
    index_.emplace(contents_.tensors[i].name, i);
  }
}

const TensorInfo* SafetensorsFile::Find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &contents_.tensors[found->second];
}

const TensorInfo& SafetensorsFile::Get(std::string_view name) const {
  const TensorInfo* tensor = Find(name);
  if (tensor == nullptr) {
    Fail(ErrorKind::kInvalidFile, "{}: no tensor {}", path(), Quoted(name));
  }
  return *tensor;
}

}  // namespace tern
