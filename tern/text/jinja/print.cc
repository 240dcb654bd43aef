// SPDX-License-Identifier: MIT
// Values as text: Python's str and repr, and json.dumps.
#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cmath>

#include "tern/text/jinja/value.h"
#include "tern/text/utf8.h"

namespace tern::jinja {
namespace {

// Python's repr of a float: the shortest text that reads back the same.
std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// Python's str.isprintable of a character.
bool IsPrintable(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    case UTF8PROC_CATEGORY_ZS:
      return c == ' ';
    default:
      return true;
  }
}

void AppendStringRepr(Env& env, std::string_view text, std::string* out) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  env.Append({&quote, 1}, out);
  while (!text.empty()) {
    const Utf8Char c = FirstUtf8(text);
    if (c.code_point == static_cast<char32_t>(quote) || c.code_point == '\\') {
      env.Append("\\", out);
      env.Append(text.substr(0, 1), out);
    } else if (c.code_point == '\n' || c.code_point == '\r' || c.code_point == '\t') {
      env.Append(c.code_point == '\n' ? "\\n" : c.code_point == '\r' ? "\\r" : "\\t", out);
    } else if (IsPrintable(c.code_point)) {
      env.Append(text.substr(0, c.size_bytes), out);
    } else {
      const auto value = static_cast<uint32_t>(c.code_point);
      env.Append(value <= 0xFF     ? fmt::format("\\x{:02x}", value)
                 : value <= 0xFFFF ? fmt::format("\\u{:04x}", value)
                                   : fmt::format("\\U{:08x}", value),
                 out);
    }
    text.remove_prefix(c.size_bytes);
  }
  env.Append({&quote, 1}, out);
}

// Depth is bounded by kMaxValueDepth.
void AppendRepr(Env& env, const Value& value, std::string* out);

void AppendSequence(Env& env, const Value& value, std::string* out) {
  const bool list = value.Is(Kind::kList);
  env.Append(list ? "[" : "(", out);
  bool first = true;
  for (const Value& item : value.Items()) {
    if (!std::exchange(first, false)) env.Append(", ", out);
    AppendRepr(env, item, out);
  }
  if (!list && value.Items().size() == 1) env.Append(",", out);
  env.Append(list ? "]" : ")", out);
}

void AppendDict(Env& env, const Dict& dict, std::string* out) {
  env.Append("{", out);
  bool first = true;
  for (const auto& [key, value] : dict.items) {
    if (!std::exchange(first, false)) env.Append(", ", out);
    AppendRepr(env, key, out);
    env.Append(": ", out);
    AppendRepr(env, value, out);
  }
  env.Append("}", out);
}

void AppendRepr(Env& env, const Value& value, std::string* out) {
  env.Step();
  if (value.Is(Kind::kUndefined)) {
    env.Append("Undefined", out);
  } else if (value.Is(Kind::kString)) {
    if (value.IsSafe()) env.Append("Markup(", out);
    AppendStringRepr(env, value.AsString(), out);
    if (value.IsSafe()) env.Append(")", out);
  } else {
    AppendText(env, value, out);
  }
}

class JsonWriter {
 public:
  JsonWriter(Env& env, const JsonOptions& options) : env_(env), options_(options) {}

  std::string Run(const Value& value) {
    Write(value, 1);
    return std::move(out_);
  }

 private:
  void Put(std::string_view piece) { env_.Append(piece, &out_); }

  void Write(const Value& value, int level) {
    env_.Step();
    switch (value.kind()) {
      case Kind::kNone:
        Put("null");
        break;
      case Kind::kBool:
        Put(value.AsBool() ? "true" : "false");
        break;
      case Kind::kInt:
        Put(fmt::format("{}", value.AsInt()));
        break;
      case Kind::kFloat:
        Float(value.AsFloat());
        break;
      case Kind::kString:
        Text(value.AsString());
        break;
      case Kind::kList:
      case Kind::kTuple:
        Array(value.Items(), level);
        break;
      case Kind::kDict:
        Object(value.AsDict(), level);
        break;
      default:
        env_.Refuse("a {} is not JSON", KindName(value));
    }
  }

