// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "tern/base/error.h"
#include "tern/io/gguf.h"
#include "tern/io/json_file.h"

namespace tern {
namespace {

constexpr std::string_view kTypeNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                           "bool", "string", "array", "u64", "i64", "f64"};

template <typename T>
T Load(const std::byte* bytes) {
  T value;  // the file aligns nothing
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// The number at the bytes as wide(number), false if the type is not a whole number.
template <typename Take>
bool TakeInteger(GgufValueType type, const std::byte* bytes, const Take& take) {
  switch (type) {
    case GgufValueType::kU8:
      return take(Load<uint8_t>(bytes)), true;
    case GgufValueType::kI8:
      return take(Load<int8_t>(bytes)), true;
    case GgufValueType::kU16:
      return take(Load<uint16_t>(bytes)), true;
    case GgufValueType::kI16:
      return take(Load<int16_t>(bytes)), true;
    case GgufValueType::kU32:
      return take(Load<uint32_t>(bytes)), true;
    case GgufValueType::kI32:
      return take(Load<int32_t>(bytes)), true;
    case GgufValueType::kI64:
      return take(Load<int64_t>(bytes)), true;
    case GgufValueType::kU64: {
      // Beyond i64 it is out of every range that is asked for.
      const auto value = Load<uint64_t>(bytes);
      const auto max = uint64_t{std::numeric_limits<int64_t>::max()};
      return take(static_cast<int64_t>(std::min(value, max))), true;
    }
    default:
      return false;
  }
}

}  // namespace

std::string GgufTypeText(const GgufValue& value) {
  const std::string_view name = kTypeNames[static_cast<uint32_t>(value.type)];
  return value.array ? fmt::format("{}[{}]", name, value.count) : std::string(name);
}

const GgufValue* GgufMetadata::Find(std::string_view key, bool array) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return nullptr;
  if (found->second.array != array) {
    WrongType(key, found->second, array ? "an array" : "a single value");
  }
  return &found->second;
}

void GgufMetadata::Missing(std::string_view key) const {
  Fail(ErrorKind::kInvalidFile, "{}: metadata {} is missing", place_, Quoted(key));
}

void GgufMetadata::WrongType(std::string_view key, const GgufValue& value,
                             std::string_view wanted) const {
  Fail(ErrorKind::kInvalidFile, "{}: metadata {} is {} where {} is needed", place_, Quoted(key),
       GgufTypeText(value), wanted);
}

std::optional<int64_t> GgufMetadata::FindInt(std::string_view key, int64_t min, int64_t max) const {
  const GgufValue* value = Find(key, false);
  if (value == nullptr) return std::nullopt;
  int64_t result = 0;
  const bool whole =
      TakeInteger(value->type, value->bytes.data(), [&](int64_t number) { result = number; });
  if (!whole) WrongType(key, *value, "a whole number");
  if (result < min || result > max) {
    Fail(ErrorKind::kInvalidFile, "{}: metadata {} is {}, must be from {} to {}", place_,
         Quoted(key), result, min, max);
  }
  return result;
}

int64_t GgufMetadata::GetInt(std::string_view key, int64_t min, int64_t max) const {
  const std::optional<int64_t> value = FindInt(key, min, max);
  if (!value) Missing(key);
  return *value;
}

std::optional<double> GgufMetadata::FindFloat(std::string_view key, double min, double max) const {
  const GgufValue* value = Find(key, false);
  if (value == nullptr) return std::nullopt;
  double result = 0;
  if (value->type == GgufValueType::kF32) {
    result = static_cast<double>(Load<float>(value->bytes.data()));
  } else if (value->type == GgufValueType::kF64) {
    result = Load<double>(value->bytes.data());
  } else {
    WrongType(key, *value, "a float");
  }
  if (!(result >= min && result <= max)) {
    Fail(ErrorKind::kInvalidFile, "{}: metadata {} is {}, must be from {} to {}", place_,
         Quoted(key), result, min, max);
  }
  return result;
}

double GgufMetadata::GetFloat(std::string_view key, double min, double max) const {
  const std::optional<double> value = FindFloat(key, min, max);
  if (!value) Missing(key);
  return *value;
}

std::optional<bool> GgufMetadata::FindBool(std::string_view key) const {
  const GgufValue* value = Find(key, false);
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufValueType::kBool) WrongType(key, *value, "a bool");
  return Load<uint8_t>(value->bytes.data()) != 0;
}

std::optional<std::string_view> GgufMetadata::FindString(std::string_view key) const {
  const GgufValue* value = Find(key, false);
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufValueType::kString) WrongType(key, *value, "a string");
  const std::span<const std::byte> text = value->bytes.subspan(sizeof(uint64_t));
  return std::string_view(reinterpret_cast<const char*>(text.data()), text.size());
}

std::string_view GgufMetadata::GetString(std::string_view key) const {
  const std::optional<std::string_view> value = FindString(key);
  if (!value) Missing(key);
  return *value;
}

std::optional<std::vector<std::string_view>> GgufMetadata::FindStrings(std::string_view key) const {
  const GgufValue* value = Find(key, true);
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufValueType::kString) WrongType(key, *value, "an array of strings");
  std::vector<std::string_view> strings;
  strings.reserve(value->count);
  const std::byte* next = value->bytes.data();
  for (uint64_t i = 0; i < value->count; ++i) {
    const auto length = Load<uint64_t>(next);
    next += sizeof(uint64_t);
    strings.emplace_back(reinterpret_cast<const char*>(next), length);
    next += length;
  }
  return strings;
}

std::optional<std::vector<int64_t>> GgufMetadata::FindInts(std::string_view key) const {
  const GgufValue* value = Find(key, true);
  if (value == nullptr) return std::nullopt;
  std::vector<int64_t> numbers;
  numbers.reserve(value->count);
  const size_t step = value->count == 0 ? 0 : value->bytes.size() / value->count;
  for (uint64_t i = 0; i < value->count; ++i) {
    const bool whole = TakeInteger(value->type, value->bytes.data() + i * step,
                                   [&](int64_t number) { numbers.push_back(number); });
    if (!whole) WrongType(key, *value, "an array of whole numbers");
  }
  return numbers;
}

std::optional<std::vector<double>> GgufMetadata::FindFloats(std::string_view key) const {
  const GgufValue* value = Find(key, true);
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufValueType::kF32) WrongType(key, *value, "an array of f32");
  std::vector<double> numbers;
  numbers.reserve(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    const auto number = Load<float>(value->bytes.data() + i * sizeof(float));
    numbers.push_back(static_cast<double>(number));
  }
  return numbers;
}

}  // namespace tern
