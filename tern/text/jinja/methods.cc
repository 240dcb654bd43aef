// SPDX-License-Identifier: MIT
// Methods of str, dict and list, with Python's meaning.
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "tern/text/jinja/builtins.h"
#include "tern/text/utf8.h"

namespace tern::jinja {
namespace {

using Method = Value (*)(Env& env, const Value& self, const Args& args);

utf8proc_category_t Category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}
bool IsUpper(char32_t c) { return Category(c) == UTF8PROC_CATEGORY_LU; }
bool IsLower(char32_t c) { return Category(c) == UTF8PROC_CATEGORY_LL; }
bool IsAlpha(char32_t c) {
  const utf8proc_category_t category = Category(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
bool IsDecimal(char32_t c) { return Category(c) == UTF8PROC_CATEGORY_ND; }

template <typename Predicate>
bool All(std::string_view text, Predicate predicate) {
  if (text.empty()) return false;
  while (!text.empty()) {
    const Utf8Char c = FirstUtf8(text);
    if (!predicate(c.code_point)) return false;
    text.remove_prefix(c.size_bytes);
  }
  return true;
}

std::u32string Characters(std::string_view text) {
  std::u32string out;
  while (!text.empty()) {
    const Utf8Char c = FirstUtf8(text);
    out.push_back(c.code_point);
    text.remove_prefix(c.size_bytes);
  }
  return out;
}

Value StripText(Env& env, const Value& self, const Args& args, bool left, bool right) {
  const BoundArgs bound(env, "strip", args, {"chars"});
  std::string_view text = self.AsString();
  env.ChargeRead(text.size());
  if (!bound.Has(0) || bound[0].Is(Kind::kNone)) {
    return Value::String(env, std::string(Strip(text, left, right)));
  }
  env.Charge(bound.String(0).size() * sizeof(char32_t));
  const std::u32string chars = Characters(bound.String(0));
  const auto goes = [&](char32_t c) {
    env.ChargeRead(chars.size());
    return chars.find(c) != std::u32string::npos;
  };
  while (left && !text.empty() && goes(FirstUtf8(text).code_point)) {
    text.remove_prefix(FirstUtf8(text).size_bytes);
  }
  while (right && !text.empty() && goes(LastUtf8(text).code_point)) {
    text.remove_suffix(LastUtf8(text).size_bytes);
  }
  return Value::String(env, std::string(text));
}

Value StripBoth(Env& env, const Value& self, const Args& args) {
  return StripText(env, self, args, true, true);
}
Value StripLeft(Env& env, const Value& self, const Args& args) {
  return StripText(env, self, args, true, false);
}
Value StripRight(Env& env, const Value& self, const Args& args) {
  return StripText(env, self, args, false, true);
}

void AddPiece(Env& env, std::string_view piece, std::vector<std::string_view>* pieces) {
  constexpr size_t kPieceBytes = sizeof(std::string_view);
  env.ChargeGrowth(pieces->size() * kPieceBytes, kPieceBytes);
  pieces->push_back(piece);
}

// str.split without a separator.
void SplitAtSpace(Env& env, std::string_view text, int64_t most,
                  std::vector<std::string_view>* out) {
  while (!(text = Strip(text, true, false)).empty()) {
    if (most-- == 0) return AddPiece(env, text, out);
    size_t end = 0;
    while (end < text.size()) {
      const Utf8Char c = FirstUtf8(text.substr(end));
      if (IsPythonSpace(c.code_point)) break;
      end += c.size_bytes;
    }
    AddPiece(env, text.substr(0, end), out);
    text.remove_prefix(end);
  }
}

// The same from the right; pieces come last first.
void SplitAtSpaceFromRight(Env& env, std::string_view text, int64_t most,
                           std::vector<std::string_view>* out) {
  while (!(text = Strip(text, false, true)).empty()) {
    if (most-- == 0) return AddPiece(env, text, out);
    size_t begin = text.size();
    while (begin > 0) {
      const Utf8Char c = LastUtf8(text.substr(0, begin));
      if (IsPythonSpace(c.code_point)) break;
      begin -= c.size_bytes;
    }
    AddPiece(env, text.substr(begin), out);
    text = text.substr(0, begin);
  }
}

void SplitAt(Env& env, std::string_view text, std::string_view separator, int64_t most, bool right,
             std::vector<std::string_view>* out) {
  env.ChargeSearch(text.size(), separator.size());
  while (most-- != 0) {
    const size_t at = right ? text.rfind(separator) : text.find(separator);
    if (at == std::string_view::npos) break;
    if (right) {
      AddPiece(env, text.substr(at + separator.size()), out);
      text = text.substr(0, at);
    } else {
      AddPiece(env, text.substr(0, at), out);
      text.remove_prefix(at + separator.size());
    }
  }
  AddPiece(env, text, out);
}

Value ListOfTexts(Env& env, const std::vector<std::string_view>& pieces) {
  env.Charge(pieces.size() * sizeof(Value));
  std::vector<Value> out;
  out.reserve(pieces.size());
  for (const std::string_view piece : pieces) {
    out.push_back(Value::String(env, std::string(piece)));
  }
  return Value::List(env, std::move(out));
}

Value SplitText(Env& env, const Value& self, const Args& args, bool right) {
  const BoundArgs bound(env, "split", args, {"sep", "maxsplit"});
  const std::string& text = self.AsString();
  const int64_t most = bound.CountOr(1);
  env.Charge(text.size());
  std::vector<std::string_view> pieces;
  if (!bound.Has(0) || bound[0].Is(Kind::kNone)) {
    right ? SplitAtSpaceFromRight(env, text, most, &pieces)
          : SplitAtSpace(env, text, most, &pieces);
  } else {
    if (bound.String(0).empty()) env.Refuse("split at an empty str");
    SplitAt(env, text, bound.String(0), most, right, &pieces);
  }
  if (right) std::reverse(pieces.begin(), pieces.end());
  return ListOfTexts(env, pieces);
}

Value Split(Env& env, const Value& self, const Args& args) {
  return SplitText(env, self, args, false);
}
Value SplitFromRight(Env& env, const Value& self, const Args& args) {
  return SplitText(env, self, args, true);
}

Value SplitLines(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "splitlines", args, {"keepends"});
  const bool keep = bound.BoolOr(0, false);
  std::string_view text = self.AsString();
  env.Charge(text.size());
  std::vector<std::string_view> lines;
  size_t at = 0;
  while (at < text.size()) {
    const Utf8Char c = FirstUtf8(text.substr(at));
    const bool ends = (c.code_point >= 0x0A && c.code_point <= 0x0D) ||
                      (c.code_point >= 0x1C && c.code_point <= 0x1E) || c.code_point == 0x85 ||
                      c.code_point == 0x2028 || c.code_point == 0x2029;
    size_t end = at + c.size_bytes;
    if (c.code_point == '\r' && end < text.size() && text[end] == '\n') ++end;
    if (ends) {
      AddPiece(env, text.substr(0, keep ? end : at), &lines);
      text.remove_prefix(end);
      at = 0;
    } else {
      at = end;
    }
  }
  if (!text.empty()) AddPiece(env, text, &lines);
  return ListOfTexts(env, lines);
}

Value HasEnd(Env& env, const Value& self, const Args& args, bool start) {
  const BoundArgs bound(env, start ? "startswith" : "endswith", args, {"prefix"}, 1);
  const std::string& text = self.AsString();
  const auto matches = [&](const Value& affix) {
    if (!affix.Is(Kind::kString)) env.Refuse("a str begins with a str, not a {}", KindName(affix));
    env.ChargeRead(sizeof(Value) + affix.AsString().size() / 8);
    return start ? text.starts_with(affix.AsString()) : text.ends_with(affix.AsString());
  };
  if (!bound[0].Is(Kind::kTuple)) return Value(matches(bound[0]));
  const auto& choices = bound[0].Items();
  return Value(std::any_of(choices.begin(), choices.end(), matches));
}

Value StartsWith(Env& env, const Value& self, const Args& args) {
  return HasEnd(env, self, args, true);
}
Value EndsWith(Env& env, const Value& self, const Args& args) {
  return HasEnd(env, self, args, false);
}

Value RemovePrefix(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "removeprefix", args, {"prefix"}, 1);
  const std::string& text = self.AsString();
  env.ChargeRead(text.size() / 8);
  return Value::String(
      env, text.starts_with(bound.String(0)) ? text.substr(bound.String(0).size()) : text);
}
Value RemoveSuffix(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "removesuffix", args, {"suffix"}, 1);
  const std::string& text = self.AsString();
  env.ChargeRead(text.size() / 8);
  const size_t size = bound.String(0).size();
  return Value::String(env,
                       text.ends_with(bound.String(0)) ? text.substr(0, text.size() - size) : text);
}

