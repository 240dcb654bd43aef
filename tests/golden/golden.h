// SPDX-License-Identifier: MIT
// Where the golden tests find their data: $TERN_GOLDEN/NAME if that is set, else the small copy in
// tests/golden/NAME. Neither may be missing: a test that cannot read its data fails.
#pragma once

#include <string>

#include "tern/base/settings.h"

namespace tern {

inline std::string GoldenDir(const std::string& name) {
  const std::string outside = ReadSettings().golden_dir;
  return (outside.empty() ? std::string(TERN_GOLDEN_IN_TREE) : outside) + "/" + name;
}

}  // namespace tern
