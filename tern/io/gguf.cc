// SPDX-License-Identifier: MIT
#include "tern/io/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <iterator>
#include <utility>

#include "tern/base/checked_math.h"
#include "tern/base/error.h"
#include "tern/io/json_file.h"

namespace tern {
namespace {

static_assert(std::endian::native == std::endian::little,
              "GGUF is read as little-endian, without swapping");

constexpr GgmlType kTypes[] = {
#define TERN_GGML_TYPE(...) GgmlType{__VA_ARGS__},
#include "tern/io/ggml_types.inc"
#undef TERN_GGML_TYPE
};

constexpr uint32_t kQ20Id = 42;
constexpr int kMaxArrayDepth = 4;
constexpr uint32_t kMaxRank = 4;
constexpr uint64_t kMaxAlignment = uint64_t{1} << 30;
constexpr size_t kValueBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};  // by GgufValueType
// The least that one more takes of the file: what bounds the counts.
constexpr size_t kMinMetadataBytes = 8 + 4 + 1;
constexpr size_t kMinTensorBytes = 8 + 4 + 8 + 4 + 8;

// The bytes of a file, taken from the front; every Error names path and offset.
class Cursor {
 public:
  Cursor(std::span<const std::byte> file, const std::string& path) : file_(file), path_(path) {}

  uint64_t offset() const { return offset_; }
  uint64_t left() const { return file_.size() - offset_; }

  std::span<const std::byte> Take(uint64_t bytes, std::string_view what) {
    if (bytes > left()) {
      FailHere("{} takes {} bytes, {} are left; the file is truncated or damaged", what, bytes,
               left());
    }
    const std::span<const std::byte> taken = file_.subspan(offset_, bytes);
    offset_ += bytes;
    return taken;
  }

