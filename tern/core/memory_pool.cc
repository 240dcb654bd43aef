// SPDX-License-Identifier: MIT
#include "tern/core/memory_pool.h"

#include <fmt/format.h>

#include <array>

#include "tern/base/check.h"
#include "tern/core/pool_core.h"
#include "tern/core/thread_cache.h"

namespace tern {
namespace internal {
namespace {

// The pool that this thread used last. Trivial, so that reading it needs no guard and works in the
// destructors of other thread-local objects; and addressed without a call even in code that may
// become part of a shared library, where the general model would cost the warm paths a third.
struct LastUsed {
  PoolCore* core;
  ThreadCache* cache;
  bool ended;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local LastUsed last_used{nullptr, nullptr,
                                                                             false};

// The caches of this thread, given back when it ends.
class ThreadTable {
 public:
  ~ThreadTable() {
    last_used = {nullptr, nullptr, true};
    for (Entry& entry : entries_) {
      entry.core->Detach(entry.cache);
    }
  }

  ThreadCache* Find(const std::shared_ptr<PoolCore>& core) {
    for (Entry& entry : entries_) {
      if (entry.core == core) {
        return entry.cache;
      }
    }
    std::erase_if(entries_, [](const Entry& entry) { return entry.core->closed(); });
    entries_.reserve(entries_.size() + 1);
    ThreadCache* cache = core->Attach();
    entries_.push_back({core, cache});
    return cache;
  }

 private:
  struct Entry {
    std::shared_ptr<PoolCore> core;
    ThreadCache* cache;  // dead when the core is closed
  };
  std::vector<Entry> entries_;
};
thread_local ThreadTable thread_table;

[[gnu::noinline]] ThreadCache* FindCache(const std::shared_ptr<PoolCore>& core) {
  if (last_used.ended) {
    return nullptr;
  }
  last_used = {nullptr, nullptr, false};  // its core may go as Find forgets the closed ones
  ThreadCache* cache = thread_table.Find(core);
  last_used = {core.get(), cache, false};
  return cache;
}

ThreadCache* CacheOf(const std::shared_ptr<PoolCore>& core) {
  return last_used.core == core.get() ? last_used.cache : FindCache(core);
}

// Out of line, so that the warm paths save no registers.
[[gnu::noinline]] void* AllocateSlowly(const std::shared_ptr<PoolCore>& core, size_t bytes,
                                       MemoryTag tag) {
  return core->Allocate(CacheOf(core), bytes, tag);
}
[[gnu::noinline]] void ReleaseSlowly(const std::shared_ptr<PoolCore>& core,
                                     BlockHeader* block) noexcept {
  core->Release(CacheOf(core), block);
}
[[gnu::noinline]] void FlushExcess(PoolCore* core, int size_class) noexcept {
  core->FlushExcess(last_used.cache, size_class);
}

}  // namespace
}  // namespace internal

const char* MemoryTagName(MemoryTag tag) {
  constexpr std::array<const char*, kMemoryTagCount> kNames = {"tensor",  "workspace", "tape",
                                                               "weights", "cache",     "other"};
  return kNames[static_cast<size_t>(tag)];
}

MemoryPool::MemoryPool(MemoryPoolOptions options)
    : core_(std::make_shared<internal::PoolCore>(options)) {}

MemoryPool::~MemoryPool() { core_->Close(); }

void* MemoryPool::Allocate(size_t bytes, MemoryTag tag) {
  using internal::last_used;
  if (last_used.core == core_.get() && bytes <= internal::kSmallMaxBytes) [[likely]] {
    const int size_class = internal::SizeClass(bytes);
    if (void* memory = last_used.cache->Pop(size_class, core_.get(), bytes, tag)) [[likely]] {
      return memory;
    }
  }
  return internal::AllocateSlowly(core_, bytes, tag);
}

void MemoryPool::Release(void* memory) noexcept {
  using internal::last_used;
  if (memory == nullptr) {
    return;
  }
  internal::BlockHeader* block = static_cast<internal::BlockHeader*>(memory) - 1;
  TERN_CHECK(block->owner == core_.get());  // released twice, or another pool's
  if (last_used.core == core_.get() && block->size_class != internal::kLargeClass) [[likely]] {
    if (last_used.cache->Push(block)) [[likely]] {
      return;
    }
    return internal::FlushExcess(core_.get(), block->size_class);
  }
  internal::ReleaseSlowly(core_, block);
}

MemoryStats MemoryPool::stats() const { return core_->stats(); }

size_t MemoryPool::Trim() { return core_->Trim(internal::CacheOf(core_)); }

std::string MemoryPool::LeakReport() const {
  const MemoryStats now = stats();
  std::string report;
  for (int t = 0; t < kMemoryTagCount; ++t) {
    const MemoryTagStats& tag = now.tags[t];
    if (tag.allocations != tag.releases) {
      report += fmt::format("{}: {} blocks, {} bytes\n", MemoryTagName(static_cast<MemoryTag>(t)),
                            tag.allocations - tag.releases, tag.live_bytes);
    }
  }
  return report;
}

}  // namespace tern
