// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "tern/text/jinja/builtins.h"
#include "tern/text/utf8.h"

namespace tern::jinja {
namespace {

using Filter = Value (*)(Env& env, const Value& value, const Args& args);

Value Trim(Env& env, const Value& value, const Args& args) {
  return CallMethod(env, Value::String(env, ToText(env, value)), "strip", args);
}
Value LengthOf(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "length", args, {});
  return Value(Length(env, value));
}
Value Upper(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "upper", args, {});
  return Value::String(env, ChangeCase(env, ToText(env, value), true));
}
Value Lower(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "lower", args, {});
  return Value::String(env, ChangeCase(env, ToText(env, value), false));
}
Value CapitalizeFilter(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "capitalize", args, {});
  return Value::String(env, Capitalize(env, ToText(env, value)));
}

// Words begin behind white space and - ( { [ <, unlike those of str.title.
Value Title(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "title", args, {});
  const std::string text = ToText(env, value);
  std::string out;
  size_t begin = 0;
  const auto starts_word = [](char32_t c) {
    return IsPythonSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = FirstUtf8(std::string_view(text).substr(at));
    at += c.size_bytes;
    if (!starts_word(c.code_point) && at < text.size()) continue;
    const std::string_view word = std::string_view(text).substr(begin, at - begin);
    const size_t first = FirstUtf8(word).size_bytes;
    out += ChangeCase(env, word.substr(0, first), true);
    out += ChangeCase(env, word.substr(first), false);
    begin = at;
  }
  return Value::String(env, std::move(out));
}

Value Replace(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "replace", args, {"old", "new", "count"}, 2);
  return Value::String(env, ReplaceAll(env, ToText(env, value), ToText(env, bound[0]),
                                       ToText(env, bound[1]), bound.CountOr(2)));
}

Value Default(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "default", args, {"default_value", "boolean"});
  const bool missing = value.Is(Kind::kUndefined) || (bound.BoolOr(1, false) && !Truthy(value));
  return missing ? bound.Or(0, Value::String(env, "")) : value;
}

// The member that `attribute` names: "name", "a.b", or an index.
Value Member(Env& env, Value value, const Value& attribute) {
  if (!attribute.Is(Kind::kString)) return GetItem(env, value, attribute);
  std::string_view path = attribute.AsString();
  while (true) {
    const size_t dot = std::min(path.find('.'), path.size());
    const std::string_view step = path.substr(0, dot);
    int64_t index = 0;
    const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
    const bool number = error == std::errc() && end == step.data() + step.size() && index >= 0;
    value = number ? GetItem(env, value, Value(index))
                   : GetItem(env, value, Value::String(env, std::string(step)));
    if (dot == path.size()) return value;
    path.remove_prefix(dot + 1);
  }
}

Value Join(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "join", args, {"d", "attribute"});
  std::string out;
  bool first = true;
  for (const Value& item : Iterate(env, value)) {
    if (!std::exchange(first, false) && bound.Has(0)) AppendText(env, bound[0], &out);
    AppendText(env, bound.Has(1) ? Member(env, item, bound[1]) : item, &out);
  }
  return Value::String(env, std::move(out));
}

Value First(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "first", args, {});
  const std::vector<Value> items = Iterate(env, value);
  return items.empty() ? Value::MakeUndefined("first element") : items.front();
}
Value Last(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "last", args, {});
  const std::vector<Value> items = Iterate(env, value);
  return items.empty() ? Value::MakeUndefined("last element") : items.back();
}
Value ListOf(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "list", args, {});
  return Value::List(env, Iterate(env, value));
}
Value StringOf(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "string", args, {});
  return Value::String(env, ToText(env, value));
}

