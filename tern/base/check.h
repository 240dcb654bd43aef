// SPDX-License-Identifier: MIT
// TERN_CHECK(condition) aborts with file, line and the condition when a programmer broke a
// contract. It stays on in release builds. What a user can cause is tern::Error (error.h).
#pragma once

namespace tern::internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition) noexcept;
}  // namespace tern::internal

#define TERN_CHECK(condition)                                        \
  do {                                                               \
    if (!(condition)) [[unlikely]] {                                 \
      ::tern::internal::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                                \
  } while (false)
