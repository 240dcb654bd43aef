// SPDX-License-Identifier: MIT
#include "tests/alloc_counter.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TERN_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TERN_SANITIZER 1
#endif
#endif

namespace tern {
namespace {
std::atomic<uint64_t> count{0};
}

uint64_t SystemAllocations() { return count.load(std::memory_order_relaxed); }

void CountSystemAllocation() noexcept { count.fetch_add(1, std::memory_order_relaxed); }

bool CountsSystemAllocations() {
#ifdef TERN_SANITIZER
  return false;
#else
  return true;
#endif
}

}  // namespace tern

#ifndef TERN_SANITIZER

// glibc's own names of the functions that are replaced.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* block, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) {
  tern::CountSystemAllocation();
  return __libc_malloc(bytes);
}

void* calloc(size_t count, size_t bytes) {
  tern::CountSystemAllocation();
  return __libc_calloc(count, bytes);
}

void* realloc(void* block, size_t bytes) {
  tern::CountSystemAllocation();
  return __libc_realloc(block, bytes);
}

void* memalign(size_t alignment, size_t bytes) {
  tern::CountSystemAllocation();
  return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void** block, size_t alignment, size_t bytes) {
  void* memory = memalign(alignment, bytes);
  if (memory == nullptr) return ENOMEM;
  *block = memory;
  return 0;
}

void* mmap(void* address, size_t bytes, int protection, int flags, int file, off_t offset) {
  tern::CountSystemAllocation();
  // syscall() turns the error into errno and -1, which is MAP_FAILED.
  return reinterpret_cast<void*>(
      syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}
}  // extern "C"

#endif  // TERN_SANITIZER
