// SPDX-License-Identifier: MIT
// The shared part of a MemoryPool: slabs of small blocks and the heap of large ones behind one
// lock, from which threads fill their caches. Knows the caches of all its threads, but not which
// thread is calling: every function takes the caller's cache.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "tern/core/large_heap.h"
#include "tern/core/memory_pool.h"
#include "tern/core/slab_source.h"
#include "tern/core/thread_cache.h"

namespace tern::internal {

// The pool proper. Threads that used it share it, so that its address stays its own until the last
// of them forgot it; Close() takes everything out when the MemoryPool dies.
class PoolCore {
 public:
  explicit PoolCore(const MemoryPoolOptions& options)
      : byte_limit_(options.byte_limit),
        heap_(std::make_unique<LargeHeap>(options.source != nullptr ? options.source
                                                                    : &SystemMemory())) {
    Link(&shared_);
  }

  bool closed() const { return closed_.load(std::memory_order_acquire); }
  void Close();

  ThreadCache* Attach();
  void Detach(ThreadCache* cache);

  // `cache` is the calling thread's, or null for one that is past its end.
  void* Allocate(ThreadCache* cache, size_t bytes, MemoryTag tag);
  void Release(ThreadCache* cache, BlockHeader* block);
  // Takes blocks out of a bin that is beyond its limit.
  void FlushExcess(ThreadCache* cache, int size_class);
  size_t Trim(ThreadCache* cache);
  MemoryStats stats() const;

 private:
  void Link(ThreadCache* cache);
  void* AllocateLarge(ThreadCache* cache, size_t bytes, MemoryTag tag);
  void ReleaseLarge(ThreadCache* cache, BlockHeader* block);
  void Refill(ThreadCache* cache, int size_class, size_t bytes);
  void FlushLocked(ThreadCache* cache, int size_class, uint32_t keep);
  void FlushAllLocked(ThreadCache* cache);
  Slab* MakeSlab(ThreadCache* cache, int size_class, size_t bytes);
  void LinkSlab(Slab* slab, int size_class);
  void UnlinkSlab(Slab* slab, int size_class);
  BlockHeader* TakeLocked(ThreadCache* cache, size_t total_bytes, size_t bytes);
  bool GrowLocked(size_t total_bytes);
  void StealFrontsLocked();
  MemoryStats StatsLocked() const;
  [[noreturn]] void FailLocked(size_t bytes) const;
  // Counts bytes that the thread took out of the heap, or with a minus gave back.
  void Charge(ThreadCache* cache, int64_t bytes);
  void Publish(ThreadCache* cache);

  const size_t byte_limit_;
  std::atomic<bool> closed_{false};
  std::atomic<int64_t> used_bytes_{0};  // out of the heap but for the fronts, as published
  std::atomic<int64_t> peak_bytes_{0};

  mutable std::mutex mutex_;  // guards all that follows
  std::unique_ptr<LargeHeap> heap_;
  std::array<Slab*, kSmallClasses> slabs_{};
  ThreadCache* caches_ = nullptr;
  ThreadCache shared_;       // of threads past their end, and the counts of those that are gone
  std::mutex shared_mutex_;  // held by whoever plays the owner of shared_; taken before mutex_
};

}  // namespace tern::internal