Value Upper(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "upper", args, {});
  return Value::String(env, ChangeCase(env, self.AsString(), true));
}
Value Lower(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "lower", args, {});
  return Value::String(env, ChangeCase(env, self.AsString(), false));
}
Value Title(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "title", args, {});
  return Value::String(env, TitleCase(env, self.AsString()));
}
Value CapitalizeText(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "capitalize", args, {});
  return Value::String(env, Capitalize(env, self.AsString()));
}

Value Replace(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "replace", args, {"old", "new", "count"}, 2);
  return Value::String(
      env, ReplaceAll(env, self.AsString(), bound.String(0), bound.String(1), bound.CountOr(2)));
}

Value JoinTexts(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "join", args, {"iterable"}, 1);
  std::string out;
  bool first = true;
  for (const Value& item : Iterate(env, bound[0])) {
    if (!item.Is(Kind::kString)) env.Refuse("join of a {}", KindName(item));
    if (!std::exchange(first, false)) AppendText(env, self, &out);
    AppendText(env, item, &out);
  }
  return Value::String(env, std::move(out));
}

// What stands for the field "{}", "{2}" or "{name}" of str.format; `next` counts the first ones.
const Value& FormatField(Env& env, std::string_view field, const Args& args, size_t* next) {
  size_t index = field.empty() ? (*next)++ : 0;
  const char* end = field.data() + field.size();
  const auto [rest, error] = std::from_chars(field.data(), end, index);
  if (field.empty() || rest == end) {
    if (error != std::errc::result_out_of_range && index < args.positional.size())
      return args.positional[index];
  } else {
    env.ChargeRead(args.named.size());
    for (const auto& [name, value] : args.named) {
      if (name == field) return value;
    }
    if (field.find_first_of(".[:!{") != std::string_view::npos) {
      env.Unsupported("the field \"{}\" of format", OneLine(field, 60));
    }
  }
  env.Refuse("format has no argument for the field \"{}\"", OneLine(field, 60));
}

