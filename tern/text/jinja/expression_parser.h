// SPDX-License-Identifier: MIT
// The expressions of a template by Jinja's grammar, over a stream of tokens that statements share.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "tern/text/jinja/ast.h"
#include "tern/text/jinja/lexer.h"

namespace tern::jinja {

class ExpressionParser {
 public:
  ExpressionParser(Env& env, std::deque<Token> tokens) : env_(env), tokens_(std::move(tokens)) {}

  const Token& Current() const { return tokens_.front(); }
  Token Take();
  bool At(TokenKind kind) const { return Current().kind == kind; }
  bool AtOperator(std::string_view op) const { return IsToken(0, TokenKind::kOperator, op); }
  bool AtName(std::string_view name) const { return IsToken(0, TokenKind::kName, name); }
  // Take it if it is there.
  bool SkipOperator(std::string_view op);
  bool SkipName(std::string_view name);
  void ExpectOperator(std::string_view op);
  std::string ExpectName(std::string_view what);
  // For messages.
  std::string Shown() const;

  // One expression, with `if` and `else` unless it is a loop's.
  ExprPtr Expression(bool conditional = true);
  // The same, or several with commas between them, which make a tuple.
  ExprPtr TupleOrExpression(bool conditional = true);
  // A chain of filters on `operand`; the current token is the name of the first.
  ExprPtr FilterChain(ExprPtr operand);

  ExprPtr Make(ExprKind kind, std::string name = {});
  // Appends a child, which may be null.
  void Adopt(Expr* parent, ExprPtr child);

 private:
  bool IsToken(size_t ahead, TokenKind kind, std::string_view text) const;
  ExprPtr Binary(ExprKind kind, std::string name, ExprPtr left, ExprPtr right);
  ExprPtr Or();
  ExprPtr And();
  ExprPtr Not();
  ExprPtr Compare();
  ExprPtr Sum();
  ExprPtr Concat();
  ExprPtr Product();
  ExprPtr Power();
  ExprPtr Unary(bool with_filter);
  ExprPtr Primary();
  ExprPtr Number();
  ExprPtr Parenthesized();
  ExprPtr ListDisplay();
  ExprPtr DictDisplay();
  ExprPtr Postfix(ExprPtr operand);
  ExprPtr Subscript(ExprPtr operand);
  ExprPtr Filters(ExprPtr operand);
  ExprPtr Filter(ExprPtr operand);
  ExprPtr Test(ExprPtr operand);
  void Arguments(Expr* call);

  Env& env_;
  std::deque<Token> tokens_;
  int depth_ = 0;
};

}  // namespace tern::jinja
