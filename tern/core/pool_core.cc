// SPDX-License-Identifier: MIT
#include "tern/core/pool_core.h"

#include <algorithm>
#include <new>

#include "tern/base/error.h"

namespace tern::internal {
namespace {

constexpr size_t kMinGrowthBytes = size_t{1} << 20;
constexpr size_t kMaxGrowthBytes = size_t{64} << 20;

// By how much a thread's use may be less than what the pool knows of it. Pairs of every size that
// is kept at hand stay below.
constexpr int64_t kMaxUnpublishedBytes = kMaxFrontBytes;

}  // namespace

void PoolCore::Link(ThreadCache* cache) {
  cache->next = caches_;
  cache->prev = nullptr;
  if (caches_ != nullptr) {
    caches_->prev = cache;
  }
  caches_ = cache;
}

ThreadCache* PoolCore::Attach() {
  auto cache = std::make_unique<ThreadCache>();
  std::lock_guard lock(mutex_);
  Link(cache.get());
  return cache.release();
}

void PoolCore::Detach(ThreadCache* cache) {
  std::scoped_lock lock(shared_mutex_, mutex_);
  if (closed()) {
    return;
  }
  FlushAllLocked(cache);
  Publish(cache);
  for (auto& place : cache->front) {
    if (BlockHeader* block = place.exchange(nullptr, std::memory_order_acquire)) {
      heap_->Put(block);
    }
  }
  for (int t = 0; t < kMemoryTagCount; ++t) {
    TagCounters& to = shared_.tags[t];
    const TagCounters& from = cache->tags[t];
    to.allocated_bytes.Add(from.allocated_bytes.get());
    to.released_bytes.Add(from.released_bytes.get());
    to.allocations.Add(from.allocations.get());
    to.releases.Add(from.releases.get());
  }
  (cache->prev != nullptr ? cache->prev->next : caches_) = cache->next;
  if (cache->next != nullptr) {
    cache->next->prev = cache->prev;
  }
  delete cache;
}

void PoolCore::Close() {
  std::lock_guard lock(mutex_);
  closed_.store(true, std::memory_order_release);
  while (caches_ != nullptr) {
    ThreadCache* cache = caches_;
    caches_ = cache->next;
    if (cache != &shared_) {
      delete cache;
    }
  }
  heap_.reset();
}

// A locked instruction costs as much as all the rest of a pair, so a thread publishes what it uses
// only when that passes what it has published, or falls far behind.
void PoolCore::Charge(ThreadCache* cache, int64_t bytes) {
  cache->used_bytes += bytes;
  const int64_t unpublished = cache->used_bytes - cache->published_bytes;
  if (unpublished > 0 || -unpublished > kMaxUnpublishedBytes) [[unlikely]] {
    Publish(cache);
  }
}

void PoolCore::Publish(ThreadCache* cache) {
  const int64_t change = cache->used_bytes - cache->published_bytes;
  cache->published_bytes = cache->used_bytes;
  const int64_t used = used_bytes_.fetch_add(change, std::memory_order_relaxed) + change;
  int64_t peak = peak_bytes_.load(std::memory_order_relaxed);
  while (used > peak && !peak_bytes_.compare_exchange_weak(peak, used, std::memory_order_relaxed)) {
  }
}

// ---- Small blocks

void* PoolCore::Allocate(ThreadCache* cache, size_t bytes, MemoryTag tag) {
  if (cache == nullptr) {
    std::lock_guard lock(shared_mutex_);
    return Allocate(&shared_, bytes, tag);
  }
  if (bytes > kSmallMaxBytes) {
    return AllocateLarge(cache, bytes, tag);
  }
  const int size_class = SizeClass(bytes);
  if (cache->bins[size_class].head == nullptr) {
    Refill(cache, size_class, bytes);
  }
  return cache->Pop(size_class, this, bytes, tag);
}

void PoolCore::Refill(ThreadCache* cache, int size_class, size_t bytes) {
  std::lock_guard lock(mutex_);
  ThreadCache::Bin& bin = cache->bins[size_class];
  const uint32_t batch = BatchCount(size_class);
  while (bin.count() < batch) {
    Slab* slab = slabs_[size_class];
    if (slab == nullptr) {
      if (bin.head != nullptr) {
        return;  // a new slab only when there is nothing else
      }
      slab = MakeSlab(cache, size_class, bytes);
    }
    while (bin.count() < batch && slab->free != nullptr) {
      BlockHeader* block = slab->free;
      slab->free = block->next;
      --slab->free_count;
      bin.Push(block);
    }
    if (slab->free == nullptr) {
      UnlinkSlab(slab, size_class);
    }
  }
}

Slab* PoolCore::MakeSlab(ThreadCache* cache, int size_class, size_t bytes) {
  const size_t stride_bytes = StrideBytes(size_class);
  const size_t count = std::clamp<size_t>((size_t{32} << 10) / stride_bytes, 4, 256);
  const size_t total_bytes = sizeof(BlockHeader) + sizeof(Slab) + count * stride_bytes;
  BlockHeader* heap_block = TakeLocked(cache, total_bytes, bytes);
  Charge(cache, static_cast<int64_t>(heap_block->total_bytes));
  UnpoisonMemory(heap_block->payload(), sizeof(Slab));
  auto* slab = new (heap_block->payload()) Slab{};
  slab->total_count = slab->free_count = static_cast<uint32_t>(count);
  std::byte* first = reinterpret_cast<std::byte*>(slab + 1);
  for (size_t i = count; i-- > 0;) {
    void* place = first + i * stride_bytes;
    UnpoisonMemory(place, sizeof(BlockHeader));
    auto* block = new (place) BlockHeader{};
    block->slab = slab;
    block->size_class = static_cast<uint16_t>(size_class);
    block->total_bytes = stride_bytes;
    block->next = slab->free;
    slab->free = block;
  }
  LinkSlab(slab, size_class);
  return slab;
}

void PoolCore::LinkSlab(Slab* slab, int size_class) {
  slab->prev = nullptr;
  slab->next = slabs_[size_class];
  if (slab->next != nullptr) {
    slab->next->prev = slab;
  }
  slabs_[size_class] = slab;
}

void PoolCore::UnlinkSlab(Slab* slab, int size_class) {
  (slab->prev != nullptr ? slab->prev->next : slabs_[size_class]) = slab->next;
  if (slab->next != nullptr) {
    slab->next->prev = slab->prev;
  }
}

void PoolCore::FlushExcess(ThreadCache* cache, int size_class) {
  std::lock_guard lock(mutex_);
  FlushLocked(cache, size_class, cache->bins[size_class].limit - BatchCount(size_class));
}

void PoolCore::FlushLocked(ThreadCache* cache, int size_class, uint32_t keep) {
  ThreadCache::Bin& bin = cache->bins[size_class];
  while (bin.count() > keep) {
    BlockHeader* block = bin.Pop();
    Slab* slab = block->slab;
    block->next = slab->free;
    slab->free = block;
    if (++slab->free_count == 1) {
      LinkSlab(slab, size_class);
    }
    if (slab->free_count == slab->total_count) {
      UnlinkSlab(slab, size_class);
      Charge(cache, -static_cast<int64_t>(slab->heap_block()->total_bytes));
      heap_->Put(slab->heap_block());
    }
  }
}

void PoolCore::FlushAllLocked(ThreadCache* cache) {
  for (int c = 0; c < kSmallClasses; ++c) {
    FlushLocked(cache, c, 0);
  }
}

void PoolCore::Release(ThreadCache* cache, BlockHeader* block) {
  if (cache == nullptr) {
    std::lock_guard lock(shared_mutex_);
    Release(&shared_, block);
    return;
  }
  if (block->size_class == kLargeClass) {
    ReleaseLarge(cache, block);
    return;
  }
  if (!cache->Push(block)) {
    FlushExcess(cache, block->size_class);
  }
}

// ---- Large blocks

void* PoolCore::AllocateLarge(ThreadCache* cache, size_t bytes, MemoryTag tag) {
  BlockHeader* block = nullptr;
  if (bytes > kMaxHeapBytes) {
    std::lock_guard lock(mutex_);
    FailLocked(bytes);
  }
  const size_t total_bytes = (bytes + 63) / 64 * 64 + sizeof(BlockHeader);
  if (total_bytes <= kMaxFrontBytes) {
    auto& place = cache->front[HeapBin(total_bytes)];
    if (place.load(std::memory_order_relaxed) != nullptr) {
      block = place.exchange(nullptr, std::memory_order_acquire);
      if (block != nullptr && block->total_bytes < total_bytes) {
        place.store(block, std::memory_order_release);
        block = nullptr;
      }
    }
  }
  if (block == nullptr) {
    std::lock_guard lock(mutex_);
    block = TakeLocked(cache, total_bytes, bytes);
    block->size_class = kLargeClass;
  }
  Charge(cache, static_cast<int64_t>(block->total_bytes));
  cache->tags[static_cast<size_t>(tag)].CountAllocation(block->payload_bytes());
  return Open(block, this, bytes, tag);
}

void PoolCore::ReleaseLarge(ThreadCache* cache, BlockHeader* block) {
  cache->tags[block->tag].CountRelease(block->payload_bytes());
  Charge(cache, -static_cast<int64_t>(block->total_bytes));
  internal::Close(block);
  if (block->total_bytes <= kMaxFrontBytes) {
    auto& place = cache->front[HeapBin(block->total_bytes)];
    if (place.load(std::memory_order_relaxed) == nullptr) {
      place.store(block, std::memory_order_release);
      return;
    }
  }
  std::lock_guard lock(mutex_);
  heap_->Put(block);
}

void PoolCore::StealFrontsLocked() {
  for (ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
    for (auto& place : cache->front) {
      if (place.load(std::memory_order_relaxed) == nullptr) {
        continue;
      }
      if (BlockHeader* block = place.exchange(nullptr, std::memory_order_acquire)) {
        heap_->Put(block);
      }
    }
  }
}

// A block from the heap, at more and more cost. `bytes` is what the user asked for.
BlockHeader* PoolCore::TakeLocked(ThreadCache* cache, size_t total_bytes, size_t bytes) {
  if (BlockHeader* block = heap_->Take(total_bytes)) {
    return block;
  }
  StealFrontsLocked();
  if (BlockHeader* block = heap_->Take(total_bytes)) {
    return block;
  }
  if (!GrowLocked(total_bytes)) {
    FlushAllLocked(cache);
    heap_->ReleaseEmptySegments();
    BlockHeader* block = heap_->Take(total_bytes);
    if (block != nullptr) {
      return block;
    }
    if (!GrowLocked(total_bytes)) {
      FailLocked(bytes);
    }
  }
  return heap_->Take(total_bytes);
}

bool PoolCore::GrowLocked(size_t total_bytes) {
  const size_t need_bytes = LargeHeap::SegmentBytes(total_bytes);
  const size_t growth_bytes = LargeHeap::SegmentBytes(
      std::clamp(heap_->system_bytes() / 2, kMinGrowthBytes, kMaxGrowthBytes));
  const auto fits = [&](size_t segment_bytes) {
    return byte_limit_ == 0 ||
           (segment_bytes <= byte_limit_ && heap_->system_bytes() <= byte_limit_ - segment_bytes);
  };
  if (need_bytes < growth_bytes && fits(growth_bytes) && heap_->Grow(growth_bytes)) {
    return true;
  }
  if (need_bytes > growth_bytes || !fits(need_bytes)) {
    heap_->ReleaseEmptySegments();  // they are too small, and would only add up
  }
  return fits(need_bytes) && heap_->Grow(need_bytes);
}

void PoolCore::FailLocked(size_t bytes) const {
  const size_t live_bytes = StatsLocked().live_bytes;
  if (byte_limit_ != 0) {
    Fail(ErrorKind::kOutOfMemory,
         "memory limit: a request of {} bytes does not fit beside {} live bytes ({} held) under "
         "the limit of {} bytes; raise the limit, or use a smaller batch or context",
         bytes, live_bytes, heap_->system_bytes(), byte_limit_);
  }
  Fail(ErrorKind::kOutOfMemory,
       "out of memory: the system has no room for a request of {} bytes beside {} live bytes ({} "
       "held, no limit set); use a smaller batch or context",
       bytes, live_bytes, heap_->system_bytes());
}

// ---- The whole pool

size_t PoolCore::Trim(ThreadCache* cache) {
  if (cache == nullptr) {
    std::lock_guard lock(shared_mutex_);
    return Trim(&shared_);
  }
  std::lock_guard lock(mutex_);
  FlushAllLocked(cache);
  StealFrontsLocked();
  return heap_->ReleaseEmptySegments();
}

MemoryStats PoolCore::stats() const {
  std::lock_guard lock(mutex_);
  return StatsLocked();
}

MemoryStats PoolCore::StatsLocked() const {
  MemoryStats stats;
  for (const ThreadCache* cache = caches_; cache != nullptr; cache = cache->next) {
    for (int t = 0; t < kMemoryTagCount; ++t) {
      const TagCounters& counters = cache->tags[t];
      // Modulo 2^64: a thread may release more than it allocated.
      stats.tags[t].live_bytes += counters.allocated_bytes.get() - counters.released_bytes.get();
      stats.tags[t].allocations += counters.allocations.get();
      stats.tags[t].releases += counters.releases.get();
    }
  }
  for (const MemoryTagStats& tag : stats.tags) {
    stats.live_bytes += tag.live_bytes;
    stats.allocations += tag.allocations;
    stats.releases += tag.releases;
  }
  stats.peak_bytes = static_cast<size_t>(peak_bytes_.load(std::memory_order_relaxed));
  stats.system_bytes = heap_->system_bytes();
  stats.system_calls = heap_->system_calls();
  stats.cached_bytes = stats.system_bytes - std::min(stats.system_bytes, stats.live_bytes);
  return stats;
}

}  // namespace tern::internal
