// SPDX-License-Identifier: MIT
// What the environment may set. This is its only reader: everything else is given the result.
#pragma once

#include <string>

#include "tern/base/function_ref.h"

namespace tern {

// The most threads that a pool may be asked for.
inline constexpr int kMaxThreads = 1024;

struct Settings {
  std::string cpu_target;  // TERN_CPU: name of the CPU target to force; empty: the best there is
  std::string golden_dir;  // TERN_GOLDEN: a golden set in place of the one in the tree; empty: none
  int threads = 0;         // TERN_THREADS: 1 ... kMaxThreads; 0: not set, as many as cores
};

// Throws Error(kInvalidArgument) naming the variable and what it takes. A variable that is set to
// nothing counts as not set. Whether cpu_target names a target is for the list of targets to say.
Settings ReadSettings();

// The same from another lookup, which returns a null pointer for a variable that is not set.
Settings ReadSettings(FunctionRef<const char*(const char*)> lookup);

}  // namespace tern
