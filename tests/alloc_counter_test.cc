// SPDX-License-Identifier: MIT
#include "tests/alloc_counter.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tern/core/memory_pool.h"
#include "tern/core/slab_source.h"

namespace tern {
namespace {

struct alignas(256) Overaligned {
  char bytes[256];
};

// The compiler may leave out an allocation whose block it sees through.
template <typename T>
T* Used(T* block) {
  asm volatile("" : "+r"(block) : : "memory");
  return block;
}

class AllocCounter : public testing::Test {
 protected:
  void SetUp() override {
    if (!CountsSystemAllocations()) GTEST_SKIP() << "the sanitizer has the allocator";
  }
  template <typename F>
  static uint64_t CountOf(F f) {
    const uint64_t before = SystemAllocations();
    f();
    return SystemAllocations() - before;
  }
};

TEST_F(AllocCounter, CountsEveryWayToAllocate) {
  EXPECT_EQ(CountOf([] {}), 0u);
  EXPECT_EQ(CountOf([] { std::free(Used(std::malloc(10))); }), 1u);
  EXPECT_EQ(CountOf([] { std::free(Used(std::calloc(2, 10))); }), 1u);
  EXPECT_EQ(CountOf([] { std::free(Used(std::aligned_alloc(128, 256))); }), 1u);
  EXPECT_EQ(CountOf([] { std::free(Used(std::realloc(Used(std::malloc(10)), 100'000))); }), 2u);
  EXPECT_EQ(CountOf([] { delete Used(new int); }), 1u);
  EXPECT_EQ(CountOf([] { delete[] Used(new char[1000]); }), 1u);
  EXPECT_EQ(CountOf([] { delete Used(new Overaligned); }), 1u);
  EXPECT_EQ(CountOf([] {
              void* block = nullptr;
              ASSERT_EQ(posix_memalign(&block, 64, 10), 0);
              std::memset(block, 1, 10);
              std::free(Used(block));
            }),
            1u);
  EXPECT_EQ(CountOf([] {
              void* pages = SystemMemory().Map(SlabSource::kPageBytes);
              std::memset(pages, 1, SlabSource::kPageBytes);
              SystemMemory().Unmap(pages, SlabSource::kPageBytes);
            }),
            1u);
}

TEST_F(AllocCounter, CountsInOtherLibrariesAndThreads) {
  EXPECT_EQ(CountOf([] { std::free(Used(strdup("in the C library"))); }), 1u);
  EXPECT_GE(CountOf([] {
              const std::string text(100, 'x');  // compiled into libstdc++
              Used(text.c_str());
            }),
            1u);
  uint64_t in_thread = 0;
  std::thread([&] { in_thread = CountOf([] { delete Used(new int); }); }).join();
  EXPECT_EQ(in_thread, 1u);
}

TEST_F(AllocCounter, AWarmPoolCountsNothing) {
  MemoryPool pool;
  const auto use = [&] {
    for (const size_t bytes : {size_t{1}, size_t{1000}, size_t{100'000}, size_t{3'000'000}}) {
      Workspace workspace(pool, bytes);
      PoolVector<int> numbers(10, 1, &pool);
      std::memset(workspace.data(), numbers[9], bytes);
    }
  };
  EXPECT_GT(CountOf(use), 0u);
  EXPECT_EQ(CountOf(use), 0u);
}

}  // namespace
}  // namespace tern
