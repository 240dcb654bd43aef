// SPDX-License-Identifier: MIT
// The calls on which backends must agree. Adding an op to a backend asks for a case here.
#pragma once

#include <string>
#include <vector>

#include "tern/core/backend.h"
#include "tests/conformance/operand.h"

namespace tern::conformance {

struct Case {
  Op op;
  std::vector<Operand> inputs;
  std::vector<Operand> outputs;  // hold drawn values when the op runs, which it may add to
  OpAttrs attrs = {};

  std::string ToString() const;
};

// All cases, of every op.
std::vector<Case> AllCases();

}  // namespace tern::conformance
