// SPDX-License-Identifier: MIT
#include "tern/text/jinja/lexer.h"

#include <algorithm>
#include <array>

#include "tern/text/jinja/value.h"
#include "tern/text/utf8.h"

namespace tern::jinja {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNameChar(char c) { return IsNameStart(c) || IsDigit(c); }

// "\r\n" and "\r" become "\n"; the last line feed goes.
std::string NormalizeNewlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out.push_back(source[i]);
    } else if (i + 1 == source.size() || source[i + 1] != '\n') {
      out.push_back('\n');
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(Env& env, std::string_view source) : env_(env), source_(NormalizeNewlines(source)) {}

  std::deque<Token> Run() {
    env_.line = 1;
    while (position_ < source_.size()) Text();
    Add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  static constexpr size_t kNone = std::string::npos;
  static constexpr size_t kMostNameBytes = 256;

  void Add(TokenKind kind, std::string text) {
    tokens_.push_back({kind, env_.line, std::move(text)});
  }
  bool At(std::string_view text) const {
    return source_.compare(position_, text.size(), text) == 0;
  }
  void Advance(size_t end) {
    env_.line += static_cast<int>(std::count(source_.begin() + static_cast<ptrdiff_t>(position_),
                                             source_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    position_ = end;
  }
  void SkipSpace() {
    const std::string_view rest = std::string_view(source_).substr(position_);
    Advance(position_ + rest.size() - Strip(rest, true, false).size());
  }

  // Plain text up to the next tag, and that tag.
  void Text() {
    size_t tag = position_;
    while ((tag = source_.find('{', tag)) != kNone && tag + 1 < source_.size() &&
           std::string_view("{%#").find(source_[tag + 1]) == std::string_view::npos) {
      ++tag;
    }
    if (tag == kNone || tag + 1 >= source_.size()) {
      Add(TokenKind::kText, source_.substr(position_));
      return Advance(source_.size());
    }
    const char kind = source_[tag + 1];
    AddText(tag, Sign(tag + 2), kind != '{');
    Advance(tag + 2 + (Sign(tag + 2) != 0 ? 1 : 0));
    if (kind == '#') return Comment();
    if (kind == '{') return Expression(TokenKind::kPrintBegin, TokenKind::kPrintEnd, "}}");
    if (!Raw()) Expression(TokenKind::kBlockBegin, TokenKind::kBlockEnd, "%}");
  }

  char Sign(size_t at) const {
    return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0';
  }

  // Text up to a tag with this sign. `lstrip`: blanks between the line's start and the tag go.
  void AddText(size_t end, char sign, bool lstrip) {
    std::string_view text = std::string_view(source_).substr(position_, end - position_);
    if (sign == '-') {
      text = Strip(text, false, true);
    } else if (sign != '+' && lstrip) {
      const size_t line = text.rfind('\n') + 1;
      const bool line_start = line > 0 || position_ == 0 || source_[position_ - 1] == '\n';
      if (line_start && Strip(text.substr(line), true, false).empty()) text = text.substr(0, line);
    }
    if (!text.empty()) Add(TokenKind::kText, std::string(text));
    Advance(end);
  }

  // Behind the two bytes that close a tag; its sign stands before them.
  void AfterTag(char sign, bool trim_newline) {
    Advance(position_ + 2);
    if (sign == '-') {
      SkipSpace();
    } else if (sign != '+' && trim_newline && At("\n")) {
      Advance(position_ + 1);
    }
  }

  void Comment() {
    const size_t end = source_.find("#}", position_);
    if (end == kNone) env_.Malformed("a comment without its #}}");
    const char sign = end > position_ ? Sign(end - 1) : '\0';
    Advance(end);
    AfterTag(sign, true);
  }

  // The word at a place, after white space; moves the place behind it.
  bool Word(size_t* at, std::string_view word) const {
    while (*at < source_.size() && IsPythonSpace(static_cast<unsigned char>(source_[*at]))) ++*at;
    if (source_.compare(*at, word.size(), word) != 0) return false;
    *at += word.size();
    while (*at < source_.size() && IsPythonSpace(static_cast<unsigned char>(source_[*at]))) ++*at;
    return true;
  }

  // A whole {% raw %}...{% endraw %}, if one begins here; position_ is behind "{%".
  bool Raw() {
    size_t at = position_;
    if (!Word(&at, "raw")) return false;
    const bool strip = source_.compare(at, 3, "-%}") == 0;
    if (!strip && source_.compare(at, 2, "%}") != 0) return false;
    Advance(at + (strip ? 3 : 2));
    if (strip) SkipSpace();
    for (size_t tag = position_; (tag = source_.find("{%", tag)) != kNone; tag += 2) {
      const char sign = Sign(tag + 2);
      size_t end = tag + 2 + (sign != 0 ? 1 : 0);
      if (!Word(&end, "endraw")) continue;
      const char end_sign = Sign(end);
      if (end_sign != 0) ++end;
      if (source_.compare(end, 2, "%}") != 0) continue;
      AddText(tag, sign, true);
      Advance(end);
      AfterTag(end_sign, true);
      return true;
    }
    env_.Malformed("a raw block without its endraw");
  }

  // What stands in a tag, and its end.
  void Expression(TokenKind begin, TokenKind end, std::string_view closing) {
    Add(begin, "");
    std::string open;  // brackets
    while (true) {
      SkipSpace();
      if (position_ >= source_.size()) env_.Malformed("a tag without its {}", closing);
      if (open.empty()) {
        const char sign = Sign(position_);
        const bool signed_end = (sign == '-' || (sign == '+' && end == TokenKind::kBlockEnd)) &&
                                source_.compare(position_ + 1, 2, closing) == 0;
        if (signed_end || At(closing)) {
          Add(end, "");
          if (signed_end) Advance(position_ + 1);
          return AfterTag(signed_end ? sign : '\0', end == TokenKind::kBlockEnd);
        }
      }
      const char c = source_[position_];
      if (IsNameStart(c)) {
        size_t stop = position_;
        while (stop < source_.size() && IsNameChar(source_[stop])) ++stop;
        if (stop - position_ > kMostNameBytes) {
          env_.Unsupported("a name of {} bytes", stop - position_);
        }
        Add(TokenKind::kName, source_.substr(position_, stop - position_));
        Advance(stop);
      } else if (IsDigit(c)) {
        Number();
      } else if (c == '\'' || c == '"') {
        String(c);
      } else {
        Operator(&open);
      }
    }
  }

  size_t Digits(size_t at) const {
    while (at < source_.size() &&
           (IsDigit(source_[at]) ||
            (source_[at] == '_' && at + 1 < source_.size() && IsDigit(source_[at + 1])))) {
      ++at;
    }
    return at;
  }

  void Number() {
    size_t end = Digits(position_);
    bool is_float = false;
    if (end + 1 < source_.size() && source_[end] == '.' && IsDigit(source_[end + 1])) {
      end = Digits(end + 1);
      is_float = true;
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      const size_t digits = end + 1 + (Sign(end + 1) != 0 ? 1 : 0);
      if (digits < source_.size() && IsDigit(source_[digits])) {
        end = Digits(digits);
        is_float = true;
      }
    }
    if (end < source_.size() && IsNameStart(source_[end])) {
      env_.Unsupported("the number \"{}\"", source_.substr(position_, end + 1 - position_));
    }
    std::string text = source_.substr(position_, end - position_);
    std::erase(text, '_');
    Add(is_float ? TokenKind::kFloat : TokenKind::kInt, std::move(text));
    Advance(end);
  }

  void Operator(std::string* open) {
    static constexpr std::array<std::string_view, 26> kOperators = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (const std::string_view op : kOperators) {
      if (!At(op)) continue;
      if (op == "(" || op == "[" || op == "{") open->push_back(op[0]);
      if (op == ")" || op == "]" || op == "}") {
        const char wanted = op == ")" ? '(' : op == "]" ? '[' : '{';
        if (open->empty() || open->back() != wanted) env_.Malformed("an unexpected \"{}\"", op);
        open->pop_back();
      }
      Add(TokenKind::kOperator, std::string(op));
      return Advance(position_ + op.size());
    }
    env_.Malformed(
        "an unexpected \"{}\"",
        OneLine(std::string_view(source_).substr(
            position_, FirstUtf8(std::string_view(source_).substr(position_)).size_bytes)));
  }

  void String(char quote) {
    std::string text;
    size_t at = position_ + 1;
    while (at < source_.size() && source_[at] != quote) {
      if (source_[at] == '\\') {
        at = Escape(at, &text);
      } else {
        text.push_back(source_[at++]);
      }
    }
    if (at >= source_.size()) env_.Malformed("a string without its end");
    Add(TokenKind::kString, std::move(text));
    Advance(at + 1);
  }

  // Python's escapes; returns the place behind. An unknown one stays as it is.
  size_t Escape(size_t at, std::string* out) {
    static constexpr std::string_view kNamed = "\\'\"abfnrtv";
    static constexpr std::string_view kMeaning = "\\'\"\a\b\f\n\r\t\v";
    if (at + 1 >= source_.size()) env_.Malformed("a string without its end");
    const char c = source_[at + 1];
    if (c == '\n') return at + 2;
    if (const size_t known = kNamed.find(c); known != std::string_view::npos) {
      out->push_back(kMeaning[known]);
      return at + 2;
    }
    if (c >= '0' && c <= '7') return CodePoint(at + 1, 3, 8, /*exact=*/false, out);
    if (c == 'x') return CodePoint(at + 2, 2, 16, true, out);
    if (c == 'u') return CodePoint(at + 2, 4, 16, true, out);
    if (c == 'U') return CodePoint(at + 2, 8, 16, true, out);
    if (c == 'N') env_.Unsupported("the escape \\N");
    out->push_back('\\');
    return at + 1;
  }

  size_t CodePoint(size_t at, size_t digits, int base, bool exact, std::string* out) {
    uint64_t value = 0;
    size_t end = at;
    while (end < source_.size() && end - at < digits) {
      const char c = source_[end];
      const int digit = IsDigit(c)               ? c - '0'
                        : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                        : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                                 : 99;
      if (digit >= base) break;
      value = value * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit);
      ++end;
    }
    if (exact && end - at != digits) env_.Malformed("a malformed escape in a string");
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
      env_.Malformed("an escape in a string that is no character");
    }
    AppendUtf8(static_cast<char32_t>(value), out);
    return end;
  }

  Env& env_;
  std::string source_;
  size_t position_ = 0;
  std::deque<Token> tokens_;
};

}  // namespace

std::deque<Token> Tokenize(Env& env, std::string_view source) { return Lexer(env, source).Run(); }

}  // namespace tern::jinja