// A number that a text spells, if it is one as a whole.
template <typename Number>
bool ParseNumber(Env& env, std::string_view text, Number* out) {
  env.ChargeRead(text.size());
  text = Strip(text, true, true);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

Value IntOf(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "int", args, {"default"});
  RequireDefined(env, value);
  int64_t whole = 0;
  double number = 0;
  if (value.IsWhole()) return Value(value.Whole());
  if (value.Is(Kind::kString)) {
    if (ParseNumber(env, value.AsString(), &whole)) return Value(whole);
    if (!ParseNumber(env, value.AsString(), &number)) return bound.Or(0, Value(int64_t{0}));
  } else if (value.Is(Kind::kFloat)) {
    number = value.AsFloat();
  } else {
    return bound.Or(0, Value(int64_t{0}));
  }
  if (!(std::fabs(number) < 9e18)) env.Refuse("{} is too large for a whole number", number);
  return Value(static_cast<int64_t>(number));
}

Value FloatOf(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "float", args, {"default"});
  RequireDefined(env, value);
  double number = 0;
  if (value.IsNumber()) return Value(value.Number());
  if (value.Is(Kind::kString) && ParseNumber(env, value.AsString(), &number)) return Value(number);
  return bound.Or(0, Value(0.0));
}

// transformers' own tojson: json.dumps without escapes for HTML or beyond ASCII.
Value ToJsonFilter(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  RequireDefined(env, value);
  JsonOptions options;
  options.ensure_ascii = bound.BoolOr(0, false);
  // What is beyond this is refused when it is written.
  constexpr int64_t kMostIndent = int64_t{1} << 40;
  options.indent = std::min(bound.IntOr(1, -1), kMostIndent);
  options.sort_keys = bound.BoolOr(3, false);
  if (options.indent >= 0) options.item_separator = ",";
  if (bound.Has(2) && !bound[2].Is(Kind::kNone)) {
    const std::vector<Value> pair = Iterate(env, bound[2]);
    if (pair.size() != 2) env.Refuse("separators of tojson are two texts");
    options.item_separator = ToText(env, pair[0]);
    options.key_separator = ToText(env, pair[1]);
  }
  return Value::String(env, ToJson(env, value, options));
}

Value Items(Env& env, const Value& value, const Args& args) {
  if (value.Is(Kind::kUndefined)) return Value::List(env, {});
  if (!value.Is(Kind::kDict)) env.Refuse("items of a {}", KindName(value));
  return CallMethod(env, value, "items", args);
}

// Strings compare in lower case unless asked otherwise.
Value SortKey(Env& env, const Value& value, bool case_sensitive) {
  if (case_sensitive || !value.Is(Kind::kString)) return value;
  return Value::String(env, ChangeCase(env, value.AsString(), false));
}

std::vector<std::pair<Value, Value>> Keyed(Env& env, size_t size) {
  std::vector<std::pair<Value, Value>> keyed;
  env.Charge(size * sizeof(keyed[0]));
  keyed.reserve(size);
  return keyed;
}

std::vector<Value> Sorted(Env& env, std::vector<std::pair<Value, Value>> keyed, bool reverse) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? Less(env, b.first, a.first) : Less(env, a.first, b.first);
  });
  std::vector<Value> out;
  out.reserve(keyed.size());
  for (auto& [key, value] : keyed) out.push_back(std::move(value));
  return out;
}

Value DictSort(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "dictsort", args, {"case_sensitive", "by", "reverse"});
  const bool by_value = bound.Has(1) && bound.String(1) == "value";
  RequireDefined(env, value);
  const Value pairs = Items(env, value, {});
  std::vector<std::pair<Value, Value>> keyed = Keyed(env, pairs.Items().size());
  for (const Value& item : pairs.Items()) {
    keyed.emplace_back(SortKey(env, item.Items()[by_value ? 1 : 0], bound.BoolOr(0, false)), item);
  }
  return Value::List(env, Sorted(env, std::move(keyed), bound.BoolOr(2, false)));
}

