// SPDX-License-Identifier: MIT
// Unicode's normal forms (UAX 15) and lower case, by libutf8proc's version of Unicode. Linear but
// for sorting runs of combining marks.
#pragma once

#include <string>
#include <string_view>

namespace tern {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// Appends the normal form of `text`, valid UTF-8, to *out.
void AppendNormalForm(NormalForm form, std::string_view text, std::string* out);

// Appends `text`, valid UTF-8, in lower case: each character by itself, without rules for the ends
// of words or for languages.
void AppendLowercase(std::string_view text, std::string* out);

}  // namespace tern