  void Float(double value) {
    Put(std::isnan(value)    ? "NaN"
        : !std::isinf(value) ? FloatText(value)
        : value < 0          ? "-Infinity"
                             : "Infinity");
  }

  void Text(std::string_view text) {
    Put("\"");
    while (!text.empty()) {
      const Utf8Char c = FirstUtf8(text);
      Character(c.code_point, text.substr(0, c.size_bytes));
      text.remove_prefix(c.size_bytes);
    }
    Put("\"");
  }

  void Character(char32_t c, std::string_view bytes) {
    static constexpr std::string_view kEscaped = "\"\\\n\r\t\f\b";
    static constexpr std::string_view kLetters = "\"\\nrtfb";
    const size_t known = c < 0x80 ? kEscaped.find(static_cast<char>(c)) : std::string_view::npos;
    if (known != std::string_view::npos) {
      Put("\\");
      Put(kLetters.substr(known, 1));
    } else if (c < 0x20 || (options_.ensure_ascii && c > 0x7F && c <= 0xFFFF)) {
      Put(fmt::format("\\u{:04x}", static_cast<uint32_t>(c)));
    } else if (options_.ensure_ascii && c > 0xFFFF) {
      const auto rest = static_cast<uint32_t>(c) - 0x10000;
      Put(fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF)));
    } else {
      Put(bytes);
    }
  }

  void Line(int level) {
    if (options_.indent < 0) return;
    const auto spaces = static_cast<size_t>(options_.indent) * static_cast<size_t>(level);
    Put("\n");
    env_.ChargeGrowth(out_.size(), spaces);
    out_.append(spaces, ' ');
  }

  void Array(const std::vector<Value>& items, int level) {
    if (items.empty()) {
      Put("[]");
      return;
    }
    Put("[");
    bool first = true;
    for (const Value& item : items) {
      if (!std::exchange(first, false)) Put(options_.item_separator);
      Line(level);
      Write(item, level + 1);
    }
    Line(level - 1);
    Put("]");
  }

  void Object(const Dict& dict, int level) {
    if (dict.items.empty()) {
      Put("{}");
      return;
    }
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (options_.sort_keys) {
      std::stable_sort(items.begin(), items.end(), [this](const auto* a, const auto* b) {
        return Less(env_, a->first, b->first);
      });
    }
    Put("{");
    bool first = true;
    for (const auto* item : items) {
      if (!std::exchange(first, false)) Put(options_.item_separator);
      Line(level);
      if (item->first.Is(Kind::kString)) {
        Text(item->first.AsString());
      } else {
        Put("\"");
        Write(item->first, level);
        Put("\"");
      }
      Put(options_.key_separator);
      Write(item->second, level + 1);
    }
    Line(level - 1);
    Put("}");
  }

  Env& env_;
  const JsonOptions& options_;
  std::string out_;
};

}  // namespace

void AppendText(Env& env, const Value& value, std::string* out) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return;
    case Kind::kNone:
      env.Append("None", out);
      return;
    case Kind::kBool:
      env.Append(value.AsBool() ? "True" : "False", out);
      return;
    case Kind::kInt:
      env.Append(fmt::format("{}", value.AsInt()), out);
      return;
    case Kind::kFloat:
      env.Append(FloatText(value.AsFloat()), out);
      return;
    case Kind::kString:
      env.Append(value.AsString(), out);
      return;
    case Kind::kList:
    case Kind::kTuple:
      return AppendSequence(env, value, out);
    case Kind::kDict:
      return AppendDict(env, value.AsDict(), out);
    default:
      env.Refuse("a {} has no text", KindName(value));
  }
}

std::string ToText(Env& env, const Value& value) {
  std::string out;
  AppendText(env, value, &out);
  return out;
}

std::string ToJson(Env& env, const Value& value, const JsonOptions& options) {
  return JsonWriter(env, options).Run(value);
}

}  // namespace tern::jinja