Value Format(Env& env, const Value& self, const Args& args) {
  std::string_view text = self.AsString();
  std::string out;
  for (size_t next = 0; !text.empty();) {
    const size_t brace = std::min(text.find_first_of("{}"), text.size());
    env.Append(text.substr(0, brace), &out);
    text.remove_prefix(brace);
    if (text.starts_with("{{") || text.starts_with("}}")) {
      env.Append(text.substr(0, 1), &out);
      text.remove_prefix(2);
    } else if (!text.empty()) {
      const size_t end = text.find('}');
      if (end == 0 || end == std::string_view::npos) env.Refuse("a single brace in a format");
      AppendText(env, FormatField(env, text.substr(1, end - 1), args, &next), &out);
      text.remove_prefix(end + 1);
    }
  }
  return Value::String(env, std::move(out));
}

// The place of a match in characters; -1 if there is none.
Value FindText(Env& env, const Value& self, const Args& args, bool right) {
  const BoundArgs bound(env, "find", args, {"sub"}, 1);
  const std::string& text = self.AsString();
  env.ChargeSearch(text.size(), bound.String(0).size());
  const size_t at = right ? text.rfind(bound.String(0)) : text.find(bound.String(0));
  if (at == std::string::npos) return Value(int64_t{-1});
  return Value(Length(env, Value::String(env, text.substr(0, at))));
}
Value Find(Env& env, const Value& self, const Args& args) {
  return FindText(env, self, args, false);
}
Value FindFromRight(Env& env, const Value& self, const Args& args) {
  return FindText(env, self, args, true);
}

