// SPDX-License-Identifier: MIT
#include "tern/core/backend.h"

namespace tern {

const char* OpName(Op op) {
  switch (op) {
#define TERN_OP(name) \
  case Op::k##name:   \
    return #name;
#include "tern/core/ops.inc"
#undef TERN_OP
  }
  return "unknown";
}

}  // namespace tern
