// SPDX-License-Identifier: MIT
// Indexing, slicing and arithmetic of values.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tern/text/jinja/value.h"

namespace tern::jinja {
namespace {

// start, stop and step of a slice of `length` elements, as Python's slice.indices.
struct Range {
  int64_t start;
  int64_t stop;
  int64_t step;
};

Range SliceRange(Env& env, const Value& start, const Value& stop, const Value& step,
                 int64_t length) {
  const auto given = [](const Value& value) {
    return !value.Is(Kind::kNone) && !value.Is(Kind::kUndefined);
  };
  for (const Value* value : {&start, &stop, &step}) {
    if (given(*value) && !value->IsWhole()) {
      env.Refuse("a slice takes whole numbers, not a {}", KindName(*value));
    }
  }
  Range range{0, length, 1};
  if (given(step)) range.step = step.Whole();
  if (range.step == 0) env.Refuse("a slice whose step is 0");
  if (range.step == std::numeric_limits<int64_t>::min()) ++range.step;
  const bool back = range.step < 0;
  const int64_t low = back ? -1 : 0;
  const int64_t high = back ? length - 1 : length;
  const auto clamp = [&](int64_t at) {
    return at < 0 ? std::max(at + length, low) : std::min(at, high);
  };
  range.start = given(start) ? clamp(start.Whole()) : (back ? high : low);
  range.stop = given(stop) ? clamp(stop.Whole()) : (back ? low : high);
  return range;
}

// `visit` with each index of a range.
template <typename Visit>
void ForEachIn(Env& env, const Range& range, Visit visit) {
  for (int64_t i = range.start; range.step > 0 ? i < range.stop : i > range.stop;) {
    env.ChargeRead(sizeof(int64_t));
    visit(static_cast<size_t>(i));
    // The ends lie within the length, so one step beyond them at most is taken.
    if (__builtin_add_overflow(i, range.step, &i)) break;
  }
}

[[noreturn]] void Overflows(Env& env, std::string_view op) {
  env.Refuse("the result of \"{}\" is too large a number", op);
}

Value WholeArithmetic(Env& env, std::string_view op, int64_t a, int64_t b) {
  int64_t out = 0;
  if (op == "+") {
    if (__builtin_add_overflow(a, b, &out)) Overflows(env, op);
  } else if (op == "-") {
    if (__builtin_sub_overflow(a, b, &out)) Overflows(env, op);
  } else if (op == "*") {
    if (__builtin_mul_overflow(a, b, &out)) Overflows(env, op);
  } else if (op == "**") {
    if (b < 0) return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
    out = 1;
    if (a == 0 || a == 1 || b == 0) return Value(int64_t{b == 0 || a == 1});
    if (a == -1) return Value(int64_t{b % 2 == 0 ? 1 : -1});
    for (int64_t i = 0; i < b; ++i) {
      if (__builtin_mul_overflow(out, a, &out)) Overflows(env, op);
    }
  } else {
    if (b == 0) env.Refuse("a division by zero");
    if (op == "/") return Value(static_cast<double>(a) / static_cast<double>(b));
    if (b == -1) return WholeArithmetic(env, "-", 0, op == "//" ? a : 0);
    const int64_t remainder = a % b;
    const bool correct = remainder != 0 && (remainder < 0) != (b < 0);
    if (op == "//") return Value(a / b - (correct ? 1 : 0));
    return Value(remainder + (correct ? b : 0));
  }
  return Value(out);
}

Value FloatArithmetic(Env& env, std::string_view op, double a, double b) {
  if (op == "+") return Value(a + b);
  if (op == "-") return Value(a - b);
  if (op == "*") return Value(a * b);
  if (op == "**") return Value(std::pow(a, b));
  if (b == 0) env.Refuse("a division by zero");
  if (op == "/") return Value(a / b);
  // As CPython: what b goes into without remainder is divided, for a / b may round up to the next
  // whole number.
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  } else if ((remainder < 0) != (b < 0)) {
    remainder += b;
    quotient -= 1;
  }
  if (op == "%") return Value(remainder);
  if (quotient == 0) return Value(std::copysign(0.0, a / b));
  const double below = std::floor(quotient);
  return Value(quotient - below > 0.5 ? below + 1 : below);
}

// Text for HTML, as markupsafe's escape.
std::string Escaped(Env& env, const Value& value) {
  if (value.IsSafe()) return value.AsString();
  std::string out;
  for (const char& c : value.AsString()) {
    env.Append(c == '&'    ? "&amp;"
               : c == '<'  ? "&lt;"
               : c == '>'  ? "&gt;"
               : c == '"'  ? "&#34;"
               : c == '\'' ? "&#39;"
                           : std::string_view(&c, 1),
               &out);
  }
  return out;
}

// A string or list, `count` times.
Value Repeat(Env& env, const Value& value, int64_t count) {
  const auto times = static_cast<size_t>(std::max<int64_t>(count, 0));
  const bool text = value.Is(Kind::kString);
  const size_t unit = text ? value.AsString().size() : value.Items().size() * sizeof(Value);
  if (unit == 0 || times == 0) {
    return text ? value.Like(env, "") : Value::List(env, {});
  }
  if (times > std::numeric_limits<size_t>::max() / unit) Overflows(env, "*");
  env.Charge(unit * times);
  if (text) {
    std::string out;
    out.reserve(unit * times);
    for (size_t i = 0; i < times; ++i) out += value.AsString();
    return value.Like(env, std::move(out));
  }
  std::vector<Value> out;
  out.reserve(value.Items().size() * times);
  for (size_t i = 0; i < times; ++i) {
    out.insert(out.end(), value.Items().begin(), value.Items().end());
  }
  return Value::List(env, std::move(out));
}

Value Join(Env& env, const Value& a, const Value& b) {
  env.Charge((a.Items().size() + b.Items().size()) * sizeof(Value));
  std::vector<Value> out = a.Items();
  out.insert(out.end(), b.Items().begin(), b.Items().end());
  return a.Is(Kind::kList) ? Value::List(env, std::move(out)) : Value::Tuple(env, std::move(out));
}

}  // namespace

