// SPDX-License-Identifier: MIT
#include "tern/base/error.h"

#include <fmt/format.h>

namespace tern {

const char* ErrorKindName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return "invalid argument";
    case ErrorKind::kInvalidFile:
      return "invalid file";
    case ErrorKind::kIo:
      return "input/output";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kOutOfMemory:
      return "out of memory";
    case ErrorKind::kNumeric:
      return "numeric";
  }
  return "unknown";
}

namespace internal {
void ThrowFormatted(ErrorKind kind, fmt::string_view format, fmt::format_args args) {
  throw Error(kind, fmt::vformat(format, args));
}
}  // namespace internal

}  // namespace tern