Value Sort(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "sort", args, {"reverse", "case_sensitive", "attribute"});
  const std::vector<Value> items = Iterate(env, value);
  std::vector<std::pair<Value, Value>> keyed = Keyed(env, items.size());
  for (const Value& item : items) {
    const Value key = bound.Has(2) ? Member(env, item, bound[2]) : item;
    keyed.emplace_back(SortKey(env, key, bound.BoolOr(1, false)), item);
  }
  return Value::List(env, Sorted(env, std::move(keyed), bound.BoolOr(0, false)));
}

Value Unique(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "unique", args, {"case_sensitive", "attribute"});
  std::vector<Value> seen;
  std::vector<Value> out;
  for (const Value& item : Iterate(env, value)) {
    const Value key =
        SortKey(env, bound.Has(1) ? Member(env, item, bound[1]) : item, bound.BoolOr(0, false));
    const bool fresh = std::none_of(seen.begin(), seen.end(),
                                    [&](const Value& other) { return Equal(env, key, other); });
    if (!fresh) continue;
    seen.push_back(key);
    out.push_back(item);
  }
  return Value::List(env, std::move(out));
}

Value Reverse(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "reverse", args, {});
  std::vector<Value> items = Iterate(env, value);
  std::reverse(items.begin(), items.end());
  if (!value.Is(Kind::kString)) return Value::List(env, std::move(items));
  std::string out;
  for (const Value& item : items) out += item.AsString();
  return Value::String(env, std::move(out));
}

Value Extreme(Env& env, const Value& value, bool largest) {
  const Value* best = nullptr;
  const std::vector<Value> items = Iterate(env, value);
  for (const Value& item : items) {
    const bool better = !best || (largest ? Less(env, *best, item) : Less(env, item, *best));
    if (better) best = &item;
  }
  return best ? *best : Value::MakeUndefined("element");
}
Value Min(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "min", args, {});
  return Extreme(env, value, false);
}
Value Max(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "max", args, {});
  return Extreme(env, value, true);
}
Value Sum(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "sum", args, {"attribute", "start"});
  Value total = bound.Or(1, Value(int64_t{0}));
  for (const Value& item : Iterate(env, value)) {
    const bool member = bound.Has(0) && !bound[0].Is(Kind::kNone);
    total = Binary(env, "+", total, member ? Member(env, item, bound[0]) : item);
  }
  return total;
}
Value Abs(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "abs", args, {});
  return Less(env, value, Value(int64_t{0})) ? Negate(env, value) : value;
}

Value Indent(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "indent", args, {"width", "first", "blank"});
  const bool given = bound.Has(0) && bound[0].Is(Kind::kString);
  const auto width = static_cast<size_t>(given ? 0 : std::max<int64_t>(bound.IntOr(0, 4), 0));
  env.Charge(width);
  const std::string indentation = given ? bound[0].AsString() : std::string(width, ' ');
  const std::string text = ToText(env, value) + "\n";
  std::string out;
  size_t begin = 0;
  // The pieces end with the line feed that was added, so the last one is whole.
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const bool indents =
        begin == 0 ? bound.BoolOr(1, false) : bound.BoolOr(2, false) || end > begin;
    if (begin > 0) env.Append("\n", &out);
    if (indents) env.Append(indentation, &out);
    env.Append(std::string_view(text).substr(begin, end - begin), &out);
  }
  return Value::String(env, std::move(out));
}

Value SafeOf(Env& env, const Value& value, const Args& args) {
  const BoundArgs bound(env, "safe", args, {});
  return Value::Safe(env, ToText(env, value));
}

// The rest of a call's positional arguments, and its named ones.
Args Rest(const Args& args, size_t skip) {
  Args rest;
  rest.positional.assign(args.positional.begin() + static_cast<ptrdiff_t>(skip),
                         args.positional.end());
  rest.named = args.named;
  return rest;
}

// map and select take None and other values that are not true for an empty list.
std::vector<Value> IterateIfTrue(Env& env, const Value& value) {
  return Truthy(value) ? Iterate(env, value) : std::vector<Value>();
}

