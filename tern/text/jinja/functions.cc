// SPDX-License-Identifier: MIT
// Tests (`x is defined`), functions and attributes of templates, and how arguments are bound.
#include <algorithm>
#include <array>
#include <cmath>

#include "tern/text/jinja/builtins.h"
#include "tern/text/utf8.h"

namespace tern::jinja {
namespace {

using Test = bool (*)(Env& env, const Value& value);
using Comparison = bool (*)(Env& env, const Value& value, const Value& other);

template <Kind kKind>
bool IsKind(Env&, const Value& value) {
  return value.Is(kKind);
}

int64_t WholeNumber(Env& env, const Value& value) {
  if (!value.IsWhole()) env.Refuse("a whole number is needed, not a {}", KindName(value));
  return value.Whole();
}

// Tests of a value alone.
constexpr std::pair<std::string_view, Test> kTests[] = {
    {"defined", [](Env&, const Value& v) { return !v.Is(Kind::kUndefined); }},
    {"undefined", &IsKind<Kind::kUndefined>},
    {"none", &IsKind<Kind::kNone>},
    {"string", &IsKind<Kind::kString>},
    {"boolean", &IsKind<Kind::kBool>},
    {"integer", &IsKind<Kind::kInt>},
    {"float", &IsKind<Kind::kFloat>},
    {"number", [](Env&, const Value& v) { return v.IsNumber(); }},
    {"true", [](Env&, const Value& v) { return v.Is(Kind::kBool) && v.AsBool(); }},
    {"false", [](Env&, const Value& v) { return v.Is(Kind::kBool) && !v.AsBool(); }},
    {"mapping", &IsKind<Kind::kDict>},
    // Jinja asks for a length and subscripts, which an undefined value has.
    {"sequence",
     [](Env&, const Value& v) {
       return v.IsSequence() || v.Is(Kind::kString) || v.Is(Kind::kDict) || v.Is(Kind::kUndefined);
     }},
    {"iterable",
     [](Env&, const Value& v) {
       return v.IsSequence() || v.Is(Kind::kString) || v.Is(Kind::kDict) ||
              v.Is(Kind::kUndefined) || v.Is(Kind::kLoop);
     }},
    {"callable",
     [](Env&, const Value& v) {
       return v.Is(Kind::kMacro) || v.Is(Kind::kFunction) || v.Is(Kind::kUndefined);
     }},
    {"odd", [](Env& e, const Value& v) { return WholeNumber(e, v) % 2 != 0; }},
    {"even", [](Env& e, const Value& v) { return WholeNumber(e, v) % 2 == 0; }},
    {"upper", [](Env& e, const Value& v) { return HasCase(ToText(e, v), true); }},
    {"lower", [](Env& e, const Value& v) { return HasCase(ToText(e, v), false); }},
};

// Tests of a value and an argument.
constexpr std::pair<std::string_view, Comparison> kComparisons[] = {
    {"eq", [](Env& e, const Value& v, const Value& o) { return Equal(e, v, o); }},
    {"==", [](Env& e, const Value& v, const Value& o) { return Equal(e, v, o); }},
    {"!=", [](Env& e, const Value& v, const Value& o) { return !Equal(e, v, o); }},
    {"<", [](Env& e, const Value& v, const Value& o) { return Less(e, v, o); }},
    {">", [](Env& e, const Value& v, const Value& o) { return Less(e, o, v); }},
    {"<=", [](Env& e, const Value& v, const Value& o) { return !Less(e, o, v); }},
    {">=", [](Env& e, const Value& v, const Value& o) { return !Less(e, v, o); }},
    {"equalto", [](Env& e, const Value& v, const Value& o) { return Equal(e, v, o); }},
    {"ne", [](Env& e, const Value& v, const Value& o) { return !Equal(e, v, o); }},
    {"lt", [](Env& e, const Value& v, const Value& o) { return Less(e, v, o); }},
    {"lessthan", [](Env& e, const Value& v, const Value& o) { return Less(e, v, o); }},
    {"gt", [](Env& e, const Value& v, const Value& o) { return Less(e, o, v); }},
    {"greaterthan", [](Env& e, const Value& v, const Value& o) { return Less(e, o, v); }},
    {"le", [](Env& e, const Value& v, const Value& o) { return !Less(e, o, v); }},
    {"ge", [](Env& e, const Value& v, const Value& o) { return !Less(e, v, o); }},
    {"in", [](Env& e, const Value& v, const Value& o) { return Contains(e, o, v); }},
    {"divisibleby",
     [](Env& e, const Value& v, const Value& o) {
       const int64_t by = WholeNumber(e, o);
       if (by == 0) e.Refuse("a division by zero");
       return by == -1 || WholeNumber(e, v) % by == 0;
     }},
};

template <typename Run, size_t kSize>
Run FindIn(const std::pair<std::string_view, Run> (&table)[kSize], std::string_view name) {
  for (const auto& [known, run] : table) {
    if (known == name) return run;
  }
  return nullptr;
}

Value RangeOf(Env& env, const Args& args) {
  const BoundArgs bound(env, "range", args, {"start", "stop", "step"}, 1);
  const int64_t start = bound.Has(1) ? bound.Int(0) : 0;
  const int64_t stop = bound.Has(1) ? bound.Int(1) : bound.Int(0);
  const int64_t step = bound.IntOr(2, 1);
  if (step == 0) env.Refuse("a range whose step is 0");
  std::vector<Value> out;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    env.ChargeGrowth(out.size() * sizeof(Value), sizeof(Value));
    out.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return Value::List(env, std::move(out));
}

Value NamespaceOf(Env& env, const Args& args) {
  if (!args.positional.empty()) env.Unsupported("namespace() of a dict");
  auto space = std::make_shared<Namespace>();
  for (const auto& [name, value] : args.named) {
    if (!value.IsPlain()) env.Unsupported("a {} within a namespace", KindName(value));
    space->members.emplace_back(name, value);
  }
  env.Charge(args.named.size() * sizeof(Value));
  return Value(std::move(space));
}

Value DictOf(Env& env, const Args& args) {
  if (!args.positional.empty()) env.Unsupported("dict() of a value");
  std::vector<std::pair<Value, Value>> items;
  for (const auto& [name, value] : args.named) {
    items.emplace_back(Value::String(env, name), value);
  }
  return Value::MakeDict(env, std::move(items));
}

Value RaiseException(Env& env, const Args& args) {
  const BoundArgs bound(env, "raise_exception", args, {"message"}, 1);
  env.Refuse("the template refuses this conversation: {}", ToText(env, bound[0]));
}

Value FormatTime(Env& env, const Args& args) {
  const BoundArgs bound(env, "strftime_now", args, {"format"}, 1);
  const std::string& format = bound.String(0);
  // Those that C and Python agree about; a zone is none of Python's time without one.
  static constexpr std::string_view kDirectives = "aAbBcdHIjmMpSUwWxXyY%eFTDR";
  for (size_t at = 0; (at = format.find('%', at)) != std::string::npos; at += 2) {
    if (at + 1 >= format.size() || kDirectives.find(format[at + 1]) == std::string_view::npos) {
      env.Unsupported("the time format \"{}\"", OneLine(format, 80));
    }
  }
  constexpr size_t kMostBytes = 4096;
  if (format.size() > kMostBytes / 32 || format.find('\0') != std::string::npos) {
    env.Unsupported("the time format \"{}\"", OneLine(format, 80));
  }
  std::array<char, kMostBytes> out{};
  const size_t size = std::strftime(out.data(), out.size(), format.c_str(), &env.now);
  return Value::String(env, std::string(out.data(), size));
}

using Function = Value (*)(Env& env, const Args& args);
constexpr std::pair<std::string_view, Function> kFunctions[] = {
    {"range", &RangeOf},
    {"namespace", &NamespaceOf},
    {"dict", &DictOf},
    {"raise_exception", &RaiseException},
    {"strftime_now", &FormatTime},
    {"lipsum", nullptr},
    {"cycler", nullptr},
    {"joiner", nullptr},
};

Value LoopAttribute(Env& env, const Loop& loop, std::string_view name) {
  const auto index = static_cast<int64_t>(loop.index);
  const auto length = static_cast<int64_t>(loop.items.size());
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(length - index);
  if (name == "revindex0") return Value(length - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 == length);
  if (name == "length") return Value(length);
  // Recursive loops, which the subset lacks, alone go deeper.
  if (name == "depth") return Value(int64_t{1});
  if (name == "depth0") return Value(int64_t{0});
  if (name == "previtem") {
    return index > 0 ? loop.items[loop.index - 1] : Value::MakeUndefined("loop.previtem");
  }
  if (name == "nextitem") {
    return index + 1 < length ? loop.items[loop.index + 1] : Value::MakeUndefined("loop.nextitem");
  }
  env.Unsupported("\"loop.{}\"", name);
}

}  // namespace

BoundArgs::BoundArgs(Env& env, std::string_view callee, const Args& args,
                     std::initializer_list<std::string_view> parameters, size_t required)
    : env_(env), callee_(callee), values_(parameters.size(), nullptr) {
  if (args.positional.size() > parameters.size()) {
    env.Refuse("{} takes {} arguments at most", callee, parameters.size());
  }
  for (size_t i = 0; i < args.positional.size(); ++i) values_[i] = &args.positional[i];
  for (const auto& [name, value] : args.named) {
    const auto* at = std::find(parameters.begin(), parameters.end(), name);
    if (at == parameters.end()) env.Unsupported("the argument \"{}\" of {}", name, callee);
    const Value*& slot = values_[static_cast<size_t>(at - parameters.begin())];
    if (slot) env.Refuse("{} got the argument \"{}\" twice", callee, name);
    slot = &value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!values_[i]) env.Refuse("{} needs the argument \"{}\"", callee, *(parameters.begin() + i));
  }
}

