// SPDX-License-Identifier: MIT
#include "tern/io/json_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tern/base/atomic_file.h"
#include "tern/base/error.h"
#include "tern/base/read_file.h"

namespace tern {

using nlohmann::json;

json ReadJsonFile(const std::string& path, JsonLimits limits) {
  return ParseJson(ReadFile(path, limits.max_bytes), path, limits);
}

void WriteJsonFile(const std::string& path, const nlohmann::ordered_json& value) {
  std::string text;
  try {
    text = value.dump(2) + "\n";
  } catch (const nlohmann::json::type_error&) {
    Fail(ErrorKind::kInvalidArgument, "{}: a string to be written is not UTF-8", path);
  }
  WriteFileAtomically(path, text);
}

JsonObject::JsonObject(const json& value, std::string place)
    : value_(&value), place_(std::move(place)) {
  if (!value.is_object()) {
    Fail(ErrorKind::kInvalidFile, "{}: expected a JSON object, found {}", place_,
         value.type_name());
  }
}

const json* JsonObject::FindValue(std::string_view key) const {
  const auto found = value_->find(std::string(key));
  return found == value_->end() || found->is_null() ? nullptr : &*found;
}

const json& JsonObject::RequireValue(std::string_view key) const {
  const json* value = FindValue(key);
  if (value == nullptr) {
    Fail(ErrorKind::kInvalidFile, "{}: the key {} is missing", place_, Quoted(key));
  }
  return *value;
}

void JsonObject::WrongType(const json& value, std::string_view key, std::string_view wanted) const {
  const std::string text = value.is_primitive() && !value.is_string() ? value.dump() : "";
  Fail(ErrorKind::kInvalidFile, "{}: {} must be {}, found {}{}{}", place_, Quoted(key), wanted,
       value.type_name(), text.empty() ? "" : " ", text);
}

int64_t JsonObject::AsInt(const json& value, std::string_view key, int64_t min, int64_t max) const {
  if (!value.is_number_integer()) WrongType(value, key, "an integer");
  const bool huge = value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX};
  const int64_t number = huge ? INT64_MAX : value.get<int64_t>();
  if (huge || number < min || number > max) {
    Fail(ErrorKind::kInvalidFile, "{}: {} is {}, must be from {} to {}", place_, Quoted(key),
         value.dump(), min, max);
  }
  return number;
}

double JsonObject::AsFloat(const json& value, std::string_view key, double min, double max) const {
  if (!value.is_number()) WrongType(value, key, "a number");
  const double number = value.get<double>();
  if (!(number >= min && number <= max)) {
    Fail(ErrorKind::kInvalidFile, "{}: {} is {}, must be from {} to {}", place_, Quoted(key),
         value.dump(), min, max);
  }
  return number;
}

bool JsonObject::AsBool(const json& value, std::string_view key) const {
  if (!value.is_boolean()) WrongType(value, key, "true or false");
  return value.get<bool>();
}

std::string JsonObject::AsString(const json& value, std::string_view key) const {
  if (!value.is_string()) WrongType(value, key, "a string");
  return value.get<std::string>();
}

JsonObject JsonObject::AsObject(const json& value, std::string_view key) const {
  if (!value.is_object()) WrongType(value, key, "an object");
  JsonObject object(value, fmt::format("{}{}{}", place_, nested_ ? "." : ": ", Escaped(key)));
  object.nested_ = true;
  return object;
}

int64_t JsonObject::GetInt(std::string_view key, int64_t min, int64_t max) const {
  return AsInt(RequireValue(key), key, min, max);
}
double JsonObject::GetFloat(std::string_view key, double min, double max) const {
  return AsFloat(RequireValue(key), key, min, max);
}
bool JsonObject::GetBool(std::string_view key) const { return AsBool(RequireValue(key), key); }
std::string JsonObject::GetString(std::string_view key) const {
  return AsString(RequireValue(key), key);
}
JsonObject JsonObject::GetObject(std::string_view key) const {
  return AsObject(RequireValue(key), key);
}

std::optional<int64_t> JsonObject::FindInt(std::string_view key, int64_t min, int64_t max) const {
  const json* value = FindValue(key);
  return value == nullptr ? std::nullopt : std::optional(AsInt(*value, key, min, max));
}
std::optional<double> JsonObject::FindFloat(std::string_view key, double min, double max) const {
  const json* value = FindValue(key);
  return value == nullptr ? std::nullopt : std::optional(AsFloat(*value, key, min, max));
}
std::optional<bool> JsonObject::FindBool(std::string_view key) const {
  const json* value = FindValue(key);
  return value == nullptr ? std::nullopt : std::optional(AsBool(*value, key));
}
std::optional<std::string> JsonObject::FindString(std::string_view key) const {
  const json* value = FindValue(key);
  return value == nullptr ? std::nullopt : std::optional(AsString(*value, key));
}
std::optional<JsonObject> JsonObject::FindObject(std::string_view key) const {
  const json* value = FindValue(key);
  return value == nullptr ? std::nullopt : std::optional(AsObject(*value, key));
}

std::optional<std::vector<int64_t>> JsonObject::FindInts(std::string_view key, int64_t min,
                                                         int64_t max) const {
  const json* value = FindValue(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array()) return std::vector<int64_t>{AsInt(*value, key, min, max)};
  std::vector<int64_t> numbers;
  for (const json& element : *value) numbers.push_back(AsInt(element, key, min, max));
  return numbers;
}

std::optional<std::vector<std::string>> JsonObject::FindStrings(std::string_view key) const {
  const json* value = FindValue(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array()) WrongType(*value, key, "a list of strings");
  std::vector<std::string> strings;
  for (const json& element : *value) strings.push_back(AsString(element, key));
  return strings;
}

void JsonObject::RefuseOtherKeys(std::initializer_list<std::string_view> known) const {
  for (const auto& entry : value_->items()) {
    if (std::find(known.begin(), known.end(), entry.key()) != known.end()) continue;
    Fail(ErrorKind::kInvalidFile, "{}: unknown key {}; known are: {}", place_, Quoted(entry.key()),
         fmt::join(known, ", "));
  }
}

}  // namespace tern
