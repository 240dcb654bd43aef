// SPDX-License-Identifier: MIT
// The coalescing heap under a MemoryPool: cuts blocks out of segments that a SlabSource mapped,
// and joins a block that comes back with its free neighbours. A bitmap over bins of similar size
// (eight to an octave) finds a fit without a search. Not thread-safe: the pool holds its lock.
// Each block begins with a BlockHeader; the heap touches only the fields that are marked as its
// own, so that the holder of a block may write the others without the lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tern/core/poison.h"
#include "tern/core/slab_source.h"

namespace tern::internal {

struct Slab;

inline constexpr size_t kBlockAlignment = 64;

struct alignas(kBlockAlignment) BlockHeader {
  // The holder's.
  const void* owner;    // the pool's core while the block is allocated, else null
  BlockHeader* next;    // in a list of free blocks
  Slab* slab;           // of a small block
  uint16_t size_class;  // or kLargeClass
  uint8_t tag;          // MemoryTag while allocated
  bool heap_free;       // the heap's: the block lies in one of its bins
  uint32_t depth;       // in a thread's bin: how many blocks there are from this one on
  // The heap's.
  size_t total_bytes;       // with this header; constant while the block is not in the heap
  size_t prev_total_bytes;  // of the block before it in memory; 0 for a segment's first
  BlockHeader* prev;        // in a bin

  void* payload() { return this + 1; }
  size_t payload_bytes() const { return total_bytes - sizeof(BlockHeader); }
};
static_assert(sizeof(BlockHeader) == kBlockAlignment);

// Bins of similar size: eight to each power of two, from 4 KiB.
inline constexpr int kMinHeapShift = 12;
inline constexpr int kHeapBins = 36 * 8;
inline constexpr size_t kMinHeapBytes = size_t{1} << kMinHeapShift;
// The largest size that a heap is asked for; sums of a few of them cannot overflow.
inline constexpr size_t kMaxHeapBytes = size_t{1} << (kMinHeapShift + 34);

// The bin that a block of total_bytes (at least kMinHeapBytes, at most kMaxHeapBytes) lies in.
inline int HeapBin(size_t total_bytes) {
  const int shift = 63 - __builtin_clzll(total_bytes);
  return (shift - kMinHeapShift) * 8 + static_cast<int>((total_bytes >> (shift - 3)) & 7);
}

class LargeHeap {
 public:
  explicit LargeHeap(SlabSource* source) : source_(source) {}
  ~LargeHeap();
  LargeHeap(const LargeHeap&) = delete;
  LargeHeap& operator=(const LargeHeap&) = delete;

  // A block of at least total_bytes (header included, a multiple of 64), its payload poisoned; null
  // if no free block fits.
  BlockHeader* Take(size_t total_bytes);
  void Put(BlockHeader* block);

  // What the source must give so that a block of total_bytes fits.
  static size_t SegmentBytes(size_t total_bytes);
  // Maps another segment of segment_bytes (from SegmentBytes). False if the source has none.
  bool Grow(size_t segment_bytes);
  // Unmaps the segments that hold no block, and returns their bytes.
  size_t ReleaseEmptySegments();

  size_t system_bytes() const { return system_bytes_; }
  uint64_t system_calls() const { return system_calls_; }

 private:
  struct Segment;

  static BlockHeader* After(BlockHeader* block);
  void Insert(BlockHeader* block);
  void Remove(BlockHeader* block);
  BlockHeader* FindFit(size_t total_bytes);
  void Unmap(Segment* segment);

  SlabSource* source_;
  Segment* segments_ = nullptr;
  size_t system_bytes_ = 0;
  uint64_t system_calls_ = 0;
  std::array<BlockHeader*, kHeapBins> bins_{};
  std::array<uint64_t, (kHeapBins + 63) / 64> nonempty_{};
};

}  // namespace tern::internal
