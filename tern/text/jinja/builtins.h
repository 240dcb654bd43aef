// SPDX-License-Identifier: MIT
// What templates find there: filters, tests, functions, and methods of str, dict and list. Each
// list is a table in its source; what is not in one is an Error that names it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tern/text/jinja/value.h"

namespace tern::jinja {

struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// A call's arguments by the names of its parameters; refuses what has no parameter, and a missing
// one of the first `required`.
class BoundArgs {
 public:
  BoundArgs(Env& env, std::string_view callee, const Args& args,
            std::initializer_list<std::string_view> parameters, size_t required = 0);

  bool Has(size_t index) const { return values_[index] != nullptr; }
  const Value& operator[](size_t index) const { return *values_[index]; }
  const Value& Or(size_t index, const Value& otherwise) const {
    return Has(index) ? *values_[index] : otherwise;
  }
  // As a type; refuses another one.
  const std::string& String(size_t index) const;
  int64_t Int(size_t index) const;
  int64_t IntOr(size_t index, int64_t otherwise) const {
    return Has(index) && !values_[index]->Is(Kind::kNone) ? Int(index) : otherwise;
  }
  // At most so many times: -1, as any number below 0, is without limit.
  int64_t CountOr(size_t index) const { return std::max<int64_t>(IntOr(index, -1), -1); }
  bool BoolOr(size_t index, bool otherwise) const {
    return Has(index) ? Truthy(*values_[index]) : otherwise;
  }

 private:
  Env& env_;
  std::string_view callee_;
  std::vector<const Value*> values_;
};

Value ApplyFilter(Env& env, std::string_view name, const Value& value, const Args& args);

bool ApplyTest(Env& env, std::string_view name, const Value& value, const Args& args);

// The function of this name as a value, undefined if there is none.
Value FindFunction(std::string_view name);
Value CallFunction(Env& env, std::string_view name, const Args& args);

// Whether values of this kind have a method of that name, supported or not.
bool HasMethod(const Value& value, std::string_view name);
Value CallMethod(Env& env, const Value& value, std::string_view name, const Args& args);

// value.name where it is no method: a dict's element, a namespace's or loop's member.
Value GetAttribute(Env& env, const Value& value, std::string_view name);

// Upper or lower case of each character; the case of the first letters of words.
std::string ChangeCase(Env& env, std::string_view text, bool upper);
std::string TitleCase(Env& env, std::string_view text);
std::string Capitalize(Env& env, std::string_view text);
std::string ReplaceAll(Env& env, std::string_view text, std::string_view from, std::string_view to,
                       int64_t count);
// Whether there are letters with case and all of them have this one.
bool HasCase(std::string_view text, bool upper);

}  // namespace tern::jinja
