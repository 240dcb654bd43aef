// SPDX-License-Identifier: MIT
#include "tern/core/large_heap.h"

#include <new>

namespace tern::internal {

// A segment is this header, its blocks without a gap, and an end mark: a header never free.
struct alignas(kBlockAlignment) LargeHeap::Segment {
  Segment* next;
  size_t bytes;

  BlockHeader* first() { return reinterpret_cast<BlockHeader*>(this + 1); }
  size_t block_bytes() const { return bytes - sizeof(Segment) - sizeof(BlockHeader); }
};

LargeHeap::~LargeHeap() {
  while (segments_ != nullptr) {
    Segment* segment = segments_;
    segments_ = segment->next;
    Unmap(segment);
  }
}

void LargeHeap::Unmap(Segment* segment) {
  const size_t bytes = segment->bytes;
  UnpoisonMemory(segment, bytes);  // the address may be mapped again by anyone
  source_->Unmap(segment, bytes);
  system_bytes_ -= bytes;
  ++system_calls_;
}

BlockHeader* LargeHeap::After(BlockHeader* block) {
  return reinterpret_cast<BlockHeader*>(reinterpret_cast<std::byte*>(block) + block->total_bytes);
}

void LargeHeap::Insert(BlockHeader* block) {
  const int bin = HeapBin(block->total_bytes);
  block->heap_free = true;
  block->prev = nullptr;
  block->next = bins_[bin];
  if (block->next != nullptr) {
    block->next->prev = block;
  }
  bins_[bin] = block;
  nonempty_[bin / 64] |= uint64_t{1} << (bin % 64);
}

void LargeHeap::Remove(BlockHeader* block) {
  const int bin = HeapBin(block->total_bytes);
  block->heap_free = false;
  if (block->next != nullptr) {
    block->next->prev = block->prev;
  }
  if (block->prev != nullptr) {
    block->prev->next = block->next;
  } else {
    bins_[bin] = block->next;
    if (block->next == nullptr) {
      nonempty_[bin / 64] &= ~(uint64_t{1} << (bin % 64));
    }
  }
}

BlockHeader* LargeHeap::FindFit(size_t total_bytes) {
  const int bin = HeapBin(total_bytes);
  for (BlockHeader* block = bins_[bin]; block != nullptr; block = block->next) {
    if (block->total_bytes >= total_bytes) {
      return block;
    }
  }
  // Every block of a higher bin is large enough.
  int word = (bin + 1) / 64;
  uint64_t bits = nonempty_[word] & (~uint64_t{0} << ((bin + 1) % 64));
  while (bits == 0) {
    if (++word == static_cast<int>(nonempty_.size())) {
      return nullptr;
    }
    bits = nonempty_[word];
  }
  return bins_[word * 64 + __builtin_ctzll(bits)];
}

BlockHeader* LargeHeap::Take(size_t total_bytes) {
  BlockHeader* block = FindFit(total_bytes);
  if (block == nullptr) {
    return nullptr;
  }
  Remove(block);
  const size_t rest_bytes = block->total_bytes - total_bytes;
  if (rest_bytes >= kMinHeapBytes) {
    BlockHeader* after = After(block);
    block->total_bytes = total_bytes;
    BlockHeader* rest = After(block);
    UnpoisonMemory(rest, sizeof(BlockHeader));
    new (rest) BlockHeader{};
    rest->total_bytes = rest_bytes;
    rest->prev_total_bytes = total_bytes;
    after->prev_total_bytes = rest_bytes;
    Insert(rest);
  }
  return block;
}

void LargeHeap::Put(BlockHeader* block) {
  BlockHeader* after = After(block);
  if (after->heap_free) {
    Remove(after);
    block->total_bytes += after->total_bytes;
  }
  if (block->prev_total_bytes != 0) {
    auto* before = reinterpret_cast<BlockHeader*>(reinterpret_cast<std::byte*>(block) -
                                                  block->prev_total_bytes);
    if (before->heap_free) {
      Remove(before);
      before->total_bytes += block->total_bytes;
      block = before;
    }
  }
  After(block)->prev_total_bytes = block->total_bytes;
  PoisonMemory(block->payload(), block->payload_bytes());
  Insert(block);
}

size_t LargeHeap::SegmentBytes(size_t total_bytes) {
  const size_t bytes = total_bytes + sizeof(Segment) + sizeof(BlockHeader);
  return (bytes + SlabSource::kPageBytes - 1) / SlabSource::kPageBytes * SlabSource::kPageBytes;
}

bool LargeHeap::Grow(size_t segment_bytes) {
  void* memory = source_->Map(segment_bytes);
  ++system_calls_;
  if (memory == nullptr) {
    return false;
  }
  system_bytes_ += segment_bytes;
  auto* segment = new (memory) Segment{segments_, segment_bytes};
  segments_ = segment;
  auto* block = new (segment->first()) BlockHeader{};
  block->total_bytes = segment->block_bytes();
  auto* end = new (After(block)) BlockHeader{};
  end->prev_total_bytes = block->total_bytes;
  PoisonMemory(block->payload(), block->payload_bytes());
  Insert(block);
  return true;
}

size_t LargeHeap::ReleaseEmptySegments() {
  size_t released_bytes = 0;
  Segment** link = &segments_;
  while (*link != nullptr) {
    Segment* segment = *link;
    BlockHeader* first = segment->first();
    if (first->heap_free && first->total_bytes == segment->block_bytes()) {
      Remove(first);
      *link = segment->next;
      released_bytes += segment->bytes;
      Unmap(segment);
    } else {
      link = &segment->next;
    }
  }
  return released_bytes;
}

}  // namespace tern::internal
