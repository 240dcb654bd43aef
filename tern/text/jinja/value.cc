// SPDX-License-Identifier: MIT
#include "tern/text/jinja/value.h"

#include <algorithm>
#include <cmath>

#include "tern/text/utf8.h"

namespace tern::jinja {
namespace {

int DepthOf(Env& env, int deepest) {
  if (deepest >= kMaxValueDepth) {
    env.Refuse("nests lists and dicts deeper than {}", kMaxValueDepth);
  }
  return deepest + 1;
}

void RequirePlain(Env& env, const Value& value) {
  if (!value.IsPlain()) env.Unsupported("a {} within a list, dict or namespace", KindName(value));
}

bool BeginsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

size_t CountCharacters(Env& env, std::string_view text) {
  env.ChargeRead(text.size() / 8);
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), &BeginsCharacter));
}

}  // namespace

void Env::Throw(ErrorKind kind, const std::string& text) const {
  Fail(kind, "{}: line {}: {}", name_, line, OneLine(text, 600));
}

const Value* Dict::Find(Env& env, const Value& key) const {
  if (key.Is(Kind::kString)) return Find(env, key.AsString());
  env.ChargeRead(items.size());
  for (const auto& [name, value] : items) {
    if (key.IsWhole() ? name.IsWhole() && name.Whole() == key.Whole()
                      : key.Is(Kind::kNone) && name.Is(Kind::kNone)) {
      return &value;
    }
  }
  return nullptr;
}

const Value* Dict::Find(Env& env, std::string_view key) const {
  env.ChargeRead(items.size());
  for (const auto& [name, value] : items) {
    if (!name.Is(Kind::kString) || name.AsString().size() != key.size()) continue;
    env.ChargeRead(key.size() / 8);
    if (name.AsString() == key) return &value;
  }
  return nullptr;
}

Value Value::MakeUndefined(std::string_view name) {
  constexpr size_t kMostShown = 80;
  return Value(Data(Undefined{std::make_shared<const std::string>(OneLine(name, kMostShown))}));
}

Value Value::MakeText(Env& env, std::string text, bool safe) {
  env.Charge(text.size());
  return Value(Data(std::make_shared<const Text>(Text{std::move(text), safe})));
}

std::shared_ptr<const Sequence> Value::MakeSequence(Env& env, std::vector<Value> items) {
  env.Charge(items.size() * sizeof(Value));
  int deepest = 0;
  for (const Value& item : items) {
    RequirePlain(env, item);
    deepest = std::max(deepest, item.depth());
  }
  return std::make_shared<const Sequence>(Sequence{std::move(items), DepthOf(env, deepest)});
}

Value Value::List(Env& env, std::vector<Value> items) {
  return Value(Data(ListPtr{MakeSequence(env, std::move(items))}));
}

Value Value::Tuple(Env& env, std::vector<Value> items) {
  return Value(Data(TuplePtr{MakeSequence(env, std::move(items))}));
}

Value Value::MakeDict(Env& env, std::vector<std::pair<Value, Value>> items) {
  env.Charge(items.size() * 2 * sizeof(Value));
  int deepest = 0;
  for (const auto& [key, value] : items) {
    if (!key.Is(Kind::kString) && !key.IsWhole() && !key.Is(Kind::kNone)) {
      env.Unsupported("a {} as the key of a dict", KindName(key));
    }
    RequirePlain(env, value);
    deepest = std::max(deepest, value.depth());
  }
  return Value(Data(std::make_shared<const Dict>(Dict{std::move(items), DepthOf(env, deepest)})));
}

std::string_view Value::UndefinedName() const {
  const auto& name = std::get<Undefined>(data_).name;
  return name ? std::string_view(*name) : "value";
}

int Value::depth() const {
  if (IsSequence()) return Elements().depth;
  return Is(Kind::kDict) ? AsDict().depth : 0;
}

const char* KindName(const Value& value) {
  constexpr const char* kNames[] = {
      "undefined value", "None", "bool",      "int",   "float",    "str", "list",
      "tuple",           "dict", "namespace", "macro", "function", "loop"};
  return kNames[static_cast<int>(value.kind())];
}

Value FromJson(Env& env, const nlohmann::ordered_json& json) {
  switch (json.type()) {
    case nlohmann::json::value_t::boolean:
      return Value(json.get<bool>());
    case nlohmann::json::value_t::number_integer:
      return Value(json.get<int64_t>());
    case nlohmann::json::value_t::number_unsigned:
      if (json.get<uint64_t>() > INT64_MAX) env.Refuse("the number {} is too large", json.dump());
      return Value(json.get<int64_t>());
    case nlohmann::json::value_t::number_float:
      return Value(json.get<double>());
    case nlohmann::json::value_t::string: {
      const auto& text = json.get_ref<const std::string&>();
      CheckUtf8(text, "a value given to the chat template");
      return Value::String(env, text);
    }
    case nlohmann::json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const auto& item : json) items.push_back(FromJson(env, item));
      return Value::List(env, std::move(items));
    }
    case nlohmann::json::value_t::object: {
      std::vector<std::pair<Value, Value>> items;
      items.reserve(json.size());
      for (const auto& [key, item] : json.items()) {
        CheckUtf8(key, "a key given to the chat template");
        items.emplace_back(Value::String(env, key), FromJson(env, item));
      }
      return Value::MakeDict(env, std::move(items));
    }
    default:
      return Value::MakeNone();
  }
}

void RequireDefined(Env& env, const Value& value) {
  if (value.Is(Kind::kUndefined)) env.Refuse("'{}' is undefined", value.UndefinedName());
}

