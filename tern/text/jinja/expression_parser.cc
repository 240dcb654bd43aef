// SPDX-License-Identifier: MIT
#include "tern/text/jinja/expression_parser.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "tern/text/utf8.h"

namespace tern::jinja {

bool ExpressionParser::IsToken(size_t ahead, TokenKind kind, std::string_view text) const {
  return ahead < tokens_.size() && tokens_[ahead].kind == kind && tokens_[ahead].text == text;
}

Token ExpressionParser::Take() {
  Token token = std::move(tokens_.front());
  // The last one, kEnd, stays.
  if (tokens_.size() > 1) tokens_.pop_front();
  env_.line = tokens_.front().line;
  return token;
}

bool ExpressionParser::SkipOperator(std::string_view op) {
  const bool found = AtOperator(op);
  if (found) Take();
  return found;
}

bool ExpressionParser::SkipName(std::string_view name) {
  const bool found = AtName(name);
  if (found) Take();
  return found;
}

void ExpressionParser::ExpectOperator(std::string_view op) {
  if (!SkipOperator(op)) env_.Malformed("{} where \"{}\" is needed", Shown(), op);
}

std::string ExpressionParser::ExpectName(std::string_view what) {
  if (!At(TokenKind::kName)) env_.Malformed("{} where {} is needed", Shown(), what);
  return Take().text;
}

std::string ExpressionParser::Shown() const {
  switch (Current().kind) {
    case TokenKind::kEnd:
      return "the template's end";
    case TokenKind::kText:
      return "text";
    case TokenKind::kPrintBegin:
    case TokenKind::kBlockBegin:
      return "the beginning of a tag";
    case TokenKind::kPrintEnd:
    case TokenKind::kBlockEnd:
      return "the end of the tag";
    default:
      return "\"" + OneLine(Current().text, 60) + "\"";
  }
}

ExprPtr ExpressionParser::Make(ExprKind kind, std::string name) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = env_.line;
  expr->name = std::move(name);
  return expr;
}

void ExpressionParser::Adopt(Expr* parent, ExprPtr child) {
  if (child) {
    parent->depth = std::max(parent->depth, child->depth + 1);
    if (parent->depth > kMaxTextDepth) {
      env_.Malformed("an expression nested deeper than {}", kMaxTextDepth);
    }
  }
  parent->args.push_back(std::move(child));
}

ExprPtr ExpressionParser::Binary(ExprKind kind, std::string name, ExprPtr left, ExprPtr right) {
  ExprPtr expr = Make(kind, std::move(name));
  Adopt(expr.get(), std::move(left));
  Adopt(expr.get(), std::move(right));
  return expr;
}

ExprPtr ExpressionParser::Expression(bool conditional) {
  if (++depth_ > kMaxTextDepth) {
    env_.Malformed("an expression nested deeper than {}", kMaxTextDepth);
  }
  ExprPtr expr = Or();
  while (conditional && SkipName("if")) {
    ExprPtr choice = Make(ExprKind::kConditional);
    Adopt(choice.get(), Or());
    Adopt(choice.get(), std::move(expr));
    Adopt(choice.get(), SkipName("else") ? Expression() : nullptr);
    expr = std::move(choice);
  }
  --depth_;
  return expr;
}

ExprPtr ExpressionParser::TupleOrExpression(bool conditional) {
  ExprPtr first = Expression(conditional);
  if (!AtOperator(",")) return first;
  ExprPtr tuple = Make(ExprKind::kTuple);
  Adopt(tuple.get(), std::move(first));
  while (SkipOperator(",")) {
    if (At(TokenKind::kPrintEnd) || At(TokenKind::kBlockEnd) || AtOperator(")")) break;
    Adopt(tuple.get(), Expression(conditional));
  }
  return tuple;
}

ExprPtr ExpressionParser::Or() {
  ExprPtr left = And();
  while (SkipName("or")) left = Binary(ExprKind::kOr, "", std::move(left), And());
  return left;
}

ExprPtr ExpressionParser::And() {
  ExprPtr left = Not();
  while (SkipName("and")) left = Binary(ExprKind::kAnd, "", std::move(left), Not());
  return left;
}

ExprPtr ExpressionParser::Not() {
  int count = 0;
  while (SkipName("not")) ++count;
  ExprPtr expr = Compare();
  for (; count > 0; --count) {
    ExprPtr negation = Make(ExprKind::kNot);
    Adopt(negation.get(), std::move(expr));
    expr = std::move(negation);
  }
  return expr;
}