Value CountText(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "count", args, {"sub"}, 1);
  const std::string& text = self.AsString();
  const std::string& wanted = bound.String(0);
  if (wanted.empty()) return Value(Length(env, self) + 1);
  env.ChargeSearch(text.size(), wanted.size());
  int64_t count = 0;
  for (size_t at = 0; (at = text.find(wanted, at)) != std::string::npos; at += wanted.size()) {
    ++count;
  }
  return Value(count);
}

template <bool (*kPredicate)(char32_t)>
Value AllOf(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "a test of characters", args, {});
  env.Charge(self.AsString().size());
  return Value(All(self.AsString(), kPredicate));
}
bool IsAlphaOrDigit(char32_t c) { return IsAlpha(c) || IsDecimal(c); }
bool IsSpace(char32_t c) { return IsPythonSpace(c); }

template <bool kUpper>
Value IsCase(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "a test of case", args, {});
  env.Charge(self.AsString().size());
  return Value(HasCase(self.AsString(), kUpper));
}

Value Get(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "get", args, {"key", "default"}, 1);
  const Value* found = self.AsDict().Find(env, bound[0]);
  return found ? *found : bound.Or(1, Value::MakeNone());
}

Value ItemsOf(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "items", args, {});
  std::vector<Value> out;
  for (const auto& [key, value] : self.AsDict().items) {
    out.push_back(Value::Tuple(env, {key, value}));
  }
  return Value::List(env, std::move(out));
}
Value Keys(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "keys", args, {});
  return Value::List(env, Iterate(env, self));
}
Value Values(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "values", args, {});
  env.Charge(self.AsDict().items.size() * sizeof(Value));
  std::vector<Value> out;
  for (const auto& [key, value] : self.AsDict().items) out.push_back(value);
  return Value::List(env, std::move(out));
}

Value CountItems(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "count", args, {"value"}, 1);
  return Value(int64_t{std::count_if(self.Items().begin(), self.Items().end(),
                                     [&](const Value& i) { return Equal(env, i, bound[0]); })});
}
Value IndexOf(Env& env, const Value& self, const Args& args) {
  const BoundArgs bound(env, "index", args, {"value"}, 1);
  for (size_t i = 0; i < self.Items().size(); ++i) {
    if (Equal(env, self.Items()[i], bound[0])) return Value(static_cast<int64_t>(i));
  }
  env.Refuse("the value is not in the {}", KindName(self));
}

struct NamedMethod {
  std::string_view name;
  Method run;  // null: Python has it and the subset does not
};

constexpr NamedMethod kTextMethods[] = {
    {"strip", &StripBoth},
    {"lstrip", &StripLeft},
    {"rstrip", &StripRight},
    {"split", &Split},
    {"rsplit", &SplitFromRight},
    {"splitlines", &SplitLines},
    {"startswith", &StartsWith},
    {"endswith", &EndsWith},
    {"removeprefix", &RemovePrefix},
    {"removesuffix", &RemoveSuffix},
    {"upper", &Upper},
    {"lower", &Lower},
    {"title", &Title},
    {"capitalize", &CapitalizeText},
    {"replace", &Replace},
    {"join", &JoinTexts},
    {"format", &Format},
    {"find", &Find},
    {"rfind", &FindFromRight},
    {"count", &CountText},
    {"isalpha", &AllOf<&IsAlpha>},
    {"isalnum", &AllOf<&IsAlphaOrDigit>},
    {"isdecimal", &AllOf<&IsDecimal>},
    {"isdigit", &AllOf<&IsDecimal>},
    {"isspace", &AllOf<&IsSpace>},
    {"isupper", &IsCase<true>},
    {"islower", &IsCase<false>},
};
constexpr NamedMethod kDictMethods[] = {
    {"get", &Get},      {"items", &ItemsOf},   {"keys", &Keys},         {"values", &Values},
    {"pop", nullptr},   {"popitem", nullptr},  {"update", nullptr},     {"copy", nullptr},
    {"clear", nullptr}, {"fromkeys", nullptr}, {"setdefault", nullptr},
};
constexpr NamedMethod kListMethods[] = {{"count", &CountItems}, {"index", &IndexOf}};

