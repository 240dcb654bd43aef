// SPDX-License-Identifier: MIT
#include "tern/text/jinja/interpreter.h"

#include <algorithm>
#include <optional>

#include "tern/text/jinja/builtins.h"

namespace tern::jinja {
namespace {

enum class Flow : uint8_t { kOn, kBreak, kContinue };

class Interpreter {
 public:
  Interpreter(Env& env, const Value& variables) : env_(env), variables_(variables), scopes_(1) {}

  std::string Run(const Body& body) {
    std::string out;
    Execute(body, &out);
    return out;
  }

 private:
  using Scope = std::vector<std::pair<std::string, Value>>;

  // Counts how deep running is nested, which bounds the stack.
  class Nested {
   public:
    explicit Nested(Interpreter* in) : in_(in) {
      if (++in_->depth_ > kMaxRunDepth) {
        --in_->depth_;
        in_->env_.Refuse("nests its calls deeper than {}", kMaxRunDepth);
      }
    }
    ~Nested() { --in_->depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    Interpreter* in_;
  };

  // Variables of a block's own, as long as it lives.
  class Inner {
   public:
    explicit Inner(Interpreter* in) : in_(in) { in_->scopes_.emplace_back(); }
    ~Inner() { in_->scopes_.pop_back(); }
    Inner(const Inner&) = delete;
    Inner& operator=(const Inner&) = delete;

   private:
    Interpreter* in_;
  };

  // --- variables

  const Value* FindIn(const Scope& scope, std::string_view name) {
    env_.ChargeRead(scope.size());
    for (const auto& [known, value] : scope) {
      if (known == name) return &value;
    }
    return nullptr;
  }

  // Scopes of this macro or of the whole template, then the template's, then what was given.
  Value Lookup(std::string_view name) {
    for (size_t i = scopes_.size(); i-- > base_;) {
      env_.Step();
      if (const Value* found = FindIn(scopes_[i], name)) return *found;
    }
    if (const Value* found = FindIn(scopes_[0], name)) return *found;
    if (const Value* found = variables_.AsDict().Find(env_, name)) return *found;
    return FindFunction(name);
  }

  void Assign(const std::string& name, Value value) {
    Scope& scope = scopes_.back();
    env_.ChargeRead(scope.size());
    for (auto& [known, held] : scope) {
      if (known == name) {
        held = std::move(value);
        return;
      }
    }
    env_.Charge(sizeof(Value) + name.size());
    scope.emplace_back(name, std::move(value));
  }

  void AssignTargets(const Statement& statement, const Value& value) {
    if (!statement.unpack) return Assign(statement.targets[0], value);
    const std::vector<Value> items = Iterate(env_, value);
    if (items.size() != statement.targets.size()) {
      env_.Refuse("{} values for {} variables", items.size(), statement.targets.size());
    }
    for (size_t i = 0; i < items.size(); ++i) Assign(statement.targets[i], items[i]);
  }

  // --- statements

  Flow Execute(const Body& body, std::string* out) {
    const Nested nested(this);
    for (const auto& statement : body) {
      env_.line = statement->line;
      env_.Step();
      if (const Flow flow = Execute(*statement, out); flow != Flow::kOn) return flow;
    }
    return Flow::kOn;
  }

  Flow Execute(const Statement& s, std::string* out) {
    switch (s.kind) {
      case StatementKind::kText:
        env_.Append(s.text, out);
        return Flow::kOn;
      case StatementKind::kPrint:
        AppendText(env_, Evaluate(*s.exprs[0]), out);
        return Flow::kOn;
      case StatementKind::kIf:
        return If(s, out);
      case StatementKind::kFor:
        return For(s, out);
      case StatementKind::kWith:
        return With(s, out);
      case StatementKind::kScope: {
        const Inner inner(this);
        return Execute(s.bodies[0], out);
      }
      case StatementKind::kFilterBlock:
        return FilterBlock(s, out);
      case StatementKind::kBreak:
        return Flow::kBreak;
      case StatementKind::kContinue:
        return Flow::kContinue;
      default:
        return Define(s);
    }
  }

