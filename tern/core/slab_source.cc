// SPDX-License-Identifier: MIT
#include "tern/core/slab_source.h"

#include <sys/mman.h>

namespace tern {
namespace {

class SystemSource final : public SlabSource {
 public:
  void* Map(size_t bytes) noexcept override {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
  }

  void Unmap(void* memory, size_t bytes) noexcept override { munmap(memory, bytes); }
};

}  // namespace

SlabSource& SystemMemory() {
  static SystemSource source;
  return source;
}

}  // namespace tern
