// SPDX-License-Identifier: MIT
// A SAX handler builds the value, so that depth and duplicate keys are refused while parsing, at a
// known position, and not after a document of any depth has been built.
#include "tern/json/parse_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "tern/base/error.h"

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
    const auto [member, fresh] = open_.back()->get_ref<json::object_t&>().emplace(name, nullptr);
    if (!fresh) {
      Fail(ErrorKind::kInvalidFile, "{}: {}: the key {} appears twice in one object; keep one",
           place_, Position(text_, position_), Quoted(name));
    }
    slot_ = &member->second;
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

}  // namespace tern
