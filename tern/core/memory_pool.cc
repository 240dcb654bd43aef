// SPDX-License-Identifier: MIT
#include "tern/core/memory_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/core/large_heap.h"
#include "tern/core/slab_source.h"

namespace tern {
namespace internal {
namespace {

// Small classes by payload: every 64 bytes to 1 KiB, then eight to each power of two to 32 KiB.
constexpr size_t kSmallMaxBytes = 32 * 1024;
constexpr int kSmallClasses = 16 + 5 * 8;
constexpr uint16_t kLargeClass = kSmallClasses;

struct ClassTable {
  std::array<uint32_t, kSmallClasses> payload_bytes{};
  std::array<uint8_t, kSmallMaxBytes / 64 + 1> class_of{};  // by bytes in units of 64, rounded up

  constexpr ClassTable() {
    size_t bytes = 0;
    size_t unit = 0;
    for (int c = 0; c < kSmallClasses; ++c) {
      bytes += c < 16 ? 64 : size_t{128} << ((c - 16) / 8);
      payload_bytes[c] = static_cast<uint32_t>(bytes);
      for (; unit * 64 <= bytes; ++unit) {
        class_of[unit] = static_cast<uint8_t>(c);
      }
    }
  }
};
constexpr ClassTable kClasses;
static_assert(kClasses.payload_bytes[kSmallClasses - 1] == kSmallMaxBytes);
static_assert(kClasses.class_of[kSmallMaxBytes / 64] == kSmallClasses - 1);

// Large blocks to this size may wait at hand in the thread that released them, one per bin.
constexpr size_t kMaxFrontBytes = size_t{8} << 20;
constexpr int kFrontBins = (23 - kMinHeapShift) * 8 + 8;

constexpr size_t kMinGrowthBytes = size_t{1} << 20;
constexpr size_t kMaxGrowthBytes = size_t{64} << 20;

size_t StrideBytes(int size_class) {
  return kClasses.payload_bytes[size_class] + sizeof(BlockHeader);
}
// How many blocks of a class a thread keeps at most, and how many move at a time.
uint32_t BinLimit(int size_class) {
  return static_cast<uint32_t>(
      std::clamp<size_t>((size_t{256} << 10) / StrideBytes(size_class), 8, 512));
}
uint32_t BatchCount(int size_class) { return std::min<uint32_t>(BinLimit(size_class) / 2, 32); }

}  // namespace

// A run of small blocks of one class; lies at the start of a block of the heap.
struct alignas(kBlockAlignment) Slab {
  Slab* next;  // among the slabs of the class that have free blocks
  Slab* prev;
  BlockHeader* free;
  uint32_t free_count;
  uint32_t total_count;

  BlockHeader* heap_block() { return reinterpret_cast<BlockHeader*>(this) - 1; }
};
static_assert(sizeof(Slab) == kBlockAlignment);

namespace {

// A counter with one writer, so that counting needs no locked instruction; readers may be stale.
template <typename T>
class Counter {
 public:
  void Add(T value) {
    value_.store(value_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
  T get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<T> value_{0};
};

struct TagCounters {
  Counter<uint64_t> live_bytes;  // modulo 2^64: a thread may release more than it allocated
  Counter<uint64_t> allocations;
  Counter<uint64_t> releases;

  void CountAllocation(size_t bytes) {
    live_bytes.Add(bytes);
    allocations.Add(1);
  }
  void CountRelease(size_t bytes) {
    live_bytes.Add(0 - bytes);
    releases.Add(1);
  }
};

// What one thread holds of one pool. Its owner alone writes it, without a lock; others take blocks
// out of `front` and read `tags`.
struct ThreadCache {
  struct Bin {
    BlockHeader* head = nullptr;
    uint32_t count = 0;
    uint32_t limit = 0;
  };

  ThreadCache() {
    for (int c = 0; c < kSmallClasses; ++c) {
      bins[c].limit = BinLimit(c);
    }
  }

  std::array<Bin, kSmallClasses> bins;
  std::array<TagCounters, kMemoryTagCount> tags;
  // Only the owner puts a block into an empty place; whoever exchanges it for null has it.
  std::array<std::atomic<BlockHeader*>, kFrontBins> front{};
  ThreadCache* next = nullptr;  // of the pool
  ThreadCache* prev = nullptr;
};

}  // namespace

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
  void* AllocateLarge(ThreadCache* cache, size_t bytes, MemoryTag tag);
  void Release(ThreadCache* cache, BlockHeader* block);
  void ReleaseLarge(ThreadCache* cache, BlockHeader* block);
  void Flush(ThreadCache* cache, int size_class, uint32_t keep);
  size_t Trim(ThreadCache* cache);
  MemoryStats stats() const;

