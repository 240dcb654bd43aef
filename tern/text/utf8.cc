// SPDX-License-Identifier: MIT
#include "tern/text/utf8.h"

#include <cstdint>
#include <cstring>

#include "tern/base/check.h"
#include "tern/base/error.h"

namespace tern {
namespace {

// What one look at the head of a byte string finds.
struct Head {
  size_t size_bytes;  // of the character, or of the maximal subpart of a malformed one
  bool valid;
  bool truncated;  // not valid, but the start of a character that the end of the text cut off
};

// Unicode 3.9, table 3-7: the well-formed byte sequences. Only the second byte's range depends on
// the first.
Head LookAtHead(const unsigned char* p, size_t size) noexcept {
  const unsigned char first = p[0];
  if (first < 0x80) return {1, true, false};
  if (first < 0xC2 || first > 0xF4) return {1, false, false};
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  for (size_t i = 1; i < length; ++i) {
    if (i == size) return {i, false, true};
    if (p[i] < low || p[i] > high) return {i, false, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true, false};
}

bool IsControl(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

const unsigned char* Bytes(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

size_t ValidUtf8Prefix(std::string_view text) noexcept {
  const unsigned char* p = Bytes(text);
  const size_t size = text.size();
  size_t i = 0;
  while (i < size) {
    uint64_t word;
    if (size - i >= sizeof word) {
      std::memcpy(&word, p + i, sizeof word);
      if ((word & 0x8080808080808080u) == 0) {
        i += sizeof word;
        continue;
      }
    }
    const Head head = LookAtHead(p + i, size - i);
    if (!head.valid) return i;
    i += head.size_bytes;
  }
  return size;
}

void CheckUtf8(std::string_view text, std::string_view what) {
  const size_t valid = ValidUtf8Prefix(text);
  if (valid == text.size()) return;
  Fail(ErrorKind::kInvalidArgument,
       "{}: byte 0x{:02x} at offset {} of {} is not UTF-8; convert the text to UTF-8 first", what,
       static_cast<unsigned>(Bytes(text)[valid]), valid, text.size());
}

Utf8Char FirstUtf8(std::string_view text) noexcept {
  const unsigned char* p = Bytes(text);
  if (p[0] < 0x80) return {p[0], 1};
  const auto tail = [p](size_t i) { return static_cast<char32_t>(p[i] & 0x3F); };
  if (p[0] < 0xE0) return {(p[0] & 0x1Fu) << 6 | tail(1), 2};
  if (p[0] < 0xF0) return {(p[0] & 0x0Fu) << 12 | tail(1) << 6 | tail(2), 3};
  return {(p[0] & 0x07u) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4};
}

Utf8Char LastUtf8(std::string_view text) noexcept {
  size_t begin = text.size() - 1;
  while (begin > 0 && (Bytes(text)[begin] & 0xC0) == 0x80) --begin;
  return FirstUtf8(text.substr(begin));
}

void AppendUtf8(char32_t c, std::string* out) {
  TERN_CHECK(c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF));
  const auto tail = [&](int shift) {
    out->push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3F)));
  };
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out->push_back(static_cast<char>(0xC0 | c >> 6));
    tail(0);
  } else if (c < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | c >> 12));
    tail(6);
    tail(0);
  } else {
    out->push_back(static_cast<char>(0xF0 | c >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

size_t AppendRepairedUtf8(std::string_view bytes, bool final, std::string* out) {
  size_t i = 0;
  while (i < bytes.size()) {
    const size_t valid = ValidUtf8Prefix(bytes.substr(i));
    out->append(bytes.substr(i, valid));
    i += valid;
    if (i == bytes.size()) break;
    const Head head = LookAtHead(Bytes(bytes) + i, bytes.size() - i);
    if (head.truncated && !final) return i;
    out->append("\xEF\xBF\xBD");
    i += head.size_bytes;
  }
  return i;
}

std::string OneLine(std::string_view text, size_t limit_bytes) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= limit_bytes) return out + "...";
    const Head head = LookAtHead(Bytes(text), text.size());
    const bool control = head.valid && IsControl(FirstUtf8(text).code_point);
    for (const char c : text.substr(0, head.size_bytes)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte == '\n') {
        out += "\\n";
      } else if (!head.valid || control) {
        out += fmt::format("\\x{:02x}", byte);
      } else {
        out.push_back(c);
      }
    }
    text.remove_prefix(head.size_bytes);
  }
  return out;
}

bool IsWhiteSpace(char32_t c) noexcept {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

size_t LeadingWhiteSpace(std::string_view text) noexcept {
  size_t size = 0;
  while (size < text.size()) {
    const Utf8Char first = FirstUtf8(text.substr(size));
    if (!IsWhiteSpace(first.code_point)) break;
    size += first.size_bytes;
  }
  return size;
}

size_t TrailingWhiteSpace(std::string_view text) noexcept {
  size_t size = 0;
  while (size < text.size()) {
    const Utf8Char last = LastUtf8(text.substr(0, text.size() - size));
    if (!IsWhiteSpace(last.code_point)) break;
    size += last.size_bytes;
  }
  return size;
}

}  // namespace tern
