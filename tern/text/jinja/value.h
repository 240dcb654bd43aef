// SPDX-License-Identifier: MIT
// The values of a template, with Python's meaning: what is equal, true, printed, indexed. Lists and
// dicts are immutable, as in the sandbox that transformers renders chat templates in; a namespace
// alone can change. Lists, dicts and namespaces hold plain data only, so that values form trees.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tern/text/jinja/env.h"

namespace tern::jinja {

// In the order of Value's alternatives.
enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kNamespace,
  kMacro,
  kFunction,
  kLoop,
};

class Value;
struct Statement;

struct Text {
  std::string text;
  bool safe = false;  // markupsafe's Markup: what is added to it is escaped for HTML
};

struct Sequence {
  std::vector<Value> items;
  int depth = 1;
};
struct Dict {
  const Value* Find(Env& env, const Value& key) const;
  const Value* Find(Env& env, std::string_view key) const;

  std::vector<std::pair<Value, Value>> items;  // in order of insertion
  int depth = 1;
};
struct Namespace {
  std::vector<std::pair<std::string, Value>> members;
};
struct Loop;

class Value {
 public:
  struct None {};
  struct Undefined {
    std::shared_ptr<const std::string> name;  // for messages
  };
  struct Function {
    std::string_view name;  // of a table that lives forever
  };
  using StringPtr = std::shared_ptr<const Text>;
  // A list and a tuple differ in type alone.
  struct ListPtr {
    std::shared_ptr<const Sequence> sequence;
  };
  struct TuplePtr {
    std::shared_ptr<const Sequence> sequence;
  };
  using DictPtr = std::shared_ptr<const Dict>;

  Value() = default;
  explicit Value(bool value) : data_(value) {}
  explicit Value(int64_t value) : data_(value) {}
  explicit Value(double value) : data_(value) {}
  explicit Value(Function function) : data_(function) {}
  explicit Value(std::shared_ptr<Namespace> space) : data_(std::move(space)) {}
  explicit Value(const Statement* macro) : data_(macro) {}
  explicit Value(std::shared_ptr<Loop> loop) : data_(std::move(loop)) {}
  static Value MakeNone() { return Value(Data(None{})); }
  static Value MakeUndefined(std::string_view name);
  // Charged to env, which refuses what is too large, too deep or no plain data.
  static Value String(Env& env, std::string text) { return MakeText(env, std::move(text), false); }
  static Value Safe(Env& env, std::string text) { return MakeText(env, std::move(text), true); }
  // A str that is safe if this one is.
  Value Like(Env& env, std::string text) const { return MakeText(env, std::move(text), IsSafe()); }
  static Value List(Env& env, std::vector<Value> items);
  static Value Tuple(Env& env, std::vector<Value> items);
  static Value MakeDict(Env& env, std::vector<std::pair<Value, Value>> items);

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool Is(Kind kind) const { return this->kind() == kind; }
  bool IsSequence() const { return Is(Kind::kList) || Is(Kind::kTuple); }
  bool IsNumber() const { return Is(Kind::kBool) || Is(Kind::kInt) || Is(Kind::kFloat); }
  bool IsPlain() const { return kind() <= Kind::kDict; }

  bool AsBool() const { return std::get<bool>(data_); }
  int64_t AsInt() const { return std::get<int64_t>(data_); }
  double AsFloat() const { return std::get<double>(data_); }
  // Of a bool or int, and of any number.
  bool IsWhole() const { return Is(Kind::kBool) || Is(Kind::kInt); }
  int64_t Whole() const { return Is(Kind::kBool) ? int64_t{AsBool()} : AsInt(); }
  double Number() const { return IsWhole() ? static_cast<double>(Whole()) : AsFloat(); }
  const std::string& AsString() const { return std::get<StringPtr>(data_)->text; }
  bool IsSafe() const { return Is(Kind::kString) && std::get<StringPtr>(data_)->safe; }
  const std::vector<Value>& Items() const { return Elements().items; }
  const Dict& AsDict() const { return *std::get<DictPtr>(data_); }
  Namespace& AsNamespace() const { return *std::get<std::shared_ptr<Namespace>>(data_); }
  const Statement* AsMacro() const { return std::get<const Statement*>(data_); }
  std::string_view AsFunction() const { return std::get<Function>(data_).name; }
  Loop& AsLoop() const { return *std::get<std::shared_ptr<Loop>>(data_); }
  std::string_view UndefinedName() const;

  // Of nested lists and dicts; 0 for what holds nothing.
  int depth() const;

 private:
  using Data =
      std::variant<Undefined, None, bool, int64_t, double, StringPtr, ListPtr, TuplePtr, DictPtr,
                   std::shared_ptr<Namespace>, const Statement*, Function, std::shared_ptr<Loop>>;
  explicit Value(Data data) : data_(std::move(data)) {}
  static Value MakeText(Env& env, std::string text, bool safe);
  const Sequence& Elements() const {
    return Is(Kind::kList) ? *std::get<ListPtr>(data_).sequence
                           : *std::get<TuplePtr>(data_).sequence;
  }
  static std::shared_ptr<const Sequence> MakeSequence(Env& env, std::vector<Value> items);

  Data data_;
};

// What `loop` is within a for.
struct Loop {
  std::vector<Value> items;
  size_t index = 0;
  Value changed;  // what loop.changed saw last
  bool has_changed = false;
};

// "str", "list", ... for messages.
const char* KindName(const Value& value);

Value FromJson(Env& env, const nlohmann::ordered_json& json);

void RequireDefined(Env& env, const Value& value);
bool Truthy(const Value& value);
bool Equal(Env& env, const Value& a, const Value& b);
// a < b; refuses what Python does not order.
bool Less(Env& env, const Value& a, const Value& b);
bool Contains(Env& env, const Value& container, const Value& item);
// Characters, elements or keys.
int64_t Length(Env& env, const Value& value);
// What a for goes over: characters, elements, keys; refuses numbers, None and the like.
std::vector<Value> Iterate(Env& env, const Value& value);

// str(value) and repr(value).
std::string ToText(Env& env, const Value& value);
void AppendText(Env& env, const Value& value, std::string* out);

struct JsonOptions {
  bool ensure_ascii = false;
  int64_t indent = -1;  // -1: on one line
  bool sort_keys = false;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
// json.dumps.
std::string ToJson(Env& env, const Value& value, const JsonOptions& options);

// value[key] and value[start:stop:step]; undefined where Jinja says so.
Value GetItem(Env& env, const Value& value, const Value& key);
Value GetSlice(Env& env, const Value& value, const Value& start, const Value& stop,
               const Value& step);

// + - * / // % ** and ~
Value Binary(Env& env, std::string_view op, const Value& a, const Value& b);
Value Negate(Env& env, const Value& value);

// Python's str.isspace of a character.
bool IsPythonSpace(char32_t c) noexcept;
// Without white space, or without the characters of `chars`, on either side.
std::string_view Strip(std::string_view text, bool left, bool right);
// Where each character of valid UTF-8 begins, and the end.
std::vector<uint32_t> CharacterOffsets(Env& env, std::string_view text);

}  // namespace tern::jinja
