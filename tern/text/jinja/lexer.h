// SPDX-License-Identifier: MIT
// A template's text as tokens, with the white space that transformers' settings of Jinja take away:
// trim_blocks (the line feed behind a block tag), lstrip_blocks (blanks before one on its line), no
// line feed at the end, and the signs {%- -%} {%+ +%}. Comments are gone, raw blocks are text.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "tern/text/jinja/env.h"

namespace tern::jinja {

enum class TokenKind : uint8_t {
  kText,
  kPrintBegin,
  kPrintEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,  // unescaped
  kInt,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  int line;
  std::string text;
};

// Ends with kEnd. Throws Error that names the line.
std::deque<Token> Tokenize(Env& env, std::string_view source);

}  // namespace tern::jinja