const std::string& BoundArgs::String(size_t index) const {
  if (!values_[index]->Is(Kind::kString)) {
    env_.Refuse("{} takes a str, not a {}", callee_, KindName(*values_[index]));
  }
  return values_[index]->AsString();
}

int64_t BoundArgs::Int(size_t index) const {
  const Value& value = *values_[index];
  if (!value.IsWhole()) {
    env_.Refuse("{} takes a whole number, not a {}", callee_, KindName(value));
  }
  return value.Whole();
}

bool ApplyTest(Env& env, std::string_view name, const Value& value, const Args& args) {
  env.Step();
  const Test test = FindIn(kTests, name);
  const Comparison comparison = FindIn(kComparisons, name);
  if (!test && !comparison) env.Unsupported("the test \"{}\"", name);
  const size_t count = args.positional.size() + args.named.size();
  if (count != (test ? 0 : 1) || !args.named.empty()) {
    env.Refuse("the test \"{}\" takes {}", name, test ? "no argument" : "one argument");
  }
  return test ? test(env, value) : comparison(env, value, args.positional[0]);
}

Value FindFunction(std::string_view name) {
  for (const auto& [known, function] : kFunctions) {
    if (known == name) return Value(Value::Function{known});
  }
  return Value::MakeUndefined(name);
}

Value CallFunction(Env& env, std::string_view name, const Args& args) {
  for (const auto& [known, function] : kFunctions) {
    if (known == name && function) return function(env, args);
  }
  env.Unsupported("the function \"{}\"", name);
}

Value GetAttribute(Env& env, const Value& value, std::string_view name) {
  switch (value.kind()) {
    case Kind::kUndefined:
      env.Refuse("'{}' is undefined", value.UndefinedName());
    case Kind::kDict:
      if (HasMethod(value, name)) env.Unsupported("the method \"{}\" without a call", name);
      if (const Value* found = value.AsDict().Find(env, name)) return *found;
      break;
    case Kind::kNamespace:
      for (const auto& [member, content] : value.AsNamespace().members) {
        env.Step();
        if (member == name) return content;
      }
      break;
    case Kind::kLoop:
      return LoopAttribute(env, value.AsLoop(), name);
    case Kind::kMacro:
    case Kind::kFunction:
      env.Unsupported("\"{}\" of a {}", name, KindName(value));
    default:
      if (HasMethod(value, name)) env.Unsupported("the method \"{}\" without a call", name);
      break;
  }
  return Value::MakeUndefined(name);
}

}  // namespace tern::jinja