Value GetItem(Env& env, const Value& value, const Value& key) {
  RequireDefined(env, value);
  if (value.Is(Kind::kDict)) {
    if (const Value* found = value.AsDict().Find(env, key)) return *found;
  } else if (key.IsWhole() && (value.IsSequence() || value.Is(Kind::kString))) {
    const int64_t length = Length(env, value);
    const int64_t at = key.Whole() < 0 ? key.Whole() + length : key.Whole();
    if (at >= 0 && at < length) {
      if (value.IsSequence()) return value.Items()[static_cast<size_t>(at)];
      const std::vector<uint32_t> offsets = CharacterOffsets(env, value.AsString());
      const size_t begin = offsets[static_cast<size_t>(at)];
      return value.Like(
          env, value.AsString().substr(begin, offsets[static_cast<size_t>(at) + 1] - begin));
    }
  } else if (!value.IsPlain()) {
    env.Unsupported("a subscript of a {}", KindName(value));
  }
  return Value::MakeUndefined(key.Is(Kind::kString) ? key.AsString() : "element");
}

Value GetSlice(Env& env, const Value& value, const Value& start, const Value& stop,
               const Value& step) {
  RequireDefined(env, value);
  if (value.Is(Kind::kString)) {
    const std::vector<uint32_t> offsets = CharacterOffsets(env, value.AsString());
    const auto length = static_cast<int64_t>(offsets.size()) - 1;
    std::string out;
    ForEachIn(env, SliceRange(env, start, stop, step, length), [&](size_t i) {
      out.append(value.AsString(), offsets[i], offsets[i + 1] - offsets[i]);
    });
    return value.Like(env, std::move(out));
  }
  if (!value.IsSequence()) env.Refuse("a {} has no slices", KindName(value));
  std::vector<Value> out;
  const auto length = static_cast<int64_t>(value.Items().size());
  ForEachIn(env, SliceRange(env, start, stop, step, length),
            [&](size_t i) { out.push_back(value.Items()[i]); });
  return value.Is(Kind::kList) ? Value::List(env, std::move(out))
                               : Value::Tuple(env, std::move(out));
}

Value Binary(Env& env, std::string_view op, const Value& a, const Value& b) {
  if (op == "~") {
    std::string out = ToText(env, a);
    AppendText(env, b, &out);
    return Value::String(env, std::move(out));
  }
  RequireDefined(env, a);
  RequireDefined(env, b);
  if (a.IsNumber() && b.IsNumber()) {
    return a.IsWhole() && b.IsWhole() ? WholeArithmetic(env, op, a.Whole(), b.Whole())
                                      : FloatArithmetic(env, op, a.Number(), b.Number());
  }
  if (op == "+" && a.Is(Kind::kString) && b.Is(Kind::kString)) {
    if (a.IsSafe() || b.IsSafe()) return Value::Safe(env, Escaped(env, a) + Escaped(env, b));
    return Value::String(env, a.AsString() + b.AsString());
  }
  if (op == "+" && a.IsSequence() && a.kind() == b.kind()) return Join(env, a, b);
  if (op == "*") {
    const bool a_repeats = a.Is(Kind::kString) || a.Is(Kind::kList);
    const bool b_repeats = b.Is(Kind::kString) || b.Is(Kind::kList);
    if (a_repeats && b.IsWhole()) return Repeat(env, a, b.Whole());
    if (b_repeats && a.IsWhole()) return Repeat(env, b, a.Whole());
  }
  if (op == "%" && a.Is(Kind::kString)) env.Unsupported("formatting a str with %");
  env.Refuse("\"{}\" of {} and {}", op, KindName(a), KindName(b));
}

Value Negate(Env& env, const Value& value) {
  if (value.IsWhole()) return WholeArithmetic(env, "-", 0, value.Whole());
  if (value.Is(Kind::kFloat)) return Value(-value.AsFloat());
  RequireDefined(env, value);
  env.Refuse("\"-\" of a {}", KindName(value));
}

}  // namespace tern::jinja
