// SPDX-License-Identifier: MIT
// A cursor in a JSON document that a stranger wrote: every complaint names the file and the place
// (a JSON pointer) in it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/error.h"

namespace tern {

// One value of a document and where it is. Refers to the document and the file's name.
class JsonCursor {
 public:
  JsonCursor(const nlohmann::json& value, std::string_view file) : value_(value), file_(file) {}

  const nlohmann::json& value() const { return value_; }
  const std::string& place() const { return place_; }
  bool IsNull() const { return value_.is_null(); }

  // A member: required, or null if it is not there. The value must be an object.
  JsonCursor At(const std::string& key) const;
  JsonCursor Get(const std::string& key) const;
  bool Has(const std::string& key) const;
  // The elements of an array.
  std::vector<JsonCursor> Elements() const;

  // The value as a type; anything else is an Error.
  const std::string& String() const;
  bool Bool() const;
  int64_t Int(int64_t low, int64_t high) const;
  void ExpectObject() const;
  // An object with no other keys than these.
  void ExpectOnlyKeys(std::initializer_list<std::string_view> keys) const;

  template <typename... Args>
  [[noreturn]] void Refuse(ErrorKind kind, fmt::format_string<Args...> format,
                           Args&&... args) const {
    RefuseText(kind, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  JsonCursor(const nlohmann::json& value, std::string_view file, std::string place)
      : value_(value), file_(file), place_(std::move(place)) {}
  [[noreturn]] void RefuseText(ErrorKind kind, const std::string& text) const;
  [[noreturn]] void RefuseType(std::string_view wanted) const;

  const nlohmann::json& value_;
  std::string_view file_;
  std::string place_;
};

}  // namespace tern