  // What gives a variable a value.
  Flow Define(const Statement& s) {
    Flow flow = Flow::kOn;
    if (s.kind == StatementKind::kSet) {
      AssignTargets(s, Evaluate(*s.exprs[0]));
    } else if (s.kind == StatementKind::kSetMember) {
      SetMember(s);
    } else if (s.kind == StatementKind::kSetBlock) {
      std::string text;
      {
        const Inner inner(this);
        flow = Execute(s.bodies[0], &text);
      }
      Value value = Value::String(env_, std::move(text));
      if (!s.exprs.empty()) value = Filtered(*s.exprs[0], std::move(value));
      Assign(s.targets[0], std::move(value));
    } else {
      Assign(s.text, Value(&s));
    }
    return flow;
  }

  void SetMember(const Statement& s) {
    const Value space = Lookup(s.targets[0]);
    if (!space.Is(Kind::kNamespace)) {
      env_.Refuse("{}.{} is set, but {} is no namespace", s.targets[0], s.text, s.targets[0]);
    }
    Value value = Evaluate(*s.exprs[0]);
    if (!value.IsPlain()) env_.Unsupported("a {} within a namespace", KindName(value));
    auto& members = space.AsNamespace().members;
    const auto found = std::find_if(members.begin(), members.end(),
                                    [&](const auto& member) { return member.first == s.text; });
    if (found != members.end()) {
      found->second = std::move(value);
    } else {
      members.emplace_back(s.text, std::move(value));
    }
  }

  Value Filtered(const Expr& filters, Value body) {
    const Inner inner(this);
    Assign(kBlockBody, std::move(body));
    return Evaluate(filters);
  }

  Flow FilterBlock(const Statement& s, std::string* out) {
    const Inner inner(this);
    std::string text;
    const Flow flow = Execute(s.bodies[0], &text);
    const Value value = Filtered(*s.exprs[0], Value::String(env_, std::move(text)));
    AppendText(env_, value, out);
    return flow;
  }

  Flow If(const Statement& s, std::string* out) {
    for (size_t i = 0; i < s.exprs.size(); ++i) {
      if (Truthy(Evaluate(*s.exprs[i]))) return Execute(s.bodies[i], out);
    }
    return s.bodies.size() > s.exprs.size() ? Execute(s.bodies.back(), out) : Flow::kOn;
  }

  Flow With(const Statement& s, std::string* out) {
    std::vector<Value> values;
    for (const ExprPtr& expr : s.exprs) values.push_back(Evaluate(*expr));
    const Inner inner(this);
    for (size_t i = 0; i < values.size(); ++i) Assign(s.targets[i], std::move(values[i]));
    return Execute(s.bodies[0], out);
  }

  Flow For(const Statement& s, std::string* out) {
    auto loop = std::make_shared<Loop>();
    loop->items = Iterate(env_, Evaluate(*s.exprs[0]));
    if (s.exprs.size() > 1) {
      std::erase_if(loop->items, [&](const Value& item) {
        const Inner inner(this);
        AssignTargets(s, item);
        return !Truthy(Evaluate(*s.exprs[1]));
      });
    }
    for (; loop->index < loop->items.size(); ++loop->index) {
      const Inner inner(this);
      Assign("loop", Value(loop));
      AssignTargets(s, loop->items[loop->index]);
      env_.Step();
      if (Execute(s.bodies[0], out) == Flow::kBreak) break;
    }
    if (!loop->items.empty() || s.bodies.size() < 2) return Flow::kOn;
    const Inner inner(this);
    return Execute(s.bodies[1], out);
  }

  // --- expressions