 private:
  void Link(ThreadCache* cache);
  void* PopSmall(ThreadCache* cache, int size_class, size_t bytes, MemoryTag tag);
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
  void Charge(size_t bytes);

  const size_t byte_limit_;
  std::atomic<bool> closed_{false};
  std::atomic<size_t> used_bytes_{0};  // out of the heap, but for the fronts
  std::atomic<size_t> peak_bytes_{0};

  mutable std::mutex mutex_;  // guards all that follows
  std::unique_ptr<LargeHeap> heap_;
  std::array<Slab*, kSmallClasses> slabs_{};
  ThreadCache* caches_ = nullptr;
  ThreadCache shared_;       // of threads past their end, and the counts of those that are gone
  std::mutex shared_mutex_;  // held by whoever plays the owner of shared_; taken before mutex_
};

namespace {

// The pool that this thread used last. Trivial, so that reading it needs no guard and works in the
// destructors of other thread-local objects.
struct LastUsed {
  PoolCore* core;
  ThreadCache* cache;
  bool ended;
};
constinit thread_local LastUsed last_used{nullptr, nullptr, false};

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

inline ThreadCache* CacheOf(const std::shared_ptr<PoolCore>& core) {
  return last_used.core == core.get() ? last_used.cache : FindCache(core);
}

// Hands out a block that is off every list.
inline void* Open(BlockHeader* block, const PoolCore* core, size_t bytes, MemoryTag tag) {
  block->owner = core;
  block->tag = static_cast<uint8_t>(tag);
  UnpoisonMemory(block->payload(), bytes);
  return block->payload();
}

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
  for (auto& place : cache->front) {
    if (BlockHeader* block = place.exchange(nullptr, std::memory_order_acquire)) {
      heap_->Put(block);
    }
  }
  for (int t = 0; t < kMemoryTagCount; ++t) {
    shared_.tags[t].live_bytes.Add(cache->tags[t].live_bytes.get());
    shared_.tags[t].allocations.Add(cache->tags[t].allocations.get());
    shared_.tags[t].releases.Add(cache->tags[t].releases.get());
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

void PoolCore::Charge(size_t bytes) {
  const size_t used = used_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  size_t peak = peak_bytes_.load(std::memory_order_relaxed);
  while (used > peak && !peak_bytes_.compare_exchange_weak(peak, used, std::memory_order_relaxed)) {
  }
}

// ---- Small blocks

void* PoolCore::PopSmall(ThreadCache* cache, int size_class, size_t bytes, MemoryTag tag) {
  ThreadCache::Bin& bin = cache->bins[size_class];
  if (bin.head == nullptr) {
    Refill(cache, size_class, bytes);
  }
  BlockHeader* block = bin.head;
  bin.head = block->next;
  --bin.count;
  cache->tags[static_cast<size_t>(tag)].CountAllocation(block->payload_bytes());
  return Open(block, this, bytes, tag);
}

void* PoolCore::Allocate(ThreadCache* cache, size_t bytes, MemoryTag tag) {
  if (cache == nullptr) {
    std::lock_guard lock(shared_mutex_);
    return Allocate(&shared_, bytes, tag);
  }
  if (bytes > kSmallMaxBytes) {
    return AllocateLarge(cache, bytes, tag);
  }
  return PopSmall(cache, kClasses.class_of[(bytes + 63) / 64], bytes, tag);
}

void PoolCore::Refill(ThreadCache* cache, int size_class, size_t bytes) {
  std::lock_guard lock(mutex_);
  ThreadCache::Bin& bin = cache->bins[size_class];
  const uint32_t batch = BatchCount(size_class);
  while (bin.count < batch) {
    Slab* slab = slabs_[size_class];
    if (slab == nullptr) {
      if (bin.count > 0) {
        return;  // a new slab only when there is nothing else
      }
      slab = MakeSlab(cache, size_class, bytes);
    }
    while (bin.count < batch && slab->free != nullptr) {
      BlockHeader* block = slab->free;
      slab->free = block->next;
      --slab->free_count;
      block->next = bin.head;
      bin.head = block;
      ++bin.count;
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
  Charge(heap_block->total_bytes);
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

void PoolCore::Flush(ThreadCache* cache, int size_class, uint32_t keep) {
  std::lock_guard lock(mutex_);
  FlushLocked(cache, size_class, keep);
}

void PoolCore::FlushLocked(ThreadCache* cache, int size_class, uint32_t keep) {
  ThreadCache::Bin& bin = cache->bins[size_class];
  while (bin.count > keep) {
    BlockHeader* block = bin.head;
    bin.head = block->next;
    --bin.count;
    Slab* slab = block->slab;
    block->next = slab->free;
    slab->free = block;
    if (++slab->free_count == 1) {
      LinkSlab(slab, size_class);
    }
    if (slab->free_count == slab->total_count) {
      UnlinkSlab(slab, size_class);
      used_bytes_.fetch_sub(slab->heap_block()->total_bytes, std::memory_order_relaxed);
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
  cache->tags[block->tag].CountRelease(block->payload_bytes());
  block->owner = nullptr;
  PoisonMemory(block->payload(), block->payload_bytes());
  ThreadCache::Bin& bin = cache->bins[block->size_class];
  block->next = bin.head;
  bin.head = block;
  if (++bin.count > bin.limit) [[unlikely]] {
    Flush(cache, block->size_class, bin.limit - BatchCount(block->size_class));
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
  Charge(block->total_bytes);
  cache->tags[static_cast<size_t>(tag)].CountAllocation(block->payload_bytes());
  return Open(block, this, bytes, tag);
}

void PoolCore::ReleaseLarge(ThreadCache* cache, BlockHeader* block) {
  cache->tags[block->tag].CountRelease(block->payload_bytes());
  used_bytes_.fetch_sub(block->total_bytes, std::memory_order_relaxed);
  block->owner = nullptr;
  PoisonMemory(block->payload(), block->payload_bytes());
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
      stats.tags[t].live_bytes += cache->tags[t].live_bytes.get();
      stats.tags[t].allocations += cache->tags[t].allocations.get();
      stats.tags[t].releases += cache->tags[t].releases.get();
    }
  }
  for (const MemoryTagStats& tag : stats.tags) {
    stats.live_bytes += tag.live_bytes;
    stats.allocations += tag.allocations;
    stats.releases += tag.releases;
  }
  stats.peak_bytes = peak_bytes_.load(std::memory_order_relaxed);
  stats.system_bytes = heap_->system_bytes();
  stats.system_calls = heap_->system_calls();
  stats.cached_bytes = stats.system_bytes - std::min(stats.system_bytes, stats.live_bytes);
  return stats;
}

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
  using namespace internal;
  if (last_used.core == core_.get() && bytes <= kSmallMaxBytes) [[likely]] {
    ThreadCache* cache = last_used.cache;
    ThreadCache::Bin& bin = cache->bins[kClasses.class_of[(bytes + 63) / 64]];
    if (BlockHeader* block = bin.head) [[likely]] {
      bin.head = block->next;
      --bin.count;
      cache->tags[static_cast<size_t>(tag)].CountAllocation(block->payload_bytes());
      return Open(block, core_.get(), bytes, tag);
    }
  }
  return core_->Allocate(CacheOf(core_), bytes, tag);
}

void MemoryPool::Release(void* memory) noexcept {
  using namespace internal;
  if (memory == nullptr) {
    return;
  }
  BlockHeader* block = static_cast<BlockHeader*>(memory) - 1;
  TERN_CHECK(block->owner == core_.get());  // released twice, or another pool's
  core_->Release(CacheOf(core_), block);
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
