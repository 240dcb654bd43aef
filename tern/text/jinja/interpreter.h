// SPDX-License-Identifier: MIT
// Runs a parsed template on variables.
#pragma once

#include <string>

#include "tern/text/jinja/ast.h"

namespace tern::jinja {

// `variables` is a dict. Throws Error as env's messages say.
std::string Run(Env& env, const Body& body, const Value& variables);

}  // namespace tern::jinja