ExprPtr ExpressionParser::Compare() {
  static constexpr std::array<std::string_view, 6> kOperators = {"==", "!=", "<", "<=", ">", ">="};
  ExprPtr first = Sum();
  ExprPtr compare;
  while (true) {
    std::string op;
    const bool comparison =
        At(TokenKind::kOperator) &&
        std::find(kOperators.begin(), kOperators.end(), Current().text) != kOperators.end();
    if (comparison) {
      op = Take().text;
    } else if (SkipName("in")) {
      op = "in";
    } else if (AtName("not") && IsToken(1, TokenKind::kName, "in")) {
      Take();
      Take();
      op = "not in";
    } else {
      return compare ? std::move(compare) : std::move(first);
    }
    if (!compare) {
      compare = Make(ExprKind::kCompare);
      Adopt(compare.get(), std::move(first));
    }
    compare->names.push_back(std::move(op));
    Adopt(compare.get(), Sum());
  }
}

ExprPtr ExpressionParser::Sum() {
  ExprPtr left = Concat();
  while (AtOperator("+") || AtOperator("-")) {
    std::string op = Take().text;
    left = Binary(ExprKind::kBinary, std::move(op), std::move(left), Concat());
  }
  return left;
}

ExprPtr ExpressionParser::Concat() {
  ExprPtr left = Product();
  while (SkipOperator("~")) left = Binary(ExprKind::kBinary, "~", std::move(left), Product());
  return left;
}

ExprPtr ExpressionParser::Product() {
  ExprPtr left = Power();
  while (AtOperator("*") || AtOperator("/") || AtOperator("//") || AtOperator("%")) {
    std::string op = Take().text;
    left = Binary(ExprKind::kBinary, std::move(op), std::move(left), Power());
  }
  return left;
}

ExprPtr ExpressionParser::Power() {
  ExprPtr left = Unary(true);
  while (SkipOperator("**")) {
    left = Binary(ExprKind::kBinary, "**", std::move(left), Unary(true));
  }
  return left;
}

ExprPtr ExpressionParser::Unary(bool with_filter) {
  ExprPtr expr;
  if (AtOperator("-") || AtOperator("+")) {
    if (++depth_ > kMaxTextDepth) {
      env_.Malformed("an expression nested deeper than {}", kMaxTextDepth);
    }
    expr = Make(Take().text == "-" ? ExprKind::kNegate : ExprKind::kPlus);
    Adopt(expr.get(), Unary(false));
    --depth_;
  } else {
    expr = Primary();
  }
  expr = Postfix(std::move(expr));
  return with_filter ? Filters(std::move(expr)) : std::move(expr);
}

ExprPtr ExpressionParser::Primary() {
  if (At(TokenKind::kString)) {
    std::string text = Take().text;
    while (At(TokenKind::kString)) text += Take().text;
    ExprPtr expr = Make(ExprKind::kConstant);
    expr->constant = Value::String(env_, std::move(text));
    return expr;
  }
  if (At(TokenKind::kInt) || At(TokenKind::kFloat)) return Number();
  if (SkipOperator("(")) return Parenthesized();
  if (SkipOperator("[")) return ListDisplay();
  if (SkipOperator("{")) return DictDisplay();
  const std::string name = ExpectName("a value");
  if (name == "varargs" || name == "kwargs" || name == "caller" || name == "self") {
    env_.Unsupported("\"{}\"", name);
  }
  ExprPtr expr = Make(ExprKind::kConstant);
  if (name == "true" || name == "True") {
    expr->constant = Value(true);
  } else if (name == "false" || name == "False") {
    expr->constant = Value(false);
  } else if (name == "none" || name == "None") {
    expr->constant = Value::MakeNone();
  } else {
    expr->kind = ExprKind::kName;
    expr->name = name;
  }
  return expr;
}

ExprPtr ExpressionParser::Number() {
  ExprPtr expr = Make(ExprKind::kConstant);
  const Token token = Take();
  const char* end = token.text.data() + token.text.size();
  std::errc error{};
  if (token.kind == TokenKind::kInt) {
    int64_t value = 0;
    error = std::from_chars(token.text.data(), end, value).ec;
    expr->constant = Value(value);
  } else {
    double value = 0;
    error = std::from_chars(token.text.data(), end, value).ec;
    expr->constant = Value(value);
  }
  if (error != std::errc()) env_.Malformed("the number {} is too large", OneLine(token.text, 40));
  return expr;
}

ExprPtr ExpressionParser::Parenthesized() {
  if (SkipOperator(")")) return Make(ExprKind::kTuple);
  ExprPtr expr = TupleOrExpression();
  ExpectOperator(")");
  return expr;
}

ExprPtr ExpressionParser::ListDisplay() {
  ExprPtr list = Make(ExprKind::kList);
  while (!AtOperator("]")) {
    Adopt(list.get(), Expression());
    if (!SkipOperator(",")) break;
  }
  ExpectOperator("]");
  return list;
}

ExprPtr ExpressionParser::DictDisplay() {
  ExprPtr dict = Make(ExprKind::kDict);
  while (!AtOperator("}")) {
    Adopt(dict.get(), Expression());
    ExpectOperator(":");
    Adopt(dict.get(), Expression());
    if (!SkipOperator(",")) break;
  }
  ExpectOperator("}");
  return dict;
}

