// SPDX-License-Identifier: MIT
// A SAX handler builds the value, so that depth and duplicate keys are refused while parsing, at a
// known position, and not after a document of any depth has been built.
#include "tern/io/json_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "tern/base/atomic_file.h"
#include "tern/base/error.h"
#include "tern/base/read_file.h"

namespace tern {
namespace {

using nlohmann::json;

// "line 3, column 5" of a byte offset, both from 1; columns count bytes.
std::string Position(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_start = before.rfind('\n');
  const size_t column = before.size() - (line_start == std::string_view::npos ? 0 : line_start + 1);
  return fmt::format("line {}, column {}", line, std::max<size_t>(column, 1));
}

// Reads characters and leaves in *position how many have been read.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char* begin, size_t* position)
      : at_(at), begin_(begin), position_(position) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    *position_ = static_cast<size_t>(at_ - begin_);
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char* begin_;
  size_t* position_;
};

class DomBuilder {
 public:
  DomBuilder(std::string_view text, const std::string& place, int max_depth)
      : text_(text), place_(place), max_depth_(max_depth) {}

  bool null() { return Put(nullptr); }
  bool boolean(bool value) { return Put(value); }
  bool number_integer(int64_t value) { return Put(value); }
  bool number_unsigned(uint64_t value) { return Put(value); }
  bool number_float(double value, const std::string&) { return Put(value); }
  bool string(std::string& value) { return Put(std::move(value)); }
  bool binary(json::binary_t&) { return false; }
  bool start_object(size_t) { return Open(json::object()); }
  bool start_array(size_t) { return Open(json::array()); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }

  bool key(std::string& name) {
    json& object = *open_.back();
    if (object.contains(name)) {
      Fail(ErrorKind::kInvalidFile, "{}: {}: the key {} appears twice in one object; keep one",
           place_, Position(text_, position_), Quoted(name));
    }
    slot_ = &object[name];
    return true;
  }

  bool parse_error(size_t offset, const std::string&, const nlohmann::detail::exception& error) {
    // The library's text starts with its own tag and position: "[json.exception…] …: reason".
    std::string_view reason = error.what();
    const size_t tag_end = reason.find("] ");
    if (tag_end != std::string_view::npos) reason.remove_prefix(tag_end + 2);
    const size_t column_end = reason.find(": ");
    if (reason.substr(0, 11) == "parse error" && column_end != std::string_view::npos) {
      reason.remove_prefix(column_end + 2);
    }
    Fail(ErrorKind::kInvalidFile, "{}: {}: not JSON: {}", place_, Position(text_, offset),
         Escaped(reason, 200));
  }

  json root;
  size_t position_ = 0;

 private:
  template <typename T>
  bool Put(T&& value) {
    *Place() = std::forward<T>(value);
    return true;
  }

  // Where the next value goes: the root, the key just read, or the end of the open array.
  json* Place() {
    if (open_.empty()) return &root;
    if (open_.back()->is_object()) return slot_;
    open_.back()->push_back(nullptr);
    return &open_.back()->back();
  }

  bool Open(json&& container) {
    if (static_cast<int>(open_.size()) >= max_depth_) {
      Fail(ErrorKind::kInvalidFile, "{}: {}: nested more than {} deep", place_,
           Position(text_, position_), max_depth_);
    }
    json* place = Place();
    *place = std::move(container);
    open_.push_back(place);
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  const std::string& place_;
  int max_depth_;
  // Addresses stay valid while open: a container's elements move only when it grows, and it grows
  // only while none of its elements is open.
  std::vector<json*> open_;
  json* slot_ = nullptr;
};

}  // namespace

json ParseJson(std::string_view text, const std::string& place, JsonLimits limits) {
  if (text.size() > limits.max_bytes) {
    Fail(ErrorKind::kInvalidFile, "{}: {} bytes of JSON, more than the limit of {}", place,
         text.size(), limits.max_bytes);
  }
  DomBuilder builder(text, place, limits.max_depth);
  const char* begin = text.data();
  const char* end = begin + text.size();
  json::sax_parse(CountingIterator(begin, begin, &builder.position_),
                  CountingIterator(end, begin, &builder.position_), &builder);
  return std::move(builder.root);
}

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

std::string Escaped(std::string_view text, size_t max_chars) {
  std::string out;
  for (size_t i = 0; i < text.size() && i < max_chars; ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c >= 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += static_cast<char>(c);
    }
  }
  if (text.size() > max_chars) out += "...";
  return out;
}

std::string Quoted(std::string_view text, size_t max_chars) {
  return fmt::format("\"{}\"", Escaped(text, max_chars));
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
