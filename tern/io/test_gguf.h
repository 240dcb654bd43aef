// SPDX-License-Identifier: MIT
// For tests: GGUF images put together byte by byte, right or wrong, without the writer.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace tern::testing {

template <typename T>
std::string Bytes(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

inline std::string GgufString(std::string_view text) {
  return Bytes<uint64_t>(text.size()).append(text);
}

// A GGUF image from the parts that were added; every count and offset can be forged.
class GgufImage {
 public:
  // A value of any type: its id and its bytes.
  GgufImage& Raw(std::string_view key, uint32_t type, std::string_view value) {
    metadata_ += GgufString(key) + Bytes(type);
    metadata_ += value;
    ++metadata_count;
    return *this;
  }
  GgufImage& U32(std::string_view key, uint32_t value) { return Raw(key, 4, Bytes(value)); }
  GgufImage& F32(std::string_view key, float value) { return Raw(key, 6, Bytes(value)); }
  GgufImage& Bool(std::string_view key, bool value) { return Raw(key, 7, Bytes<uint8_t>(value)); }
  GgufImage& String(std::string_view key, std::string_view value) {
    return Raw(key, 8, GgufString(value));
  }
  GgufImage& Strings(std::string_view key, const std::vector<std::string>& values) {
    std::string bytes = Bytes<uint32_t>(8) + Bytes<uint64_t>(values.size());
    for (const std::string& value : values) bytes += GgufString(value);
    return Raw(key, 9, bytes);
  }
  GgufImage& I32s(std::string_view key, const std::vector<int32_t>& values) {
    std::string bytes = Bytes<uint32_t>(5) + Bytes<uint64_t>(values.size());
    for (const int32_t value : values) bytes += Bytes(value);
    return Raw(key, 9, bytes);
  }

  // dims as in the file: columns first. The data go behind those before them.
  GgufImage& Tensor(std::string_view name, std::initializer_list<uint64_t> dims, uint32_t type,
                    std::string_view data) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    infos_ += GgufString(name) + Bytes(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) infos_ += Bytes(dim);
    infos_ += Bytes(type) + Bytes<uint64_t>(data_.size() + offset_error);
    data_ += data;
    ++tensor_count;
    return *this;
  }

  std::string Image() const {
    std::string image = magic + Bytes(version) + Bytes(tensor_count) + Bytes(metadata_count);
    image += metadata_ + infos_;
    image.resize((image.size() + alignment - 1) / alignment * alignment);
    return image + data_;
  }

  std::string magic = "GGUF";
  uint32_t version = 3;
  uint64_t tensor_count = 0;
  uint64_t metadata_count = 0;
  size_t alignment = 32;
  uint64_t offset_error = 0;  // of the next tensors

 private:
  std::string metadata_;
  std::string infos_;
  std::string data_;
};

}  // namespace tern::testing