Value Map(Env& env, const Value& value, const Args& args) {
  std::vector<Value> out;
  if (args.positional.empty()) {
    const BoundArgs bound(env, "map", args, {"attribute", "default"}, 1);
    for (const Value& item : IterateIfTrue(env, value)) {
      const Value member = Member(env, item, bound[0]);
      const bool missing = member.Is(Kind::kUndefined) && bound.Has(1);
      out.push_back(missing ? bound[1] : member);
    }
    return Value::List(env, std::move(out));
  }
  if (!args.positional[0].Is(Kind::kString)) env.Refuse("map takes the name of a filter");
  const std::string& name = args.positional[0].AsString();
  const Args rest = Rest(args, 1);
  for (const Value& item : IterateIfTrue(env, value)) {
    out.push_back(ApplyFilter(env, name, item, rest));
  }
  return Value::List(env, std::move(out));
}

// select, reject, selectattr, rejectattr: a test, by default truth.
Value Choose(Env& env, const Value& value, const Args& args, bool attribute, bool wanted) {
  const size_t skip = attribute ? 1 : 0;
  if (args.positional.size() < skip) env.Refuse("selectattr takes the name of an attribute");
  const bool has_test = args.positional.size() > skip;
  if (has_test && !args.positional[skip].Is(Kind::kString)) {
    env.Refuse("select takes the name of a test");
  }
  const Args rest = Rest(args, has_test ? skip + 1 : skip);
  std::vector<Value> out;
  for (const Value& item : IterateIfTrue(env, value)) {
    const Value tested = attribute ? Member(env, item, args.positional[0]) : item;
    const bool passes =
        has_test ? ApplyTest(env, args.positional[skip].AsString(), tested, rest) : Truthy(tested);
    if (passes == wanted) out.push_back(item);
  }
  return Value::List(env, std::move(out));
}
template <bool kAttribute, bool kWanted>
Value ChooseFilter(Env& env, const Value& value, const Args& args) {
  return Choose(env, value, args, kAttribute, kWanted);
}

constexpr std::pair<std::string_view, Filter> kFilters[] = {
    {"trim", &Trim},
    {"length", &LengthOf},
    {"count", &LengthOf},
    {"upper", &Upper},
    {"lower", &Lower},
    {"capitalize", &CapitalizeFilter},
    {"title", &Title},
    {"replace", &Replace},
    {"default", &Default},
    {"d", &Default},
    {"join", &Join},
    {"first", &First},
    {"last", &Last},
    {"list", &ListOf},
    {"string", &StringOf},
    {"int", &IntOf},
    {"float", &FloatOf},
    {"tojson", &ToJsonFilter},
    {"items", &Items},
    {"dictsort", &DictSort},
    {"sort", &Sort},
    {"unique", &Unique},
    {"reverse", &Reverse},
    {"min", &Min},
    {"max", &Max},
    {"sum", &Sum},
    {"abs", &Abs},
    {"indent", &Indent},
    {"safe", &SafeOf},
    {"map", &Map},
    {"select", &ChooseFilter<false, true>},
    {"reject", &ChooseFilter<false, false>},
    {"selectattr", &ChooseFilter<true, true>},
    {"rejectattr", &ChooseFilter<true, false>},
};

Filter FindFilter(std::string_view name) {
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

// Whether what the filter makes of a safe str is safe.
bool KeepsSafe(std::string_view name) {
  constexpr std::string_view kNames[] = {"trim",   "upper",   "lower", "capitalize",
                                         "string", "reverse", "indent"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

Value ApplyFilter(Env& env, std::string_view name, const Value& value, const Args& args) {
  env.Step();
  const Filter filter = FindFilter(name);
  if (!filter) env.Unsupported("the filter \"{}\"", name);
  Value made = filter(env, value, args);
  return value.IsSafe() && KeepsSafe(name) ? Value::Safe(env, made.AsString()) : made;
}

}  // namespace tern::jinja
