// SPDX-License-Identifier: MIT
// Oniguruma's Ruby dialect to PCRE2. What differs and is rewritten: \s \S (PCRE2 counts U+180E),
// \w \W \b \B (Unicode's word characters), \v (one character), \uHHHH, {,n}, \p{Script} (PCRE2
// means script extensions), and the options of ^ $ (always per line). What is the same in both
// passes through; everything else is an Error.
#include <array>
#include <cctype>

#include "tern/base/error.h"
#include "tern/text/regex.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

// What \w means in a class, and out of it, where Oniguruma takes Latin-1's superscripts and
// fractions along.
constexpr std::string_view kWordInClass = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
constexpr std::string_view kWord =
    "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}";

bool IsHex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

class Translator {
 public:
  Translator(std::string_view pattern, std::string_view where) : in_(pattern), where_(where) {}

  std::string Run() {
    while (i_ < in_.size()) {
      switch (in_[i_]) {
        case '\\':
          Escape(/*in_class=*/false);
          break;
        case '[':
          Class();
          break;
        case '(':
          Group();
          break;
        case '{':
          Interval();
          break;
        default:
          out_.push_back(in_[i_++]);
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void Refuse(std::string_view what) const {
    Fail(ErrorKind::kUnsupported, "{}: regular expression \"{}\": {} at offset {} is not supported",
         where_, OneLine(in_), OneLine(what), i_);
  }

  char Peek(size_t ahead) const { return i_ + ahead < in_.size() ? in_[i_ + ahead] : '\0'; }
  bool At(std::string_view text) const { return in_.substr(i_, text.size()) == text; }

  void Copy(size_t bytes) {
    out_.append(in_.substr(i_, bytes));
    i_ += bytes;
  }

  void Replace(size_t bytes, std::string_view with) {
    out_.append(with);
    i_ += bytes;
  }

  // i_ is at a backslash.
  void Escape(bool in_class) {
    const char c = Peek(1);
    if (i_ + 1 >= in_.size()) Refuse("a backslash at the end");
    if (!IsAlnum(c)) {
      // The escaped character may be longer than a byte; the rest of it follows as a literal.
      if (static_cast<unsigned char>(c) >= 0x80) return Replace(1, "");
      return Copy(2);
    }
    switch (c) {
      case 'r':
      case 'n':
      case 't':
      case 'f':
      case 'a':
      case 'e':
        return Copy(2);
      case 'v':
        return Replace(2, "\\x{0b}");
      case 's':
        return Replace(2, "\\p{White_Space}");
      case 'S':
        return Replace(2, "\\P{White_Space}");
      case 'd':
        return Replace(2, "\\p{Nd}");
      case 'D':
        return Replace(2, "\\P{Nd}");
      case 'p':
      case 'P':
        return Property();
      case 'x':
      case 'u':
        return CodePoint();
      default:
        break;
    }
    return in_class ? EscapeInClass(c) : EscapeOutside(c);
  }

  void EscapeInClass(char c) {
    if (c == 'b') return Replace(2, "\\x{08}");
    if (c == 'w') return Replace(2, kWordInClass);
    Refuse(fmt::format("the escape \\{} in a class", c));
  }

  void EscapeOutside(char c) {
    switch (c) {
      case 'w':
        return Replace(2, fmt::format("[{}]", kWord));
      case 'W':
        return Replace(2, fmt::format("[^{}]", kWord));
      case 'b':
        return Replace(2, fmt::format("(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))", kWord));
      case 'B':
        return Replace(2, fmt::format("(?:(?<=[{0}])(?=[{0}])|(?<![{0}])(?![{0}]))", kWord));
      case 'A':
      case 'z':
      case 'Z':
        return Copy(2);
      default:
        Refuse(fmt::format("the escape \\{}", c));
    }
  }

  // \xH, \xHH, \x{H...}, \uHHHH
  void CodePoint() {
    const bool braces = Peek(1) == 'x' && Peek(2) == '{';
    const size_t begin = i_ + (braces ? 3 : 2);
    const size_t most = braces ? 6 : Peek(1) == 'x' ? 2 : 4;
    size_t end = begin;
    while (end < in_.size() && end - begin < most && IsHex(in_[end])) ++end;
    const bool closed = !braces || (end < in_.size() && in_[end] == '}');
    if (end == begin || !closed || (Peek(1) == 'u' && end - begin != 4)) {
      Refuse("a malformed code point");
    }
    const std::string digits(in_.substr(begin, end - begin));
    // Oniguruma reads \x80 and above without braces as raw bytes.
    if (!braces && most == 2 && std::stoul(digits, nullptr, 16) >= 0x80) {
      Refuse("a raw byte (write \\x{...})");
    }
    Replace(end + (braces ? 1 : 0) - i_, fmt::format("\\x{{{}}}", digits));
  }

  // \p{Name}, \p{^Name}, \P{Name}
  void Property() {
    const size_t close = in_.find('}', i_);
    if (Peek(2) != '{' || close == std::string_view::npos) Refuse("a property without {braces}");
    std::string_view name = in_.substr(i_ + 3, close - i_ - 3);
    const bool negated = !name.empty() && name[0] == '^';
    if (negated) name.remove_prefix(1);
    for (const char c : name) {
      if (!IsAlnum(c) && c != '_') Refuse(fmt::format("the property \"{}\"", name));
    }
    static constexpr std::array<std::string_view, 8> kBinary = {
        "Any",         "Alphabetic", "Lowercase", "Uppercase",
        "White_Space", "Emoji",      "ASCII",     "Ideographic"};
    bool known = name.size() == 1 || name.size() == 2;  // general categories
    for (const std::string_view binary : kBinary) known = known || name == binary;
    Replace(close + 1 - i_,
            fmt::format("\\{}{{{}{}{}}}", Peek(1), negated ? "^" : "", known ? "" : "sc:", name));
  }

  // i_ is at '['.
  void Class() {
    Copy(1);
    if (Peek(0) == '^') Copy(1);
    if (Peek(0) == ']') Refuse("a class that starts with ]");
    while (i_ < in_.size() && in_[i_] != ']') {
      if (in_[i_] == '\\') {
        Escape(/*in_class=*/true);
        continue;
      }
      if (in_[i_] == '[') Refuse("a class within a class (escape a literal [)");
      if (At("&&")) Refuse("an intersection of classes");
      Copy(1);
    }
    if (i_ == in_.size()) Refuse("a class without its ]");
    Copy(1);
  }

  // i_ is at '('.
  void Group() {
    if (Peek(1) == '*') Refuse("a verb");
    if (Peek(1) != '?') return Copy(1);
    for (const std::string_view head :
         {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:"}) {
      if (At(head)) return Copy(head.size());
    }
    if (At("(?i)") && i_ == 0) return Copy(4);
    Refuse("this group");
  }

  // i_ is at '{', which is literal unless it is one of {n} {n,} {,m} {n,m}.
  void Interval() {
    size_t end = i_ + 1;
    std::string low;
    std::string high;
    while (end < in_.size() && IsDigit(in_[end])) low += in_[end++];
    const bool comma = end < in_.size() && in_[end] == ',';
    if (comma) ++end;
    while (comma && end < in_.size() && IsDigit(in_[end])) high += in_[end++];
    const bool interval = end < in_.size() && in_[end] == '}' && !(low.empty() && high.empty());
    if (!interval) return Replace(1, "\\{");
    const char next = end + 1 < in_.size() ? in_[end + 1] : '\0';
    if (next == '+' || (next == '?' && !comma)) Refuse("a quantifier behind {...}");
    if (low.empty()) low = "0";
    Replace(end + 1 - i_, fmt::format("{{{}{}{}}}", low, comma ? "," : "", high));
  }

  std::string_view in_;
  std::string_view where_;
  size_t i_ = 0;
  std::string out_;
};

}  // namespace

std::string TranslateRegex(std::string_view pattern, std::string_view where) {
  return Translator(pattern, where).Run();
}

}  // namespace tern
