// SPDX-License-Identifier: MIT
// tern::Error is what the library throws for everything that a user can cause: bad input, bad
// files, a resource that ran out. The message names the operand or the file and place, and what
// would mend it. Programmer mistakes are TERN_CHECK's (check.h) and abort.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>

namespace tern {

enum class ErrorKind {
  kInvalidArgument,  // a value, shape or option that the operation does not take
  kInvalidFile,      // a file's content is not what its format asks for
  kIo,               // the operating system refused: missing, unreadable, full, read-only
  kUnsupported,      // well-formed, but not available here (op, CPU target, model family)
  kOutOfMemory,      // the memory limit or the system's memory is reached
  kNumeric,          // NaN or infinity where a finite number is needed
  kCancelled,        // the caller asked for the end of what it had begun
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

namespace internal {
[[noreturn]] void ThrowFormatted(ErrorKind kind, fmt::string_view format, fmt::format_args args);
}  // namespace internal

// Throws an Error with a formatted message: Fail(ErrorKind::kInvalidFile, "{}: ...", path).
template <typename... Args>
[[noreturn]] void Fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  internal::ThrowFormatted(kind, format, fmt::make_format_args(args...));
}

}  // namespace tern
