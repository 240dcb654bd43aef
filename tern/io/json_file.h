// SPDX-License-Identifier: MIT
// JSON files, and objects with typed access: JsonObject reads values with their ranges, so that a
// configuration's reader holds no checks of its own.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/json/parse_json.h"

namespace tern {

// ParseJson of a whole file; Error(kIo) when it cannot be read.
nlohmann::json ReadJsonFile(const std::string& path, JsonLimits limits = {});

// Writes the value, indented by two, through an AtomicFile: the path holds either what it held or
// all of it. Strings that are not UTF-8 are Error(kInvalidArgument).
void WriteJsonFile(const std::string& path, const nlohmann::ordered_json& value);

// A JSON object with typed access. It keeps a reference: the JSON value must outlive it. Get…
// throws Error(kInvalidFile) that names place and key when the key is missing or null, has another
// type or is out of [min, max]. Find… gives nullopt for a missing or null key and throws for the
// rest.
class JsonObject {
 public:
  // Throws when `value` is not an object.
  JsonObject(const nlohmann::json& value, std::string place);

  bool Has(std::string_view key) const { return FindValue(key) != nullptr; }

  int64_t GetInt(std::string_view key, int64_t min, int64_t max) const;
  std::optional<int64_t> FindInt(std::string_view key, int64_t min, int64_t max) const;
  double GetFloat(std::string_view key, double min, double max) const;
  std::optional<double> FindFloat(std::string_view key, double min, double max) const;
  bool GetBool(std::string_view key) const;
  std::optional<bool> FindBool(std::string_view key) const;
  std::string GetString(std::string_view key) const;
  std::optional<std::string> FindString(std::string_view key) const;
  JsonObject GetObject(std::string_view key) const;
  std::optional<JsonObject> FindObject(std::string_view key) const;

  // A list of integers; a lone integer counts as a list of one (Hugging Face's eos_token_id).
  std::optional<std::vector<int64_t>> FindInts(std::string_view key, int64_t min,
                                               int64_t max) const;
  std::optional<std::vector<std::string>> FindStrings(std::string_view key) const;

  // Throws for a key that is not in the list: in a file that a person writes it is a typing error.
  void RefuseOtherKeys(std::initializer_list<std::string_view> known) const;

  const nlohmann::json& value() const { return *value_; }
  // The file, and for an object inside it the keys that lead there: "config.json: rope".
  const std::string& place() const { return place_; }

 private:
  const nlohmann::json* FindValue(std::string_view key) const;
  const nlohmann::json& RequireValue(std::string_view key) const;
  int64_t AsInt(const nlohmann::json& value, std::string_view key, int64_t min, int64_t max) const;
  double AsFloat(const nlohmann::json& value, std::string_view key, double min, double max) const;
  bool AsBool(const nlohmann::json& value, std::string_view key) const;
  std::string AsString(const nlohmann::json& value, std::string_view key) const;
  JsonObject AsObject(const nlohmann::json& value, std::string_view key) const;
  [[noreturn]] void WrongType(const nlohmann::json& value, std::string_view key,
                              std::string_view wanted) const;

  const nlohmann::json* value_;
  std::string place_;
  bool nested_ = false;
};

}  // namespace tern