ExprPtr ExpressionParser::Postfix(ExprPtr operand) {
  while (true) {
    if (SkipOperator(".")) {
      ExprPtr expr;
      if (At(TokenKind::kInt)) {
        expr = Make(ExprKind::kSubscript);
        Adopt(expr.get(), std::move(operand));
        Adopt(expr.get(), Number());
      } else {
        expr = Make(ExprKind::kAttribute, ExpectName("an attribute's name"));
        Adopt(expr.get(), std::move(operand));
      }
      operand = std::move(expr);
    } else if (SkipOperator("[")) {
      operand = Subscript(std::move(operand));
    } else if (AtOperator("(")) {
      ExprPtr call = Make(ExprKind::kCall);
      Adopt(call.get(), std::move(operand));
      Arguments(call.get());
      operand = std::move(call);
    } else {
      return operand;
    }
  }
}

ExprPtr ExpressionParser::Subscript(ExprPtr operand) {
  ExprPtr expr = Make(ExprKind::kSubscript);
  Adopt(expr.get(), std::move(operand));
  const auto part = [&] { return AtOperator(":") || AtOperator("]") ? nullptr : Expression(); };
  ExprPtr first = part();
  if (AtOperator(":")) {
    expr->kind = ExprKind::kSlice;
    Adopt(expr.get(), std::move(first));
    for (int i = 0; i < 2; ++i) Adopt(expr.get(), SkipOperator(":") ? part() : nullptr);
  } else {
    if (!first) env_.Malformed("an empty subscript");
    Adopt(expr.get(), std::move(first));
    if (AtOperator(",")) env_.Unsupported("a subscript with a comma");
  }
  ExpectOperator("]");
  return expr;
}

void ExpressionParser::Arguments(Expr* call) {
  ExpectOperator("(");
  while (!AtOperator(")")) {
    if (AtOperator("*") || AtOperator("**")) env_.Unsupported("unpacking of arguments");
    if (At(TokenKind::kName) && IsToken(1, TokenKind::kOperator, "=")) {
      std::string name = Take().text;
      Take();
      env_.ChargeRead(call->kwargs.size());
      for (const auto& kwarg : call->kwargs) {
        if (kwarg.first == name) env_.Malformed("the argument \"{}\" is given twice", name);
      }
      ExprPtr value = Expression();
      call->depth = std::max(call->depth, value->depth + 1);
      call->kwargs.emplace_back(std::move(name), std::move(value));
    } else {
      if (!call->kwargs.empty()) env_.Malformed("an argument without name behind one with a name");
      Adopt(call, Expression());
    }
    if (!SkipOperator(",")) break;
  }
  ExpectOperator(")");
}

ExprPtr ExpressionParser::Filters(ExprPtr operand) {
  while (true) {
    if (SkipOperator("|")) {
      operand = Filter(std::move(operand));
    } else if (SkipName("is")) {
      operand = Test(std::move(operand));
    } else if (AtOperator("(")) {
      // A call of what filters and tests gave, as Jinja's grammar has it.
      env_.Unsupported("a call of a filter's result");
    } else {
      return operand;
    }
  }
}

ExprPtr ExpressionParser::FilterChain(ExprPtr operand) {
  operand = Filter(std::move(operand));
  while (SkipOperator("|")) operand = Filter(std::move(operand));
  return operand;
}

ExprPtr ExpressionParser::Filter(ExprPtr operand) {
  ExprPtr expr = Make(ExprKind::kFilter, ExpectName("a filter's name"));
  Adopt(expr.get(), std::move(operand));
  if (AtOperator("(")) Arguments(expr.get());
  return expr;
}

ExprPtr ExpressionParser::Test(ExprPtr operand) {
  const bool negated = SkipName("not");
  ExprPtr expr = Make(ExprKind::kTest, ExpectName("a test's name"));
  Adopt(expr.get(), std::move(operand));
  const bool value_follows =
      At(TokenKind::kString) || At(TokenKind::kInt) || At(TokenKind::kFloat) || AtOperator("[") ||
      AtOperator("{") ||
      (At(TokenKind::kName) && !AtName("else") && !AtName("or") && !AtName("and"));
  if (AtOperator("(")) {
    Arguments(expr.get());
  } else if (AtName("is")) {
    env_.Malformed("a test of a test; put the first one into parentheses");
  } else if (value_follows && !AtName("if") && !AtName("in") && !AtName("not")) {
    Adopt(expr.get(), Postfix(Primary()));
  }
  if (!negated) return expr;
  ExprPtr negation = Make(ExprKind::kNot);
  Adopt(negation.get(), std::move(expr));
  return negation;
}

}  // namespace tern::jinja