  Value Evaluate(const Expr& e) {
    const Nested nested(this);
    env_.line = e.line;
    env_.Step();
    switch (e.kind) {
      case ExprKind::kConstant:
        return e.constant;
      case ExprKind::kName:
        return Lookup(e.name);
      case ExprKind::kList:
        return Value::List(env_, EvaluateAll(e.args, 0));
      case ExprKind::kTuple:
        return Value::Tuple(env_, EvaluateAll(e.args, 0));
      case ExprKind::kDict:
        return DictDisplay(e);
      case ExprKind::kNegate:
        return Negate(env_, Evaluate(*e.args[0]));
      case ExprKind::kPlus:
        return Binary(env_, "+", Value(int64_t{0}), Evaluate(*e.args[0]));
      case ExprKind::kBinary:
        return EvaluateBinary(e);
      case ExprKind::kCompare:
        return Value(Compare(e));
      case ExprKind::kAnd:
      case ExprKind::kOr: {
        Value left = Evaluate(*e.args[0]);
        return Truthy(left) == (e.kind == ExprKind::kOr) ? left : Evaluate(*e.args[1]);
      }
      case ExprKind::kNot:
        return Value(!Truthy(Evaluate(*e.args[0])));
      case ExprKind::kConditional:
        if (Truthy(Evaluate(*e.args[0]))) return Evaluate(*e.args[1]);
        return e.args[2] ? Evaluate(*e.args[2]) : Value::MakeUndefined("the missing else");
      default:
        return EvaluateAccess(e);
    }
  }

  Value EvaluateAccess(const Expr& e) {
    switch (e.kind) {
      case ExprKind::kAttribute:
        return GetAttribute(env_, Evaluate(*e.args[0]), e.name);
      case ExprKind::kSubscript: {
        const Value value = Evaluate(*e.args[0]);
        const Value key = Evaluate(*e.args[1]);
        if (key.Is(Kind::kString) && (value.Is(Kind::kNamespace) || value.Is(Kind::kLoop))) {
          return GetAttribute(env_, value, key.AsString());
        }
        return GetItem(env_, value, key);
      }
      case ExprKind::kSlice:
        return Slice(e);
      case ExprKind::kCall:
        return Call(e);
      case ExprKind::kFilter: {
        const Value value = Evaluate(*e.args[0]);
        return ApplyFilter(env_, e.name, value, EvaluateArgs(e, 1));
      }
      default: {
        const Value value = Evaluate(*e.args[0]);
        return Value(ApplyTest(env_, e.name, value, EvaluateArgs(e, 1)));
      }
    }
  }

  std::vector<Value> EvaluateAll(const std::vector<ExprPtr>& exprs, size_t begin) {
    std::vector<Value> values;
    values.reserve(exprs.size() - begin);
    for (size_t i = begin; i < exprs.size(); ++i) values.push_back(Evaluate(*exprs[i]));
    return values;
  }

  Args EvaluateArgs(const Expr& e, size_t begin) {
    Args args;
    args.positional = EvaluateAll(e.args, begin);
    for (const auto& [name, expr] : e.kwargs) args.named.emplace_back(name, Evaluate(*expr));
    return args;
  }

  Value EvaluateBinary(const Expr& e) {
    const Value left = Evaluate(*e.args[0]);
    return Binary(env_, e.name, left, Evaluate(*e.args[1]));
  }

  Value DictDisplay(const Expr& e) {
    std::vector<std::pair<Value, Value>> items;
    for (size_t i = 0; i < e.args.size(); i += 2) {
      Value key = Evaluate(*e.args[i]);
      Value value = Evaluate(*e.args[i + 1]);
      env_.Charge(items.size() * 8);
      const auto known = std::find_if(items.begin(), items.end(), [&](const auto& item) {
        return Equal(env_, item.first, key);
      });
      if (known != items.end()) {
        known->second = std::move(value);
      } else {
        items.emplace_back(std::move(key), std::move(value));
      }
    }
    return Value::MakeDict(env_, std::move(items));
  }

  bool CompareOne(std::string_view op, const Value& a, const Value& b) {
    if (op == "==") return Equal(env_, a, b);
    if (op == "!=") return !Equal(env_, a, b);
    if (op == "<") return Less(env_, a, b);
    if (op == ">") return Less(env_, b, a);
    if (op == "<=") return Less(env_, a, b) || Equal(env_, a, b);
    if (op == ">=") return Less(env_, b, a) || Equal(env_, a, b);
    if (op == "in") return Contains(env_, b, a);
    return !Contains(env_, b, a);
  }

