// SPDX-License-Identifier: MIT
#include "tern/core/memory_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "tern/base/error.h"
#include "tern/core/slab_source.h"

namespace tern {
namespace {

std::mt19937_64 SeededEngine() {
  const uint64_t seed = std::random_device{}();
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  return std::mt19937_64(seed);
}

// Sizes from 0 to 4 MiB, each power of two as likely as the next.
size_t RandomSize(std::mt19937_64& engine) {
  const size_t top = size_t{1} << (engine() % 23);
  return engine() % (top + 1);
}

// Blocks with a pattern of their own in every byte, checked when they are released.
class Blocks {
 public:
  explicit Blocks(MemoryPool* pool) : pool_(pool) {}

  void Add(size_t bytes, MemoryTag tag) {
    auto* data = static_cast<uint8_t*>(pool_->Allocate(bytes, tag));
    ASSERT_NE(data, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
    // No overlap: the block before ends by here, the one after begins past the end.
    auto after = blocks_.lower_bound(data);
    if (after != blocks_.end()) {
      ASSERT_LE(data + std::max<size_t>(bytes, 1), after->first);
    }
    if (after != blocks_.begin()) {
      auto before = std::prev(after);
      ASSERT_LE(before->first + std::max<size_t>(before->second.bytes, 1), data);
    }
    const auto pattern = static_cast<uint8_t>(++count_);
    std::memset(data, pattern, bytes);
    blocks_[data] = {bytes, pattern};
    order_.push_back(data);
  }

  void RemoveAt(size_t index) {
    uint8_t* data = order_[index];
    order_[index] = order_.back();
    order_.pop_back();
    const Block block = blocks_.at(data);
    blocks_.erase(data);
    size_t wrong = 0;
    for (size_t i = 0; i < block.bytes; ++i) {
      wrong += data[i] != block.pattern;
    }
    ASSERT_EQ(wrong, 0u) << "in a block of " << block.bytes << " bytes";
    pool_->Release(data);
  }

  size_t size() const { return order_.size(); }

 private:
  struct Block {
    size_t bytes;
    uint8_t pattern;
  };
  MemoryPool* pool_;
  std::map<uint8_t*, Block> blocks_;
  std::vector<uint8_t*> order_;
  uint64_t count_ = 0;
};

TEST(MemoryPool, RandomBlocksAreAlignedApartAndKeepTheirContent) {
  std::mt19937_64 engine = SeededEngine();
  MemoryPool pool;
  Blocks blocks(&pool);
  for (int step = 0; step < 4000; ++step) {
    if (blocks.size() < 200 && engine() % 2 == 0) {
      blocks.Add(RandomSize(engine), static_cast<MemoryTag>(engine() % kMemoryTagCount));
    } else if (blocks.size() > 0) {
      blocks.RemoveAt(engine() % blocks.size());
    }
    if (step % 1000 == 999) {
      pool.Trim();
    }
    ASSERT_FALSE(HasFatalFailure());
  }
  while (blocks.size() > 0) {
    blocks.RemoveAt(blocks.size() - 1);
  }
  EXPECT_EQ(pool.stats().live_bytes, 0u);
  EXPECT_EQ(pool.LeakReport(), "");
  pool.Trim();
  EXPECT_EQ(pool.stats().system_bytes, 0u);
}

TEST(MemoryPool, EverySizeToSixtyFourKibibytesHoldsItsBytes) {
  MemoryPool pool;
  for (size_t bytes = 0; bytes <= 65536; bytes += bytes < 2048 ? 1 : 61) {
    auto* data = static_cast<uint8_t*>(pool.Allocate(bytes));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
    std::memset(data, 0xa5, bytes);
    const size_t live = pool.stats().live_bytes;
    EXPECT_GE(live, bytes);
    EXPECT_LE(live, std::max<size_t>(64, bytes + bytes / 4 + 64)) << bytes;
    pool.Release(data);
  }
}

TEST(MemoryPool, CoalescesFragmentsIntoOneBigBlock) {
  std::mt19937_64 engine = SeededEngine();
  MemoryPool pool;
  const size_t big_bytes = size_t{16} << 20;
  pool.Release(pool.Allocate(big_bytes));
  const uint64_t calls = pool.stats().system_calls;
  std::vector<void*> blocks;
  for (size_t sum = 0; sum < big_bytes / 2;) {
    const size_t bytes = engine() % 200000;
    blocks.push_back(pool.Allocate(bytes));
    sum += bytes;
  }
  EXPECT_EQ(pool.stats().system_calls, calls);
  std::shuffle(blocks.begin(), blocks.end(), engine);
  for (void* block : blocks) {
    pool.Release(block);
  }
  // Small blocks in this thread's cache may sit in the middle.
  pool.Release(pool.Allocate(big_bytes / 4));
  EXPECT_EQ(pool.stats().system_calls, calls);
  MemoryPool large_only;
  blocks.clear();
  large_only.Release(large_only.Allocate(big_bytes));
  for (int i = 0; i < 60; ++i) {
    blocks.push_back(large_only.Allocate(40000 + engine() % 200000));
  }
  std::shuffle(blocks.begin(), blocks.end(), engine);
  for (void* block : blocks) {
    large_only.Release(block);
  }
  const uint64_t large_calls = large_only.stats().system_calls;
  large_only.Release(large_only.Allocate(big_bytes));
  EXPECT_EQ(large_only.stats().system_calls, large_calls);
}

TEST(MemoryPool, CountsCallsLiveAndPeakByTag) {
  MemoryPool pool;
  EXPECT_EQ(pool.stats().system_bytes, 0u);
  void* tensor = pool.Allocate(1000, MemoryTag::kTensor);
  void* weights = pool.Allocate(size_t{3} << 20, MemoryTag::kWeights);
  MemoryStats stats = pool.stats();
  EXPECT_EQ(stats.allocations, 2u);
  EXPECT_EQ(stats.releases, 0u);
  EXPECT_EQ(stats.of(MemoryTag::kTensor).live_bytes, 1024u);
  const size_t weights_bytes = stats.of(MemoryTag::kWeights).live_bytes;
  EXPECT_GE(weights_bytes, size_t{3} << 20);
  EXPECT_LE(weights_bytes, (size_t{3} << 20) + 4096);
  EXPECT_EQ(stats.live_bytes, 1024 + weights_bytes);
  EXPECT_EQ(stats.system_bytes, stats.live_bytes + stats.cached_bytes);
  EXPECT_EQ(pool.LeakReport(), "tensor: 1 blocks, 1024 bytes\nweights: 1 blocks, " +
                                   std::to_string(weights_bytes) + " bytes\n");
  pool.Release(weights);
  pool.Release(tensor);
  pool.Release(nullptr);
  pool.Release(pool.Allocate(size_t{5} << 20));
  stats = pool.stats();
  EXPECT_EQ(stats.live_bytes, 0u);
  EXPECT_EQ(stats.releases, 3u);
  EXPECT_GE(stats.peak_bytes, size_t{5} << 20);
  EXPECT_LE(stats.peak_bytes, (size_t{5} << 20) + (size_t{64} << 10));
}

TEST(MemoryPool, WarmPairsAskNothingOfTheSystem) {
  MemoryPool pool;
  uint64_t calls = 0;
  for (int round = 0; round < 3; ++round) {
    for (size_t bytes = 16; bytes <= size_t{16} << 20; bytes *= 2) {
      void* a = pool.Allocate(bytes);
      void* b = pool.Allocate(bytes + bytes / 3);
      pool.Release(a);
      pool.Release(b);
    }
    if (round == 1) {
      calls = pool.stats().system_calls;
    }
  }
  EXPECT_EQ(pool.stats().system_calls, calls);
}

void ExpectOutOfMemory(MemoryPool& pool, size_t bytes, const std::string& words) {
  try {
    pool.Release(pool.Allocate(bytes));
    ADD_FAILURE() << "no Error for " << bytes;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kOutOfMemory);
    EXPECT_NE(std::string(error.what()).find("limit"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
}

TEST(MemoryPool, HoldsTheByteLimitAndWorksOn) {
  const size_t limit = size_t{4} << 20;
  MemoryPool pool({.byte_limit = limit});
  std::vector<void*> blocks;
  for (int i = 0; i < 3; ++i) {
    blocks.push_back(pool.Allocate(size_t{1} << 20));
  }
  ExpectOutOfMemory(pool, size_t{2} << 20, "request of 2097152 bytes");
  ExpectOutOfMemory(pool, size_t{2} << 20, std::to_string(pool.stats().live_bytes) + " live bytes");
  ExpectOutOfMemory(pool, size_t{2} << 20, "limit of 4194304 bytes");
  EXPECT_LE(pool.stats().system_bytes, limit);
  void* small = pool.Allocate(100);
  for (void* block : blocks) {
    pool.Release(block);
  }
  pool.Release(small);
  void* most = pool.Allocate(limit - (size_t{64} << 10));
  pool.Release(most);
  // Small blocks to the limit, then all back, then a large one again.
  blocks.clear();
  EXPECT_THROW(
      {
        for (;;) {
          blocks.push_back(pool.Allocate(500));
        }
      },
      Error);
  EXPECT_GT(blocks.size(), limit / 700);
  EXPECT_LE(pool.stats().system_bytes, limit);
  for (void* block : blocks) {
    pool.Release(block);
  }
  pool.Release(pool.Allocate(limit - (size_t{64} << 10)));
  EXPECT_EQ(pool.stats().live_bytes, 0u);
}

TEST(MemoryPool, RefusesSizesThatOverflow) {
  constexpr size_t kMax = std::numeric_limits<size_t>::max();
  MemoryPool pool;
  for (size_t bytes : {kMax, kMax - 1, kMax - 63, kMax - 64, kMax - 4096, kMax / 2 + 1, kMax / 2,
                       size_t{1} << 50, size_t{1} << 47}) {
    ExpectOutOfMemory(pool, bytes, std::to_string(bytes));
  }
  PoolVector<double> vector(&pool);
  EXPECT_THROW(PoolAllocator<double>(&pool).allocate(kMax / 4), Error);
  EXPECT_EQ(pool.stats().live_bytes, 0u);
}

// Counts what it gives, and refuses past a number of bytes.
class CountingSource final : public SlabSource {
 public:
  explicit CountingSource(size_t most_bytes) : most_bytes_(most_bytes) {}
  void* Map(size_t bytes) noexcept override {
    if (held_bytes + bytes > most_bytes_) {
      return nullptr;
    }
    held_bytes += bytes;
    return SystemMemory().Map(bytes);
  }
  void Unmap(void* memory, size_t bytes) noexcept override {
    held_bytes -= bytes;
    SystemMemory().Unmap(memory, bytes);
  }
  size_t held_bytes = 0;

 private:
  size_t most_bytes_;
};

TEST(MemoryPool, TakesMemoryFromItsSourceAndGivesAllBack) {
  CountingSource source(size_t{8} << 20);
  {
    MemoryPool pool({.source = &source});
    void* block = pool.Allocate(100);
    EXPECT_EQ(source.held_bytes, pool.stats().system_bytes);
    ExpectOutOfMemory(pool, size_t{9} << 20, "no room");
    pool.Release(pool.Allocate(size_t{6} << 20));
    EXPECT_GT(pool.Trim(), size_t{6} << 20);
    EXPECT_EQ(source.held_bytes, pool.stats().system_bytes);
    EXPECT_LT(source.held_bytes, size_t{2} << 20);
    pool.Release(block);
    pool.Trim();
    EXPECT_EQ(source.held_bytes, 0u);
    (void)pool.Allocate(1000);
    EXPECT_GT(source.held_bytes, 0u);
  }
  EXPECT_EQ(source.held_bytes, 0u);
}

TEST(MemoryPool, AnyThreadMayRelease) {
  std::mt19937_64 engine = SeededEngine();
  MemoryPool pool;
  constexpr int kThreads = 4;
  std::mutex mutex;
  std::vector<std::pair<uint8_t*, size_t>> shared;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, seed = engine()] {
      std::mt19937_64 own(seed);
      for (int i = 0; i < 2000; ++i) {
        const size_t bytes = RandomSize(own) / 8 + 1;
        auto* data = static_cast<uint8_t*>(pool.Allocate(bytes, MemoryTag::kTape));
        data[0] = static_cast<uint8_t>(bytes);
        data[bytes - 1] = static_cast<uint8_t>(bytes);
        std::pair<uint8_t*, size_t> other(data, bytes);
        {
          std::lock_guard lock(mutex);
          shared.push_back(other);
          std::swap(shared[own() % shared.size()], shared.back());
          other = shared.back();
          if (shared.size() < 100) {
            continue;
          }
          shared.pop_back();
        }
        const auto [theirs, size] = other;
        wrong += theirs[0] != static_cast<uint8_t>(size);
        wrong += theirs[size - 1] != static_cast<uint8_t>(size);
        pool.Release(theirs);
        if (i % 500 == 0) {
          pool.Trim();
          (void)pool.stats();
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
  for (auto [data, bytes] : shared) {
    pool.Release(data);
  }
  EXPECT_EQ(pool.stats().live_bytes, 0u);
  EXPECT_EQ(pool.stats().allocations, uint64_t{kThreads} * 2000);
  EXPECT_EQ(pool.stats().releases, uint64_t{kThreads} * 2000);
  pool.Trim();
  EXPECT_EQ(pool.stats().system_bytes, 0u);
}

TEST(MemoryPool, BlocksOfAThreadThatEndedReturn) {
  MemoryPool pool;
  std::thread([&] {
    for (size_t bytes = 16; bytes < size_t{1} << 20; bytes *= 2) {
      pool.Release(pool.Allocate(bytes));
    }
  }).join();
  EXPECT_EQ(pool.stats().live_bytes, 0u);
  EXPECT_EQ(pool.stats().allocations, 16u);
  pool.Trim();
  EXPECT_EQ(pool.stats().system_bytes, 0u);
}

TEST(MemoryPool, PoolsDieBeforeAndAfterTheirThreads) {
  std::atomic<int> phase{0};
  auto pool = std::make_unique<MemoryPool>();
  MemoryPool lasting;
  std::thread thread([&] {
    pool->Release(pool->Allocate(100));
    pool->Release(pool->Allocate(100000));
    lasting.Release(lasting.Allocate(100));
    phase = 1;
    while (phase != 2) {
      std::this_thread::yield();
    }
    MemoryPool own;  // may lie where the dead one lay
    own.Release(own.Allocate(100));
    EXPECT_EQ(own.stats().allocations, 1u);
    lasting.Release(lasting.Allocate(100));
  });
  while (phase != 1) {
    std::this_thread::yield();
  }
  pool.reset();
  phase = 2;
  thread.join();
  EXPECT_EQ(lasting.stats().allocations, 2u);
  EXPECT_EQ(lasting.stats().live_bytes, 0u);
}

TEST(MemoryPool, ThreadsEndWhilePoolsDie) {
  for (int round = 0; round < 50; ++round) {
    auto pool = std::make_unique<MemoryPool>();
    std::atomic<int> done{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        pool->Release(pool->Allocate(64));
        pool->Release(pool->Allocate(100000));
        ++done;  // the thread's end races with the pool's from here
      });
    }
    while (done != 3) {
      std::this_thread::yield();
    }
    pool.reset();
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
}

// A thread-local object made before the thread's first allocation dies after the pool's own.
struct LateReleaser {
  MemoryPool* pool = nullptr;
  void* block = nullptr;
  ~LateReleaser() {
    if (pool != nullptr) {
      pool->Release(block);
      pool->Release(pool->Allocate(200000));
      pool->Release(pool->Allocate(20));
    }
  }
};
thread_local LateReleaser late_releaser;

TEST(MemoryPool, ServesDestructorsOfThreadLocalObjects) {
  MemoryPool pool;
  std::thread([&] {
    late_releaser.pool = &pool;
    late_releaser.block = pool.Allocate(100);
  }).join();
  EXPECT_EQ(pool.stats().live_bytes, 0u);
  EXPECT_EQ(pool.stats().allocations, 3u);
}

TEST(MemoryPool, ManyPoolsLiveSideBySide) {
  std::vector<std::unique_ptr<MemoryPool>> pools;
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) {
    pools.push_back(std::make_unique<MemoryPool>());
    blocks.push_back(pools.back()->Allocate(static_cast<size_t>(i) * 1000));
  }
  for (int i = 0; i < 100; i += 2) {
    pools[i].reset();
  }
  for (int i = 1; i < 100; i += 2) {
    pools[i]->Release(blocks[i]);
    EXPECT_EQ(pools[i]->stats().live_bytes, 0u);
  }
  for (int i = 0; i < 1000; ++i) {
    MemoryPool pool;
    pool.Release(pool.Allocate(50));
  }
}

TEST(MemoryPoolDeathTest, CatchesDoubleAndForeignReleases) {
  // The other style starts the program anew, which qemu-user cannot.
  GTEST_FLAG_SET(death_test_style, "fast");
  MemoryPool pool;
  MemoryPool other;
  void* small = pool.Allocate(10);
  EXPECT_DEATH(other.Release(small), "owner");
  pool.Release(small);
  EXPECT_DEATH(pool.Release(small), "owner");
  void* large = pool.Allocate(100000);
  pool.Release(large);
  EXPECT_DEATH(pool.Release(large), "owner");
}

#if defined(__SANITIZE_ADDRESS__)
#define TERN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TERN_ASAN 1
#endif
#endif
#ifdef TERN_ASAN
TEST(MemoryPoolDeathTest, AddressSanitizerSeesFreeBlocksAndOverruns) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  MemoryPool pool;
  for (size_t bytes : {size_t{10}, size_t{5000}, size_t{100000}, size_t{20} << 20}) {
    auto* data = static_cast<volatile uint8_t*>(pool.Allocate(bytes));
    data[bytes - 1] = 1;
    EXPECT_DEATH(data[bytes] = 1, "use-after-poison") << bytes;
    pool.Release(const_cast<uint8_t*>(data));
    EXPECT_DEATH(data[0] = 1, "use-after-poison") << bytes;
    EXPECT_DEATH(data[bytes - 1] = 1, "use-after-poison") << bytes;
  }
}
#endif

TEST(PoolVector, AllocatesFromThePoolAndMovesWithoutCopying) {
  MemoryPool pool;
  PoolVector<int> a({&pool, MemoryTag::kTape});
  for (int i = 0; i < 10000; ++i) {
    a.push_back(i);
  }
  EXPECT_GE(pool.stats().of(MemoryTag::kTape).live_bytes, 40000u);
  const int* data = a.data();
  MemoryPool other;
  PoolVector<int> b(&other);
  b = std::move(a);
  EXPECT_EQ(b.data(), data);
  EXPECT_EQ(b[9999], 9999);
  b = PoolVector<int>(&other);
  EXPECT_EQ(pool.stats().live_bytes, 0u);
}

TEST(Workspace, OwnsItsBlockAndMoves) {
  MemoryPool pool;
  {
    Workspace a(pool, 1000);
    a.As<float>()[249] = 1.0f;
    EXPECT_EQ(a.size_bytes(), 1000u);
    EXPECT_EQ(pool.stats().of(MemoryTag::kWorkspace).live_bytes, 1024u);
    Workspace b(std::move(a));
    EXPECT_EQ(a.data(), nullptr);
    EXPECT_EQ(b.As<float>()[249], 1.0f);
    Workspace c(pool, 64);
    c = std::move(b);
    EXPECT_EQ(c.As<float>()[249], 1.0f);
    EXPECT_EQ(pool.stats().live_bytes, 1024u);
  }
  EXPECT_EQ(pool.stats().live_bytes, 0u);
}

}  // namespace
}  // namespace tern