  template <typename T>
  T Number(std::string_view what) {
    T value;
    std::memcpy(&value, Take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::string_view String(std::string_view what) {
    const auto length = Number<uint64_t>(what);
    const std::span<const std::byte> text = Take(length, what);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

  uint64_t Count(std::string_view what, size_t least_bytes) {
    const auto count = Number<uint64_t>(what);
    if (count > left() / least_bytes) {
      FailHere("{} {} does not fit the {} bytes that follow; the file is truncated or damaged",
               what, count, left());
    }
    return count;
  }

  template <typename... Args>
  [[noreturn]] void FailHere(fmt::format_string<Args...> format, Args&&... args) const {
    Fail(ErrorKind::kInvalidFile, "{}: offset {}: {}", path_, offset_,
         fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  std::span<const std::byte> file_;
  const std::string& path_;
  uint64_t offset_ = 0;
};

uint32_t ReadVersion(Cursor* cursor, const std::string& path) {
  const auto magic = cursor->Number<std::array<char, 4>>("the magic");
  if (std::string_view(magic.data(), magic.size()) != "GGUF") {
    Fail(ErrorKind::kInvalidFile, "{}: offset 0: no GGUF file, it does not begin with \"GGUF\"",
         path);
  }
  const auto version = cursor->Number<uint32_t>("the version");
  if (version == 2 || version == kGgufVersion) return version;
  if (version != 0 && (version & 0xffffu) == 0) {
    Fail(ErrorKind::kUnsupported,
         "{}: offset 4: a big-endian file; convert it with gguf_convert_endian.py of llama.cpp",
         path);
  }
  Fail(ErrorKind::kUnsupported, "{}: offset 4: version {}; versions 2 and 3 are read{}", path,
       version, version == 1 ? "; convert the model anew" : "");
}

GgufValueType ReadValueType(Cursor* cursor, std::string_view what) {
  const auto type = cursor->Number<uint32_t>(what);
  if (type >= std::size(kValueBytes)) cursor->FailHere("{} has the unknown type {}", what, type);
  return static_cast<GgufValueType>(type);
}

void SkipArray(Cursor* cursor, GgufValueType type, uint64_t count, std::string_view what,
               int depth);

void SkipArrayValue(Cursor* cursor, std::string_view what, int depth) {
  const GgufValueType type = ReadValueType(cursor, what);
  const auto count = cursor->Number<uint64_t>(what);
  SkipArray(cursor, type, count, what, depth + 1);
}

void SkipArray(Cursor* cursor, GgufValueType type, uint64_t count, std::string_view what,
               int depth) {
  if (depth > kMaxArrayDepth) {
    cursor->FailHere("{}: arrays within arrays, deeper than {}", what, kMaxArrayDepth);
  }
  if (type == GgufValueType::kString || type == GgufValueType::kArray) {
    for (uint64_t i = 0; i < count; ++i) {
      if (type == GgufValueType::kString) {
        cursor->String(what);
      } else {
        SkipArrayValue(cursor, what, depth);
      }
    }
    return;
  }
  const size_t each = kValueBytes[static_cast<uint32_t>(type)];
  if (count > cursor->left() / each) {
    cursor->FailHere("{}: an array of {} elements does not fit the {} bytes that follow", what,
                     count, cursor->left());
  }
  cursor->Take(count * each, what);
}

GgufValue ReadValue(Cursor* cursor, std::span<const std::byte> file, std::string_view what) {
  GgufValue value;
  value.type = ReadValueType(cursor, what);
  if (value.type == GgufValueType::kArray) {
    value.array = true;
    value.type = ReadValueType(cursor, what);
    value.count = cursor->Number<uint64_t>(what);
  }
  const uint64_t begin = cursor->offset();
  SkipArray(cursor, value.type, value.count, what, 1);
  value.bytes = file.subspan(begin, cursor->offset() - begin);
  if (value.type == GgufValueType::kBool) {
    for (const std::byte byte : value.bytes) {
      if (byte > std::byte{1}) cursor->FailHere("{}: a bool that is neither 0 nor 1", what);
    }
  }
  return value;
}

GgufMetadata ReadMetadata(Cursor* cursor, std::span<const std::byte> file, uint64_t count,
                          const std::string& path) {
  std::map<std::string_view, GgufValue> values;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view key = cursor->String("a metadata key");
    const std::string what = fmt::format("metadata {}", Quoted(key));
    if (!values.emplace(key, ReadValue(cursor, file, what)).second) {
      cursor->FailHere("{} appears twice", what);
    }
  }
  return {std::move(values), path};
}

const GgmlType& FindTypeId(uint32_t id, const std::string& path, std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& t) { return t.id == id; });
  if (found == std::end(kTypes)) {
    Fail(ErrorKind::kUnsupported,
         "{}: tensor {}: the type id {} is not known; convert the model anew as I2_S, TQ1_0 or "
         "TQ2_0",
         path, Quoted(name), id);
  }
  return *found;
}

struct PlacedTensor {
  GgufTensor tensor;
  uint64_t offset = 0;
};

PlacedTensor ReadTensor(Cursor* cursor, const std::string& path) {
  PlacedTensor placed;
  TensorInfo& info = placed.tensor.info;
  info.name = cursor->String("a tensor's name");
  const auto rank = cursor->Number<uint32_t>("a tensor's rank");
  if (rank < 1 || rank > kMaxRank) {
    cursor->FailHere("tensor {}: {} dimensions, not 1 to {}", Quoted(info.name), rank, kMaxRank);
  }
  info.element_count = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    const auto dim = cursor->Number<int64_t>("a tensor's shape");
    const std::optional<int64_t> count = CheckedMul(info.element_count, dim);
    if (dim < 1 || !count) {
      cursor->FailHere("tensor {}: the dimension {} is not positive or too large",
                       Quoted(info.name), dim);
    }
    info.element_count = *count;
    info.shape.insert(info.shape.begin(), dim);
  }
  placed.tensor.type = &FindTypeId(cursor->Number<uint32_t>("a tensor's type"), path, info.name);
  placed.offset = cursor->Number<uint64_t>("a tensor's offset");
  info.file = path;
  return placed;
}

uint64_t Alignment(const GgufMetadata& metadata, const std::string& path) {
  const int64_t alignment =
      metadata.FindInt("general.alignment", 0, INT64_MAX).value_or(kGgufAlignment);
  if (!std::has_single_bit(static_cast<uint64_t>(alignment)) ||
      static_cast<uint64_t>(alignment) > kMaxAlignment) {
    Fail(ErrorKind::kInvalidFile, "{}: metadata \"general.alignment\" is {}, no power of two", path,
         alignment);
  }
  return static_cast<uint64_t>(alignment);
}

// The distance to the next tensor or, for the last, to the end of the data.
uint64_t Extent(std::span<const PlacedTensor> tensors, size_t i, uint64_t data_bytes) {
  return (i + 1 < tensors.size() ? tensors[i + 1].offset : data_bytes) - tensors[i].offset;
}

// Whether bytes, padded or, at the file's end, not, fill the extent.
bool Fills(int64_t bytes, uint64_t extent, uint64_t alignment, bool last) {
  const auto size = static_cast<uint64_t>(bytes);
  return size <= extent &&
         (CeilDiv(size, alignment) * alignment == extent || (last && extent - size < alignment));
}

// Decides which of the two types of id 42 all tensors of it have.
void ResolveQ20(std::vector<PlacedTensor>* tensors, uint64_t data_bytes, uint64_t alignment,
                const std::string& path) {
  std::vector<const GgmlType*> fitting;
  std::string_view first;
  for (const GgmlType& type : kTypes) {
    if (type.id != kQ20Id) continue;
    bool fits = true;
    for (size_t i = 0; i < tensors->size(); ++i) {
      const GgufTensor& tensor = (*tensors)[i].tensor;
      if (tensor.type->id != kQ20Id) continue;
      if (first.empty()) first = tensor.info.name;
      const std::optional<int64_t> bytes = type.Bytes(tensor.rows(), tensor.k());
      fits = fits && bytes &&
             Fills(*bytes, Extent(*tensors, i, data_bytes), alignment, i + 1 == tensors->size());
    }
    if (fits) fitting.push_back(&type);
  }
  if (first.empty()) return;
  if (fitting.size() != 1) {
    Fail(ErrorKind::kInvalidFile,
         "{}: tensor {}: the bytes of its Q2_0 tensors fit {}; convert the model anew as TQ2_0",
         path, Quoted(first),
         fitting.empty() ? "neither groups of 64 nor of 128" : "groups of 64 and of 128");
  }
  for (PlacedTensor& placed : *tensors) {
    if (placed.tensor.type->id == kQ20Id) placed.tensor.type = fitting.front();
  }
}

void PlaceTensor(PlacedTensor* placed, std::span<const std::byte> data, uint64_t extent,
                 uint64_t alignment, bool last) {
  GgufTensor& tensor = placed->tensor;
  TensorInfo& info = tensor.info;
  info.type_name = tensor.type->name;
  info.dtype = tensor.type->dtype;
  std::optional<int64_t> bytes = tensor.type->Bytes(tensor.rows(), tensor.k());
  if (tensor.type->block == 0) bytes = static_cast<int64_t>(extent);
  if (!bytes) {
    Fail(ErrorKind::kInvalidFile,
         "{}: tensor {}: {} has blocks of {}, which rows of {} do not fill, or is too large",
         info.file, Quoted(info.name), info.type_name, tensor.type->block, tensor.k());
  }
  if (!Fills(*bytes, extent, alignment, last)) {
    Fail(ErrorKind::kInvalidFile,
         "{}: tensor {}: {} of shape {} takes {} bytes, but offset {} leaves {}; the file is "
         "truncated, damaged, or of a variant of {} that Tern does not read",
         info.file, Quoted(info.name), info.type_name, ShapeText(info.shape), *bytes,
         placed->offset, extent, info.type_name);
  }
  info.bytes = data.subspan(placed->offset, static_cast<size_t>(*bytes));
}

void PlaceTensors(std::span<const std::byte> data, uint64_t alignment, const std::string& path,
                  std::vector<PlacedTensor>* tensors) {
  std::stable_sort(tensors->begin(), tensors->end(),
                   [](const auto& a, const auto& b) { return a.offset < b.offset; });
  for (size_t i = 0; i < tensors->size(); ++i) {
    const PlacedTensor& placed = (*tensors)[i];
    const uint64_t before = i == 0 ? 0 : (*tensors)[i - 1].offset;
    const bool wrong_start = i == 0 ? placed.offset != 0 : placed.offset == before;
    if (wrong_start || placed.offset % alignment != 0 || placed.offset > data.size()) {
      Fail(ErrorKind::kInvalidFile,
           "{}: tensor {}: the offset {} is not behind the tensor before it, no multiple of {}, or "
           "not in the {} bytes of data; the file is truncated or damaged",
           path, Quoted(placed.tensor.info.name), placed.offset, alignment, data.size());
    }
  }
  ResolveQ20(tensors, data.size(), alignment, path);
  for (size_t i = 0; i < tensors->size(); ++i) {
    PlaceTensor(&(*tensors)[i], data, Extent(*tensors, i, data.size()), alignment,
                i + 1 == tensors->size());
  }
}

}  // namespace

std::optional<int64_t> GgmlType::Bytes(int64_t rows, int64_t k) const {
  if (block == 0) return std::nullopt;
  // I2_S packs the tensor as a whole.
  const std::optional<int64_t> count = tail_bytes > 0 ? CheckedMul(rows, k) : k;
  if (!count || *count % block != 0) return std::nullopt;
  const std::optional<int64_t> row = CheckedMul(*count / block, block_bytes);
  if (!row || *row > INT64_MAX - row_bytes - tail_bytes) return std::nullopt;
  return tail_bytes > 0 ? *row + tail_bytes : CheckedMul(*row + row_bytes, rows);
}

std::span<const GgmlType> GgmlTypes() { return kTypes; }

const GgmlType* FindGgmlType(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                         [&](const auto& type) { return type.name == name; });
  return found == std::end(kTypes) ? nullptr : found;
}

GgufContents ParseGguf(std::span<const std::byte> file, const std::string& path) {
  Cursor cursor(file, path);
  GgufContents contents;
  contents.version = ReadVersion(&cursor, path);
  const uint64_t tensor_count = cursor.Count("the tensor count", kMinTensorBytes);
  const uint64_t metadata_count = cursor.Count("the metadata count", kMinMetadataBytes);
  contents.metadata = ReadMetadata(&cursor, file, metadata_count, path);
  std::vector<PlacedTensor> placed;
  for (uint64_t i = 0; i < tensor_count; ++i) placed.push_back(ReadTensor(&cursor, path));
  if (!placed.empty()) {
    const uint64_t alignment = Alignment(contents.metadata, path);
    const uint64_t begin = CeilDiv(cursor.offset(), alignment) * alignment;
    PlaceTensors(begin <= file.size() ? file.subspan(begin) : file.subspan(file.size()), alignment,
                 path, &placed);
  }
  contents.tensors.reserve(placed.size());
  for (PlacedTensor& tensor : placed) contents.tensors.push_back(std::move(tensor.tensor));
  return contents;
}

}  // namespace tern
