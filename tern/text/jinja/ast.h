// SPDX-License-Identifier: MIT
// A parsed template. A kind says what the fields of a node hold; the parser alone makes nodes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tern/text/jinja/value.h"

namespace tern::jinja {

enum class ExprKind : uint8_t {
  kConstant,     // constant
  kName,         // name
  kList,         // args
  kTuple,        // args
  kDict,         // args: key, value, key, value, ...
  kNegate,       // args[0]
  kPlus,         // args[0]
  kBinary,       // args[0] name args[1]
  kCompare,      // args[0] names[0] args[1] names[1] args[2] ...
  kAnd,          // args[0], args[1]
  kOr,           // args[0], args[1]
  kNot,          // args[0]
  kConditional,  // args: condition, then, else (which may be null)
  kAttribute,    // args[0].name
  kSubscript,    // args[0][args[1]]
  kSlice,        // args[0][args[1]:args[2]:args[3]], each of which may be null
  kCall,         // args[0](args[1], ..., kwargs)
  kFilter,       // args[0] | name(args[1], ..., kwargs)
  kTest,         // args[0] is name(args[1], ...)
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  ExprKind kind = ExprKind::kConstant;
  int line = 0;
  int depth = 1;
  Value constant;
  std::string name;
  std::vector<std::string> names;
  std::vector<ExprPtr> args;
  std::vector<std::pair<std::string, ExprPtr>> kwargs;
};

enum class StatementKind : uint8_t {
  kText,         // text
  kPrint,        // exprs[0]
  kIf,           // exprs[i] is the condition of bodies[i]; one more body is the else
  kFor,          // targets in exprs[0], if exprs[1]; bodies[0]; else bodies[1]
  kSet,          // targets = exprs[0]
  kSetMember,    // targets[0].text = exprs[0]
  kSetBlock,     // targets[0] = bodies[0], through the filters exprs[0] if there are any
  kFilterBlock,  // bodies[0] through the filters exprs[0]
  kMacro,        // text(targets), the last of which have the defaults exprs; bodies[0]
  kWith,         // targets[i] = exprs[i] within bodies[0]
  kScope,        // bodies[0] with variables of its own
  kBreak,
  kContinue,
};

struct Statement;
using Body = std::vector<std::unique_ptr<Statement>>;

struct Statement {
  StatementKind kind = StatementKind::kText;
  int line = 0;
  bool unpack = false;  // kFor, kSet: the value is taken apart, even for one target
  std::string text;
  std::vector<std::string> targets;
  std::vector<ExprPtr> exprs;
  std::vector<Body> bodies;
};

// What stands for the body of a block in its chain of filters; no template can spell it.
inline constexpr const char* kBlockBody = "(body)";

}  // namespace tern::jinja
