// SPDX-License-Identifier: MIT
// What one thread holds of one MemoryPool: the size classes of small blocks, a bin of free blocks
// for each, a few large blocks at hand, and the counts by tag. Its owner alone writes it, without a
// lock, but for `front`. The two functions that an allocation and its release go through when the
// cache is warm stand here, to be inlined into MemoryPool; filling and emptying is PoolCore's.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "tern/core/large_heap.h"
#include "tern/core/memory_pool.h"
#include "tern/core/poison.h"

namespace tern::internal {

// Small classes by payload: every 64 bytes to 1 KiB, then eight to each power of two to 32 KiB.
inline constexpr size_t kSmallMaxBytes = 32 * 1024;
inline constexpr int kSmallClasses = 16 + 5 * 8;
inline constexpr uint16_t kLargeClass = kSmallClasses;

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
inline constexpr ClassTable kClasses;
static_assert(kClasses.payload_bytes[kSmallClasses - 1] == kSmallMaxBytes);
static_assert(kClasses.class_of[kSmallMaxBytes / 64] == kSmallClasses - 1);

// Large blocks to this size may wait at hand in the thread that released them, one per bin.
inline constexpr size_t kMaxFrontBytes = size_t{8} << 20;
inline constexpr int kFrontBins = (23 - kMinHeapShift) * 8 + 8;

inline int SizeClass(size_t bytes) { return kClasses.class_of[(bytes + 63) / 64]; }
inline size_t StrideBytes(int size_class) {
  return kClasses.payload_bytes[size_class] + sizeof(BlockHeader);
}
// How many blocks of a class a thread keeps at most, and how many move at a time.
inline uint32_t BinLimit(int size_class) {
  return static_cast<uint32_t>(
      std::clamp<size_t>((size_t{256} << 10) / StrideBytes(size_class), 8, 512));
}
inline uint32_t BatchCount(int size_class) {
  return std::min<uint32_t>(BinLimit(size_class) / 2, 32);
}

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

// Allocations and releases apart, so that neither waits for what the other stored.
struct TagCounters {
  Counter<uint64_t> allocated_bytes;
  Counter<uint64_t> released_bytes;
  Counter<uint64_t> allocations;
  Counter<uint64_t> releases;

  void CountAllocation(size_t bytes) {
    allocated_bytes.Add(bytes);
    allocations.Add(1);
  }
  void CountRelease(size_t bytes) {
    released_bytes.Add(bytes);
    releases.Add(1);
  }
};

// Hands out a block that is off every list. `owner` is the pool's core.
inline void* Open(BlockHeader* block, const void* owner, size_t bytes, MemoryTag tag) {
  block->owner = owner;
  block->tag = static_cast<uint8_t>(tag);
  UnpoisonMemory(block->payload(), bytes);
  return block->payload();
}
inline void Close(BlockHeader* block) {
  block->owner = nullptr;
  PoisonMemory(block->payload(), block->payload_bytes());
}

// Others than the owner take blocks out of `front` and read `tags`.
struct ThreadCache {
  // A stack of free blocks. They carry the count, for the same reason.
  struct Bin {
    BlockHeader* head = nullptr;
    uint32_t limit = 0;

    uint32_t count() const { return head != nullptr ? head->depth : 0; }
    void Push(BlockHeader* block) {
      block->next = head;
      block->depth = count() + 1;
      head = block;
    }
    BlockHeader* Pop() { return std::exchange(head, head->next); }
  };

  ThreadCache() {
    for (int c = 0; c < kSmallClasses; ++c) {
      bins[c].limit = BinLimit(c);
    }
  }

  // Hands out a block of the class; null if the bin is empty.
  void* Pop(int size_class, const void* owner, size_t bytes, MemoryTag tag) {
    Bin& bin = bins[size_class];
    if (bin.head == nullptr) [[unlikely]] {
      return nullptr;
    }
    BlockHeader* block = bin.Pop();
    tags[static_cast<size_t>(tag)].CountAllocation(block->payload_bytes());
    return Open(block, owner, bytes, tag);
  }

  // Takes a small block back. False if its bin holds more than its limit now.
  bool Push(BlockHeader* block) {
    tags[block->tag].CountRelease(block->payload_bytes());
    Close(block);
    Bin& bin = bins[block->size_class];
    bin.Push(block);
    return block->depth <= bin.limit;
  }

  std::array<Bin, kSmallClasses> bins;
  std::array<TagCounters, kMemoryTagCount> tags;
  // Only the owner puts a block into an empty place; whoever exchanges it for null has it.
  std::array<std::atomic<BlockHeader*>, kFrontBins> front{};
  int64_t used_bytes = 0;       // what the owner took from the heap, less what it gave back
  int64_t published_bytes = 0;  // of that, what the pool's count includes
  ThreadCache* next = nullptr;  // of the pool
  ThreadCache* prev = nullptr;
};

}  // namespace tern::internal
