// SPDX-License-Identifier: MIT
#include "tern/io/gguf_writer.h"

#include <cstring>

#include "tern/base/check.h"
#include "tern/base/checked_math.h"
#include "tern/base/error.h"
#include "tern/io/json_file.h"

namespace tern {

template <typename T>
void GgufHeader::Put(T value, std::string* out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

void GgufHeader::PutString(std::string_view text, std::string* out) {
  Put<uint64_t>(text.size(), out);
  out->append(text);
}

void GgufHeader::AddKey(std::string_view key, GgufValueType type) {
  PutString(key, &metadata_);
  Put(static_cast<uint32_t>(type), &metadata_);
  ++metadata_count_;
}

void GgufHeader::AddString(std::string_view key, std::string_view value) {
  AddKey(key, GgufValueType::kString);
  PutString(value, &metadata_);
}

void GgufHeader::AddU32(std::string_view key, uint32_t value) {
  AddKey(key, GgufValueType::kU32);
  Put(value, &metadata_);
}

void GgufHeader::AddF32(std::string_view key, float value) {
  AddKey(key, GgufValueType::kF32);
  Put(value, &metadata_);
}

void GgufHeader::AddBool(std::string_view key, bool value) {
  AddKey(key, GgufValueType::kBool);
  Put(static_cast<uint8_t>(value), &metadata_);
}

void GgufHeader::AddStrings(std::string_view key, std::span<const std::string> values) {
  AddKey(key, GgufValueType::kArray);
  Put(static_cast<uint32_t>(GgufValueType::kString), &metadata_);
  Put<uint64_t>(values.size(), &metadata_);
  for (const std::string& value : values) PutString(value, &metadata_);
}

void GgufHeader::AddI32s(std::string_view key, std::span<const int32_t> values) {
  AddKey(key, GgufValueType::kArray);
  Put(static_cast<uint32_t>(GgufValueType::kI32), &metadata_);
  Put<uint64_t>(values.size(), &metadata_);
  for (const int32_t value : values) Put(value, &metadata_);
}

void GgufHeader::AddF32s(std::string_view key, std::span<const float> values) {
  AddKey(key, GgufValueType::kArray);
  Put(static_cast<uint32_t>(GgufValueType::kF32), &metadata_);
  Put<uint64_t>(values.size(), &metadata_);
  for (const float value : values) Put(value, &metadata_);
}

void GgufHeader::AddTensor(std::string_view name, std::span<const int64_t> shape,
                           const GgmlType& type) {
  TERN_CHECK(!shape.empty());
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  const std::optional<int64_t> bytes = type.Bytes(rows, shape.back());
  if (!bytes) {
    Fail(ErrorKind::kInvalidArgument, "tensor {}: rows of {} do not fill the blocks of {} of {}",
         Quoted(name), shape.back(), type.block, type.name);
  }
  PutString(name, &infos_);
  Put(static_cast<uint32_t>(shape.size()), &infos_);
  for (size_t i = shape.size(); i-- > 0;) Put(static_cast<uint64_t>(shape[i]), &infos_);
  Put(type.id, &infos_);
  data_bytes_ = CeilDiv(data_bytes_, kGgufAlignment) * kGgufAlignment;
  Put(data_bytes_, &infos_);
  data_bytes_ += static_cast<uint64_t>(*bytes);
  tensors_.push_back({std::string(name), static_cast<uint64_t>(*bytes)});
}

GgufWriter::GgufWriter(const std::string& path, const GgufHeader& header)
    : tensors_(header.tensors_), file_(path) {
  std::string head = "GGUF";
  GgufHeader::Put(kGgufVersion, &head);
  GgufHeader::Put<uint64_t>(tensors_.size(), &head);
  GgufHeader::Put(header.metadata_count_, &head);
  head += header.metadata_;
  head += header.infos_;
  file_.Write(head);
  Pad(head.size());
  if (!tensors_.empty()) left_bytes_ = tensors_[0].bytes;
}

void GgufWriter::Pad(uint64_t written) {
  file_.Write(std::string(CeilDiv(written, kGgufAlignment) * kGgufAlignment - written, '\0'));
}

void GgufWriter::Append(std::string_view name, std::span<const std::byte> bytes) {
  TERN_CHECK(current_ < tensors_.size() && tensors_[current_].name == name);
  TERN_CHECK(bytes.size() <= left_bytes_);
  file_.Write(bytes);
  left_bytes_ -= bytes.size();
  if (left_bytes_ > 0) return;
  Pad(tensors_[current_].bytes);
  if (++current_ < tensors_.size()) left_bytes_ = tensors_[current_].bytes;
}

void GgufWriter::Commit() {
  TERN_CHECK(current_ == tensors_.size());
  file_.Commit();
}

}  // namespace tern