bool Truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.AsBool();
    case Kind::kInt:
      return value.AsInt() != 0;
    case Kind::kFloat:
      return value.AsFloat() != 0;
    case Kind::kString:
      return !value.AsString().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !value.Items().empty();
    case Kind::kDict:
      return !value.AsDict().items.empty();
    default:
      return true;
  }
}

bool Equal(Env& env, const Value& a, const Value& b) {
  env.Step();
  if (a.IsNumber() && b.IsNumber()) {
    return a.IsWhole() && b.IsWhole() ? a.Whole() == b.Whole() : a.Number() == b.Number();
  }
  if (a.kind() != b.kind()) return false;
  if (a.Is(Kind::kString)) {
    env.ChargeRead(std::min(a.AsString().size(), b.AsString().size()) / 8);
    return a.AsString() == b.AsString();
  }
  if (a.IsSequence()) {
    const auto& x = a.Items();
    const auto& y = b.Items();
    return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                      [&](const Value& i, const Value& j) { return Equal(env, i, j); });
  }
  if (a.Is(Kind::kDict)) {
    if (a.AsDict().items.size() != b.AsDict().items.size()) return false;
    for (const auto& [key, value] : a.AsDict().items) {
      const Value* other = b.AsDict().Find(env, key);
      if (!other || !Equal(env, value, *other)) return false;
    }
    return true;
  }
  if (a.Is(Kind::kUndefined) || a.Is(Kind::kNone)) return true;
  env.Unsupported("comparing a {}", KindName(a));
}

bool Less(Env& env, const Value& a, const Value& b) {
  env.Step();
  if (a.IsNumber() && b.IsNumber()) {
    return a.IsWhole() && b.IsWhole() ? a.Whole() < b.Whole() : a.Number() < b.Number();
  }
  // Bytes of UTF-8 are ordered as the characters are.
  if (a.Is(Kind::kString) && b.Is(Kind::kString)) {
    env.ChargeRead(std::min(a.AsString().size(), b.AsString().size()) / 8);
    return a.AsString() < b.AsString();
  }
  if (a.IsSequence() && a.kind() == b.kind()) {
    const auto& x = a.Items();
    const auto& y = b.Items();
    for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (!Equal(env, x[i], y[i])) return Less(env, x[i], y[i]);
    }
    return x.size() < y.size();
  }
  env.Refuse("{} and {} have no order", KindName(a), KindName(b));
}

bool Contains(Env& env, const Value& container, const Value& item) {
  if (container.Is(Kind::kString)) {
    if (!item.Is(Kind::kString)) env.Refuse("looks for a {} within a str", KindName(item));
    env.ChargeSearch(container.AsString().size(), item.AsString().size());
    return container.AsString().find(item.AsString()) != std::string::npos;
  }
  if (container.Is(Kind::kDict)) {
    return container.AsDict().Find(env, item) != nullptr;
  }
  for (const Value& element : Iterate(env, container)) {
    if (Equal(env, element, item)) return true;
  }
  return false;
}

std::vector<uint32_t> CharacterOffsets(Env& env, std::string_view text) {
  if (text.size() > UINT32_MAX) env.Refuse("a str of {} bytes is too long", text.size());
  const size_t count = CountCharacters(env, text);
  env.Charge((count + 1) * sizeof(uint32_t));
  std::vector<uint32_t> offsets;
  offsets.reserve(count + 1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (BeginsCharacter(text[i])) offsets.push_back(static_cast<uint32_t>(i));
  }
  offsets.push_back(static_cast<uint32_t>(text.size()));
  return offsets;
}

int64_t Length(Env& env, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return static_cast<int64_t>(CountCharacters(env, value.AsString()));
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(value.Items().size());
    case Kind::kDict:
      return static_cast<int64_t>(value.AsDict().items.size());
    default:
      env.Refuse("a {} has no length", KindName(value));
  }
}

std::vector<Value> Iterate(Env& env, const Value& value) {
  std::vector<Value> out;
  switch (value.kind()) {
    case Kind::kUndefined:
      return out;
    case Kind::kList:
    case Kind::kTuple:
      env.Charge(value.Items().size() * sizeof(Value));
      return value.Items();
    case Kind::kDict:
      env.Charge(value.AsDict().items.size() * sizeof(Value));
      for (const auto& [key, item] : value.AsDict().items) out.push_back(key);
      return out;
    case Kind::kString: {
      const std::vector<uint32_t> offsets = CharacterOffsets(env, value.AsString());
      env.Charge((offsets.size() - 1) * sizeof(Value));
      out.reserve(offsets.size() - 1);
      for (size_t i = 0; i + 1 < offsets.size(); ++i) {
        out.push_back(
            Value::String(env, value.AsString().substr(offsets[i], offsets[i + 1] - offsets[i])));
      }
      return out;
    }
    default:
      env.Refuse("a {} cannot be gone through", KindName(value));
  }
}

bool IsPythonSpace(char32_t c) noexcept { return IsWhiteSpace(c) || (c >= 0x1C && c <= 0x1F); }

std::string_view Strip(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    const Utf8Char first = FirstUtf8(text);
    if (!IsPythonSpace(first.code_point)) break;
    text.remove_prefix(first.size_bytes);
  }
  while (right && !text.empty()) {
    const Utf8Char last = LastUtf8(text);
    if (!IsPythonSpace(last.code_point)) break;
    text.remove_suffix(last.size_bytes);
  }
  return text;
}

}  // namespace tern::jinja
