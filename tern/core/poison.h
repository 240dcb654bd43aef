// SPDX-License-Identifier: MIT
// Forbids or allows access to memory under AddressSanitizer; does nothing, at no cost, otherwise.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define TERN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TERN_ASAN 1
#endif
#endif
#ifdef TERN_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace tern::internal {

inline void PoisonMemory([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) noexcept {
#ifdef TERN_ASAN
  __asan_poison_memory_region(memory, bytes);
#endif
}

inline void UnpoisonMemory([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) noexcept {
#ifdef TERN_ASAN
  __asan_unpoison_memory_region(memory, bytes);
#endif
}

}  // namespace tern::internal