const NamedMethod* FindMethod(const Value& value, std::string_view name) {
  const auto find = [name](const auto& table) -> const NamedMethod* {
    const auto* found = std::find_if(std::begin(table), std::end(table),
                                     [name](const NamedMethod& m) { return m.name == name; });
    return found == std::end(table) ? nullptr : found;
  };
  if (value.Is(Kind::kString)) return find(kTextMethods);
  if (value.Is(Kind::kDict)) return find(kDictMethods);
  return value.IsSequence() ? find(kListMethods) : nullptr;
}

enum class Case : uint8_t { kUpper, kLower, kTitle };

void AppendCased(char32_t c, Case wanted, std::string* out) {
  const auto code_point = static_cast<utf8proc_int32_t>(c);
  if (c == 0xDF && wanted != Case::kLower) {
    // The one letter of daily use whose upper case is two.
    *out += wanted == Case::kUpper ? "SS" : "Ss";
    return;
  }
  const utf8proc_int32_t mapped = wanted == Case::kUpper   ? utf8proc_toupper(code_point)
                                  : wanted == Case::kLower ? utf8proc_tolower(code_point)
                                                           : utf8proc_totitle(code_point);
  AppendUtf8(static_cast<char32_t>(mapped), out);
}

}  // namespace

bool HasMethod(const Value& value, std::string_view name) {
  return FindMethod(value, name) != nullptr;
}

Value CallMethod(Env& env, const Value& value, std::string_view name, const Args& args) {
  RequireDefined(env, value);
  const NamedMethod* method = FindMethod(value, name);
  if (!method || !method->run) env.Unsupported("the method \"{}\" of {}", name, KindName(value));
  Value made = method->run(env, value, args);
  if (!value.IsSafe() || !(made.Is(Kind::kString) || made.IsSequence())) return made;
  // markupsafe escapes what these take in, or makes a list of safe strs.
  if (made.IsSequence() || name == "replace" || name == "join" || name == "format") {
    env.Unsupported("the method \"{}\" of a safe str", name);
  }
  return Value::Safe(env, made.AsString());
}

std::string ChangeCase(Env& env, std::string_view text, bool upper) {
  env.Charge(text.size());
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char c = FirstUtf8(text);
    AppendCased(c.code_point, upper ? Case::kUpper : Case::kLower, &out);
    text.remove_prefix(c.size_bytes);
  }
  return out;
}

std::string Capitalize(Env& env, std::string_view text) {
  if (text.empty()) return "";
  const Utf8Char first = FirstUtf8(text);
  std::string out;
  AppendCased(first.code_point, Case::kTitle, &out);
  return out + ChangeCase(env, text.substr(first.size_bytes), false);
}

std::string TitleCase(Env& env, std::string_view text) {
  std::string out;
  bool in_word = false;
  env.Charge(text.size());
  while (!text.empty()) {
    const Utf8Char c = FirstUtf8(text);
    AppendCased(c.code_point, in_word ? Case::kLower : Case::kTitle, &out);
    in_word = IsUpper(c.code_point) || IsLower(c.code_point) ||
              Category(c.code_point) == UTF8PROC_CATEGORY_LT;
    text.remove_prefix(c.size_bytes);
  }
  return out;
}

std::string ReplaceAll(Env& env, std::string_view text, std::string_view from, std::string_view to,
                       int64_t count) {
  env.ChargeSearch(text.size(), from.size());
  std::string out;
  while (count-- != 0) {
    const size_t at = text.find(from);
    if (at == std::string_view::npos) break;
    env.Append(text.substr(0, at), &out);
    env.Append(to, &out);
    text.remove_prefix(at + from.size());
    if (!from.empty()) continue;
    // Between all characters.
    if (text.empty()) return out;
    const size_t size = FirstUtf8(text).size_bytes;
    env.Append(text.substr(0, size), &out);
    text.remove_prefix(size);
    env.Step();
  }
  env.Append(text, &out);
  return out;
}

bool HasCase(std::string_view text, bool upper) {
  bool found = false;
  while (!text.empty()) {
    const Utf8Char c = FirstUtf8(text);
    if (upper ? IsLower(c.code_point) : IsUpper(c.code_point)) return false;
    found = found || (upper ? IsUpper(c.code_point) : IsLower(c.code_point));
    text.remove_prefix(c.size_bytes);
  }
  return found;
}

}  // namespace tern::jinja