  bool Compare(const Expr& e) {
    Value left = Evaluate(*e.args[0]);
    for (size_t i = 0; i < e.names.size(); ++i) {
      Value right = Evaluate(*e.args[i + 1]);
      if (!CompareOne(e.names[i], left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  Value Slice(const Expr& e) {
    const Value value = Evaluate(*e.args[0]);
    const auto part = [&](size_t i) {
      return e.args[i] ? Evaluate(*e.args[i]) : Value::MakeNone();
    };
    const Value start = part(1);
    const Value stop = part(2);
    return GetSlice(env_, value, start, stop, part(3));
  }

  Value Call(const Expr& e) {
    const Expr& callee = *e.args[0];
    if (callee.kind == ExprKind::kAttribute) {
      const Value self = Evaluate(*callee.args[0]);
      if (self.Is(Kind::kLoop)) return CallLoop(self.AsLoop(), callee.name, EvaluateArgs(e, 1));
      if (self.IsPlain()) return CallMethod(env_, self, callee.name, EvaluateArgs(e, 1));
      return CallValue(GetAttribute(env_, self, callee.name), e);
    }
    return CallValue(Evaluate(callee), e);
  }

  Value CallValue(const Value& function, const Expr& e) {
    if (function.Is(Kind::kUndefined)) {
      env_.Refuse("'{}' is called and not defined", function.UndefinedName());
    }
    const Args args = EvaluateArgs(e, 1);
    env_.line = e.line;
    if (function.Is(Kind::kFunction)) return CallFunction(env_, function.AsFunction(), args);
    if (function.Is(Kind::kMacro)) return CallMacro(*function.AsMacro(), args);
    env_.Refuse("a {} is called", KindName(function));
  }

  Value CallLoop(Loop& loop, std::string_view name, const Args& args) {
    if (name == "cycle") {
      if (args.positional.empty()) env_.Refuse("loop.cycle needs a value");
      return args.positional[loop.index % args.positional.size()];
    }
    if (name != "changed") env_.Unsupported("\"loop.{}\"", name);
    Value value = Value::Tuple(env_, args.positional);
    const bool changed = !loop.has_changed || !Equal(env_, loop.changed, value);
    loop.has_changed = true;
    loop.changed = std::move(value);
    return Value(changed);
  }

  Value CallMacro(const Statement& macro, const Args& args) {
    const size_t count = macro.targets.size();
    if (args.positional.size() > count) {
      env_.Refuse("the macro {} takes {} arguments at most", macro.text, count);
    }
    std::vector<std::optional<Value>> values(args.positional.begin(), args.positional.end());
    values.resize(count);
    for (const auto& [name, value] : args.named) {
      env_.ChargeRead(count);
      const auto at = std::find(macro.targets.begin(), macro.targets.end(), name);
      if (at == macro.targets.end()) {
        env_.Refuse("the macro {} has no parameter \"{}\"", macro.text, name);
      }
      std::optional<Value>& slot = values[static_cast<size_t>(at - macro.targets.begin())];
      if (slot) env_.Refuse("the macro {} got the argument \"{}\" twice", macro.text, name);
      slot = value;
    }
    const Inner inner(this);
    const size_t base = std::exchange(base_, scopes_.size() - 1);
    std::string out;
    const size_t first_default = count - macro.exprs.size();
    for (size_t i = 0; i < count; ++i) {
      if (!values[i] && i >= first_default) values[i] = Evaluate(*macro.exprs[i - first_default]);
      Assign(macro.targets[i],
             values[i] ? std::move(*values[i]) : Value::MakeUndefined(macro.targets[i]));
    }
    Execute(macro.bodies[0], &out);
    // An Error ends the whole run, so nobody misses this then.
    base_ = base;
    return Value::String(env_, std::move(out));
  }

  Env& env_;
  const Value& variables_;
  std::vector<Scope> scopes_;  // [0] is the template's
  size_t base_ = 0;            // first scope of the macro that runs
  int depth_ = 0;
};

}  // namespace

std::string Run(Env& env, const Body& body, const Value& variables) {
  return Interpreter(env, variables).Run(body);
}

}  // namespace tern::jinja
