// SPDX-License-Identifier: MIT
#include "tern/base/error.h"

#include <fmt/format.h>

namespace tern {

namespace internal {
void ThrowFormatted(ErrorKind kind, fmt::string_view format, fmt::format_args args) {
  throw Error(kind, fmt::vformat(format, args));
}
}  // namespace internal

}  // namespace tern
