// SPDX-License-Identifier: MIT
// MemoryPool: the allocator of everything in Tern. Tensors, tape, caches, weights and workspaces
// take their memory from a pool that the caller owns, fast enough that eager execution costs
// nothing beside the arithmetic.
//
// Every block is aligned to 64 bytes. Small blocks (to 32 KiB) come in size classes, cut from
// slabs, with a cache for each thread; large ones from a coalescing heap, behind a few blocks that
// each thread keeps at hand. Once warm, neither asks the system or a lock for anything. Any thread
// may release any block. Pools are objects: they may be many and short-lived, and may die before
// or after the threads that used them. Whoever destroys a pool sees to it that no other thread
// still calls it; its memory goes then, released or not (LeakReport says beforehand what was not).
//
// Under AddressSanitizer free memory is poisoned, and so is what lies behind a block's bytes.
// The pool does not clear memory, does not move blocks, and knows nothing of what is in them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tern {

class SlabSource;
namespace internal {
class PoolCore;
}

// What a block is for, so that a leak can be told from a cache.
enum class MemoryTag : uint8_t { kTensor, kWorkspace, kTape, kWeights, kCache, kOther };
inline constexpr int kMemoryTagCount = 6;
const char* MemoryTagName(MemoryTag tag);

struct MemoryTagStats {
  size_t live_bytes = 0;
  uint64_t allocations = 0;
  uint64_t releases = 0;
};

// Blocks count with the bytes that they occupy, without their headers. Exact where no other thread
// is inside the pool at the moment.
struct MemoryStats {
  size_t live_bytes = 0;  // in blocks that were allocated and not released
  // The most ever in use, small blocks counted by the slab. Exact for one thread; each further
  // one may add 8 MiB.
  size_t peak_bytes = 0;
  size_t cached_bytes = 0;  // held from the system, but not live
  size_t system_bytes = 0;  // held from the system
  uint64_t allocations = 0;
  uint64_t releases = 0;
  uint64_t system_calls = 0;  // to the slab source, both ways
  std::array<MemoryTagStats, kMemoryTagCount> tags{};

  const MemoryTagStats& of(MemoryTag tag) const { return tags[static_cast<size_t>(tag)]; }
};

struct MemoryPoolOptions {
  size_t byte_limit = 0;         // on system_bytes; 0: none
  SlabSource* source = nullptr;  // outlives the pool; null: SystemMemory()
};

class MemoryPool {
 public:
  explicit MemoryPool(MemoryPoolOptions options = {});
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  // A block of at least `bytes` bytes, never null (0 bytes too give a block of their own). Throws
  // an Error of kOutOfMemory at the limit or where the system has no more; the pool works on.
  [[nodiscard]] void* Allocate(size_t bytes, MemoryTag tag = MemoryTag::kOther);
  // Takes a block of this pool back, from any thread. Null is no block, and fine.
  void Release(void* memory) noexcept;

  MemoryStats stats() const;
  // One line for each tag with live blocks: "tensor: 3 blocks, 4096 bytes\n". Empty if none.
  std::string LeakReport() const;
  // Gives the memory that is not in use back to the system, and returns how many bytes. Small
  // blocks in the caches of other threads stay there until those threads exit or trim.
  size_t Trim();

 private:
  std::shared_ptr<internal::PoolCore> core_;
};

// The standard allocator over a pool. Containers carry it along when moved or swapped; it must not
// outlive the pool.
template <typename T>
class PoolAllocator {
 public:
  static_assert(alignof(T) <= 64);
  using value_type = T;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;

  // Implicit, so that `PoolVector<T> v(&pool)` reads as it should.
  // NOLINTNEXTLINE(google-explicit-constructor)
  PoolAllocator(MemoryPool* pool, MemoryTag tag = MemoryTag::kOther) : pool_(pool), tag_(tag) {}
  template <typename U>  // NOLINTNEXTLINE(google-explicit-constructor): rebinding is
  PoolAllocator(const PoolAllocator<U>& other) : pool_(other.pool()), tag_(other.tag()) {}

  T* allocate(size_t count) {
    constexpr size_t kMax = std::numeric_limits<size_t>::max();
    return static_cast<T*>(
        pool_->Allocate(count > kMax / sizeof(T) ? kMax : count * sizeof(T), tag_));
  }
  void deallocate(T* memory, size_t) noexcept { pool_->Release(memory); }

  MemoryPool* pool() const { return pool_; }
  MemoryTag tag() const { return tag_; }

  template <typename U>
  bool operator==(const PoolAllocator<U>& other) const {
    return pool_ == other.pool();
  }

 private:
  MemoryPool* pool_;
  MemoryTag tag_;
};

template <typename T>
using PoolVector = std::vector<T, PoolAllocator<T>>;

// A block for the length of a scope. Movable; a moved-from one is empty.
class Workspace {
 public:
  Workspace() = default;
  Workspace(MemoryPool& pool, size_t bytes, MemoryTag tag = MemoryTag::kWorkspace)
      : pool_(&pool), data_(pool.Allocate(bytes, tag)), size_bytes_(bytes) {}
  Workspace(Workspace&& other) noexcept
      : pool_(other.pool_),
        data_(std::exchange(other.data_, nullptr)),
        size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  Workspace& operator=(Workspace&& other) noexcept {
    if (this != &other) {
      reset();
      pool_ = other.pool_;
      data_ = std::exchange(other.data_, nullptr);
      size_bytes_ = std::exchange(other.size_bytes_, 0);
    }
    return *this;
  }
  ~Workspace() { reset(); }

  void* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }
  template <typename T>
  T* As() const {
    static_assert(alignof(T) <= 64);
    return static_cast<T*>(data_);
  }

  void reset() {
    if (data_ != nullptr) {
      pool_->Release(std::exchange(data_, nullptr));
      size_bytes_ = 0;
    }
  }

 private:
  MemoryPool* pool_ = nullptr;
  void* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace tern
