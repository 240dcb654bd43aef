// SPDX-License-Identifier: MIT
#include "tern/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace tern::internal {

void CheckFailed(const char* file, int line, const char* condition) noexcept {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace tern::internal
