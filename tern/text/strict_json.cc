// SPDX-License-Identifier: MIT
#include "tern/text/strict_json.h"

#include <algorithm>

#include "tern/text/utf8.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr size_t kMaxDepth = 32;

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

// Builds the document while it refuses what json::parse lets pass.
class Builder : public nlohmann::json_sax<json> {
 public:
  explicit Builder(std::string_view name) : name_(name) {}

  json Take() { return std::move(root_); }

  bool null() override { return Put(nullptr); }
  bool boolean(bool value) override { return Put(value); }
  bool number_integer(number_integer_t value) override { return Put(value); }
  bool number_unsigned(number_unsigned_t value) override { return Put(value); }
  bool number_float(number_float_t value, const string_t&) override { return Put(value); }
  bool string(string_t& value) override { return Put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(json::object()); }
  bool start_array(size_t) override { return Open(json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& value) override {
    const auto [member, fresh] = open_.back()->get_ref<json::object_t&>().emplace(value, nullptr);
    if (!fresh) {
      Fail(ErrorKind::kInvalidFile, "{}: {}: the key \"{}\" appears twice", name_, OneLine(Place()),
           OneLine(value));
    }
    member_ = &member->second;
    keys_.back() = std::move(value);
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: the cause"
    const std::string_view text = error.what();
    const size_t id_end = text.find("] ");
    Fail(ErrorKind::kInvalidFile, "{}: byte {}: not JSON: {}", name_, position,
         OneLine(id_end == std::string_view::npos ? text : text.substr(id_end + 2)));
  }

 private:
  json* Insert(json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *member_ = std::move(value);
    return member_;
  }

  bool Put(json value) {
    Insert(std::move(value));
    return true;
  }

  bool Open(json value) {
    if (open_.size() == kMaxDepth) {
      Fail(ErrorKind::kInvalidFile, "{}: {}: nested deeper than {}", name_, OneLine(Place()),
           kMaxDepth);
    }
    open_.push_back(Insert(std::move(value)));
    keys_.emplace_back();
    return true;
  }

  bool Close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  std::string Place() const {
    std::string place;
    for (size_t i = 0; i < open_.size(); ++i) {
      const bool last = i + 1 == open_.size();
      if (open_[i]->is_array()) {
        place += PointerStep(std::to_string(open_[i]->size() - (last ? 0 : 1)));
      } else if (!last) {
        place += PointerStep(keys_[i]);
      }
    }
    return place.empty() ? "/" : place;
  }

  std::string_view name_;
  json root_;
  json* member_ = nullptr;
  std::vector<json*> open_;
  std::vector<std::string> keys_;
};

}  // namespace

json ParseStrictJson(std::string_view text, std::string_view name) {
  Builder builder(name);
  json::sax_parse(text, &builder);
  return builder.Take();
}

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
