// SPDX-License-Identifier: MIT
// Where a MemoryPool gets its memory from, in pieces of at least a page. A device with memory of
// its own, or a test that counts or refuses, implements SlabSource; the host uses SystemMemory().
#pragma once

#include <cstddef>

namespace tern {

class SlabSource {
 public:
  virtual ~SlabSource() = default;

  // `bytes` (a multiple of kPageBytes) of zeroed memory, aligned to kPageBytes; null if there is
  // none. May be called from any thread; a pool calls it under its own lock.
  virtual void* Map(size_t bytes) noexcept = 0;
  // Takes back exactly what one Map gave.
  virtual void Unmap(void* memory, size_t bytes) noexcept = 0;

  static constexpr size_t kPageBytes = 4096;
};

// The operating system's anonymous memory. Stateless, lives for the whole program.
SlabSource& SystemMemory();

}  // namespace tern
