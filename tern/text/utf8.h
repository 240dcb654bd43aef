// SPDX-License-Identifier: MIT
// UTF-8: strict validation (no overlong forms, surrogates, or code points above U+10FFFF),
// decoding, and what streaming needs: where the last complete character ends. It knows no
// normalization and no character classes but White_Space.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tern {

// The length of the longest prefix that is valid UTF-8; text.size() if all of it is.
size_t ValidUtf8Prefix(std::string_view text) noexcept;

// Throws Error(kInvalidArgument) that names `what` and the offset of the first byte that is not
// part of a valid character.
void CheckUtf8(std::string_view text, std::string_view what);

struct Utf8Char {
  char32_t code_point;
  size_t size_bytes;
};

// The first, or the last, character of a text that is valid UTF-8 and not empty.
Utf8Char FirstUtf8(std::string_view text) noexcept;
Utf8Char LastUtf8(std::string_view text) noexcept;

// Appends the encoding of a code point; TERN_CHECKs that it is a scalar value.
void AppendUtf8(char32_t code_point, std::string* out);

// Appends `bytes` to `out`, each malformed sequence (a maximal subpart, Unicode 3.9 table 3-8)
// replaced by U+FFFD. An unfinished sequence at the end is left for later, unless `final`.
// Returns the number of bytes consumed.
size_t AppendRepairedUtf8(std::string_view bytes, bool final, std::string* out);

// Any bytes for a message: one line of valid UTF-8, control characters (C1 ones, too) and malformed
// bytes as \n or \x1f, cut to about `limit_bytes` with "..." at the end.
std::string OneLine(std::string_view text, size_t limit_bytes = 200);

// Unicode's White_Space property.
bool IsWhiteSpace(char32_t code_point) noexcept;

// The white space at the start, or at the end, of a text that is valid UTF-8, in bytes.
size_t LeadingWhiteSpace(std::string_view text) noexcept;
size_t TrailingWhiteSpace(std::string_view text) noexcept;

}  // namespace tern
