// SPDX-License-Identifier: MIT
// From a template's text to its tree. What Jinja's grammar has and the subset lacks is an Error
// that names it: include, import, extends, block, call, recursive loops. Filters, tests and methods
// are looked for when they are reached, as Jinja does within an `if`: a template may hold, for a
// case that never comes, what the subset lacks.
#pragma once

#include <string_view>

#include "tern/text/jinja/ast.h"

namespace tern::jinja {

Body Parse(Env& env, std::string_view source);

}  // namespace tern::jinja
