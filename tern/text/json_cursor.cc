// SPDX-License-Identifier: MIT
#include "tern/text/json_cursor.h"

#include <algorithm>

#include "tern/text/utf8.h"

namespace tern {
namespace {

using nlohmann::json;

const json& NullJson() {
  static const json null;
  return null;
}

// "/key" with JSON pointer's escapes.
std::string PointerStep(std::string_view key) {
  std::string out = "/";
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

bool JsonCursor::Has(const std::string& key) const {
  ExpectObject();
  return value_.contains(key);
}

JsonCursor JsonCursor::At(const std::string& key) const {
  if (!Has(key)) Refuse(ErrorKind::kInvalidFile, "\"{}\" is missing", key);
  return {value_.at(key), file_, place_ + PointerStep(key)};
}

JsonCursor JsonCursor::Get(const std::string& key) const {
  return {Has(key) ? value_.at(key) : NullJson(), file_, place_ + PointerStep(key)};
}

std::vector<JsonCursor> JsonCursor::Elements() const {
  if (!value_.is_array()) RefuseType("an array");
  std::vector<JsonCursor> out;
  out.reserve(value_.size());
  for (size_t i = 0; i < value_.size(); ++i) {
    out.push_back({value_[i], file_, place_ + PointerStep(std::to_string(i))});
  }
  return out;
}

const std::string& JsonCursor::String() const {
  if (!value_.is_string()) RefuseType("a string");
  return value_.get_ref<const std::string&>();
}

bool JsonCursor::Bool() const {
  if (!value_.is_boolean()) RefuseType("true or false");
  return value_.get<bool>();
}

int64_t JsonCursor::Int(int64_t low, int64_t high) const {
  if (!value_.is_number_integer()) RefuseType("an integer");
  const bool huge = value_.is_number_unsigned() && value_.get<uint64_t>() > INT64_MAX;
  const int64_t number = huge ? INT64_MAX : value_.get<int64_t>();
  if (huge || number < low || number > high) {
    Refuse(ErrorKind::kInvalidFile, "{} is outside of {} to {}", value_.dump(), low, high);
  }
  return number;
}

void JsonCursor::ExpectObject() const {
  if (!value_.is_object()) RefuseType("an object");
}

void JsonCursor::ExpectOnlyKeys(std::initializer_list<std::string_view> keys) const {
  ExpectObject();
  for (const auto& item : value_.items()) {
    if (std::find(keys.begin(), keys.end(), item.key()) == keys.end()) {
      Refuse(ErrorKind::kUnsupported, "the field \"{}\" is not known here", item.key());
    }
  }
}

void JsonCursor::RefuseText(ErrorKind kind, const std::string& text) const {
  Fail(kind, "{}: {}: {}", file_, place_.empty() ? "/" : OneLine(place_), OneLine(text, 600));
}

void JsonCursor::RefuseType(std::string_view wanted) const {
  Refuse(ErrorKind::kInvalidFile, "{} where {} is needed", value_.type_name(), wanted);
}

}  // namespace tern
