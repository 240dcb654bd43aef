// SPDX-License-Identifier: MIT
#include "tern/text/normal_form.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "tern/base/check.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

using CodePoints = std::vector<utf8proc_int32_t>;

utf8proc_propval_t CombiningClass(utf8proc_int32_t c) {
  return utf8proc_get_property(c)->combining_class;
}

// STABLE keeps the compositions out that Unicode excludes.
utf8proc_option_t Options(NormalForm form) {
  int options = UTF8PROC_STABLE;
  const bool composed = form == NormalForm::kNfc || form == NormalForm::kNfkc;
  options |= composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;
  return static_cast<utf8proc_option_t>(options);
}

CodePoints Decompose(std::string_view text, utf8proc_option_t options) {
  constexpr size_t kLongest = 32;  // Unicode's longest decomposition has 18
  CodePoints out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char c = FirstUtf8(text);
    text.remove_prefix(c.size_bytes);
    if (c.code_point < 0x80) {
      out.push_back(static_cast<utf8proc_int32_t>(c.code_point));
      continue;
    }
    utf8proc_int32_t parts[kLongest];
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c.code_point), parts,
                                               kLongest, options, &boundary);
    TERN_CHECK(count > 0 && count <= static_cast<utf8proc_ssize_t>(kLongest));
    out.insert(out.end(), parts, parts + count);
  }
  return out;
}

// The canonical ordering algorithm. libutf8proc's own takes quadratic time.
void SortMarks(CodePoints* text) {
  const auto is_mark = [](utf8proc_int32_t c) { return c >= 0x300 && CombiningClass(c) != 0; };
  for (auto at = text->begin(); at != text->end();) {
    const auto begin = std::find_if(at, text->end(), is_mark);
    const auto end = std::find_if_not(begin, text->end(), is_mark);
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return CombiningClass(a) < CombiningClass(b);
    });
    at = end;
  }
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

void AppendNormalForm(NormalForm form, std::string_view text, std::string* out) {
  if (IsAscii(text)) {
    out->append(text);
    return;
  }
  const utf8proc_option_t options = Options(form);
  CodePoints code_points = Decompose(text, options);
  SortMarks(&code_points);
  const auto count = utf8proc_normalize_utf32(
      code_points.data(), static_cast<utf8proc_ssize_t>(code_points.size()), options);
  TERN_CHECK(count >= 0);
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    AppendUtf8(static_cast<char32_t>(code_points[static_cast<size_t>(i)]), out);
  }
}

void AppendLowercase(std::string_view text, std::string* out) {
  while (!text.empty()) {
    const Utf8Char c = FirstUtf8(text);
    text.remove_prefix(c.size_bytes);
    if (c.code_point == 0x130) {  // the one letter whose lower case is two characters
      out->append("i\u0307");
    } else {
      const auto lower = utf8proc_tolower(static_cast<utf8proc_int32_t>(c.code_point));
      AppendUtf8(static_cast<char32_t>(lower), out);
    }
  }
}

}  // namespace tern
