// SPDX-License-Identifier: MIT
#include "tern/text/jinja/parser.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "tern/text/jinja/expression_parser.h"
#include "tern/text/utf8.h"

namespace tern::jinja {
namespace {

class Parser {
 public:
  Parser(Env& env, std::string_view source) : env_(env), in_(env, Tokenize(env, source)) {}

  Body Run() {
    Body body = ParseBody({});
    if (!in_.At(TokenKind::kEnd)) env_.Malformed("{} is out of place", in_.Shown());
    return body;
  }

 private:
  using StatementPtr = std::unique_ptr<Statement>;
  using Handler = StatementPtr (Parser::*)();

  StatementPtr Make(StatementKind kind) {
    auto statement = std::make_unique<Statement>();
    statement->kind = kind;
    statement->line = env_.line;
    return statement;
  }

  void EndTag() {
    if (!in_.At(TokenKind::kBlockEnd)) env_.Malformed("{} within a tag", in_.Shown());
    in_.Take();
  }

  // Up to one of the tags `ends`, whose name is then the current token.
  Body ParseBody(std::initializer_list<std::string_view> ends) {
    if (++depth_ > kMaxTextDepth) env_.Malformed("blocks nested deeper than {}", kMaxTextDepth);
    Body body;
    while (!in_.At(TokenKind::kEnd)) {
      if (in_.At(TokenKind::kText)) {
        StatementPtr text = Make(StatementKind::kText);
        text->text = in_.Take().text;
        body.push_back(std::move(text));
      } else if (in_.At(TokenKind::kPrintBegin)) {
        in_.Take();
        StatementPtr print = Make(StatementKind::kPrint);
        print->exprs.push_back(in_.TupleOrExpression());
        if (!in_.At(TokenKind::kPrintEnd)) env_.Malformed("{} within a print tag", in_.Shown());
        in_.Take();
        body.push_back(std::move(print));
      } else {
        in_.Take();
        if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return in_.AtName(end); })) {
          --depth_;
          return body;
        }
        body.push_back(ParseTag());
      }
    }
    if (ends.size() > 0) env_.Malformed("the tag {} is missing", *(ends.end() - 1));
    --depth_;
    return body;
  }

  StatementPtr ParseTag() {
    static constexpr std::array<std::pair<std::string_view, Handler>, 9> kTags = {{
        {"if", &Parser::If},
        {"for", &Parser::For},
        {"set", &Parser::Set},
        {"macro", &Parser::Macro},
        {"with", &Parser::With},
        {"filter", &Parser::FilterBlock},
        {"generation", &Parser::Generation},
        {"break", &Parser::LoopControl},
        {"continue", &Parser::LoopControl},
    }};
    for (const auto& [name, handler] : kTags) {
      if (in_.AtName(name)) return (this->*handler)();
    }
    if (!in_.At(TokenKind::kName)) env_.Malformed("{} where a tag's name is needed", in_.Shown());
    const std::string name = in_.Current().text;
    if (name.starts_with("end") || name == "else" || name == "elif") {
      env_.Malformed("the tag {} is out of place", name);
    }
    env_.Unsupported("the tag \"{}\"", name);
  }

  StatementPtr If() {
    StatementPtr statement = Make(StatementKind::kIf);
    while (in_.AtName("if") || in_.AtName("elif")) {
      in_.Take();
      statement->exprs.push_back(in_.TupleOrExpression());
      EndTag();
      statement->bodies.push_back(ParseBody({"elif", "else", "endif"}));
    }
    if (in_.SkipName("else")) {
      EndTag();
      statement->bodies.push_back(ParseBody({"endif"}));
    }
    in_.Take();
    EndTag();
    return statement;
  }

  // One name, or several with commas, alone or in parentheses.
  void Targets(Statement* statement) {
    const bool parenthesis = in_.SkipOperator("(");
    while (true) {
      if (in_.AtOperator("(")) env_.Unsupported("taking nested tuples apart");
      statement->targets.push_back(Variable());
      if (!in_.SkipOperator(",")) break;
      statement->unpack = true;
      if (in_.AtName("in") || in_.AtOperator("=") || in_.AtOperator(")")) break;
    }
    if (parenthesis) in_.ExpectOperator(")");
  }

  std::string Variable() {
    static constexpr std::array<std::string_view, 9> kReserved = {
        "true", "false", "none", "True", "False", "None", "not", "if", "in"};
    std::string name = in_.ExpectName("a variable's name");
    if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
      env_.Malformed("\"{}\" is no variable", name);
    }
    return name;
  }

  StatementPtr For() {
    StatementPtr statement = Make(StatementKind::kFor);
    in_.Take();
    Targets(statement.get());
    if (!in_.SkipName("in")) env_.Malformed("{} where \"in\" is needed", in_.Shown());
    statement->exprs.push_back(in_.TupleOrExpression(/*conditional=*/false));
    if (in_.SkipName("if")) statement->exprs.push_back(in_.Expression());
    if (in_.AtName("recursive")) env_.Unsupported("a recursive loop");
    EndTag();
    ++loops_;
    statement->bodies.push_back(ParseBody({"else", "endfor"}));
    --loops_;
    if (in_.SkipName("else")) {
      EndTag();
      statement->bodies.push_back(ParseBody({"endfor"}));
    }
    in_.Take();
    EndTag();
    return statement;
  }

  ExprPtr BlockFilters() { return in_.FilterChain(in_.Make(ExprKind::kName, kBlockBody)); }

  StatementPtr Set() {
    StatementPtr statement = Make(StatementKind::kSet);
    in_.Take();
    Targets(statement.get());
    if (in_.SkipOperator(".")) {
      if (statement->targets.size() != 1) env_.Unsupported("setting several members at once");
      statement->kind = StatementKind::kSetMember;
      statement->text = in_.ExpectName("a member's name");
    }
    if (in_.SkipOperator("=")) {
      statement->exprs.push_back(in_.TupleOrExpression());
      EndTag();
      return statement;
    }
    if (statement->kind != StatementKind::kSet || statement->unpack) {
      env_.Malformed("{} where \"=\" is needed", in_.Shown());
    }
    statement->kind = StatementKind::kSetBlock;
    if (in_.SkipOperator("|")) statement->exprs.push_back(BlockFilters());
    EndTag();
    statement->bodies.push_back(ParseBody({"endset"}));
    in_.Take();
    EndTag();
    return statement;
  }

  StatementPtr Macro() {
    // So that a macro sees the variables of the whole template and its own, and no others.
    if (loops_ > 0 || scopes_ > 0) env_.Unsupported("a macro within a loop or another block");
    StatementPtr statement = Make(StatementKind::kMacro);
    in_.Take();
    statement->text = Variable();
    in_.ExpectOperator("(");
    while (!in_.AtOperator(")")) {
      std::string parameter = Variable();
      env_.ChargeRead(statement->targets.size());
      const auto& targets = statement->targets;
      if (std::find(targets.begin(), targets.end(), parameter) != targets.end()) {
        env_.Malformed("the parameter \"{}\" stands twice", parameter);
      }
      statement->targets.push_back(std::move(parameter));
      if (in_.SkipOperator("=")) {
        statement->exprs.push_back(in_.Expression());
      } else if (!statement->exprs.empty()) {
        env_.Malformed("a parameter without default behind one with a default");
      }
      if (!in_.SkipOperator(",")) break;
    }
    in_.ExpectOperator(")");
    EndTag();
    const int loops = std::exchange(loops_, 0);
    ++scopes_;
    statement->bodies.push_back(ParseBody({"endmacro"}));
    --scopes_;
    loops_ = loops;
    in_.SkipName("endmacro");
    in_.SkipName(statement->text);
    EndTag();
    return statement;
  }

  StatementPtr With() {
    StatementPtr statement = Make(StatementKind::kWith);
    in_.Take();
    while (!in_.At(TokenKind::kBlockEnd)) {
      statement->targets.push_back(Variable());
      in_.ExpectOperator("=");
      statement->exprs.push_back(in_.Expression());
      if (!in_.SkipOperator(",")) break;
    }
    EndTag();
    ++scopes_;
    statement->bodies.push_back(ParseBody({"endwith"}));
    --scopes_;
    in_.Take();
    EndTag();
    return statement;
  }

  StatementPtr FilterBlock() {
    StatementPtr statement = Make(StatementKind::kFilterBlock);
    in_.Take();
    statement->exprs.push_back(BlockFilters());
    EndTag();
    ++scopes_;
    statement->bodies.push_back(ParseBody({"endfilter"}));
    --scopes_;
    in_.Take();
    EndTag();
    return statement;
  }

  // Marks what an assistant said, for training; the text is as without it.
  StatementPtr Generation() {
    StatementPtr statement = Make(StatementKind::kScope);
    in_.Take();
    EndTag();
    ++scopes_;
    statement->bodies.push_back(ParseBody({"endgeneration"}));
    --scopes_;
    in_.Take();
    EndTag();
    return statement;
  }

  StatementPtr LoopControl() {
    StatementPtr statement =
        Make(in_.AtName("break") ? StatementKind::kBreak : StatementKind::kContinue);
    const std::string name = in_.Take().text;
    if (loops_ == 0) env_.Malformed("{} outside a loop", name);
    EndTag();
    return statement;
  }

  Env& env_;
  ExpressionParser in_;
  int depth_ = 0;
  int loops_ = 0;   // around this place, within its macro
  int scopes_ = 0;  // blocks with variables of their own around this place, loops aside
};

}  // namespace

Body Parse(Env& env, std::string_view source) {
  const size_t valid = ValidUtf8Prefix(source);
  if (valid != source.size()) env.Malformed("the byte at offset {} is not UTF-8", valid);
  return Parser(env, source).Run();
}

}  // namespace tern::jinja
