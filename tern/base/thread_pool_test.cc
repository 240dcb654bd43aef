// SPDX-License-Identifier: MIT
#include "tern/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

// Counts what the system allocator is asked for while a loop runs.
std::atomic<int64_t> allocations{0};

}  // namespace

void* operator new(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* block = std::malloc(bytes)) return block;
  throw std::bad_alloc();
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes);
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

namespace tern {
namespace {

TEST(ThreadPoolTest, CoversTheRangeOnceInMultiplesOfTheGrain) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int64_t n : {0, 1, 2, 7, 8, 9, 63, 64, 65, 1000}) {
      for (const int64_t grain : {1, 2, 7, 64, 2000}) {
        std::vector<std::atomic<int>> hits(static_cast<size_t>(n));
        std::atomic<int> calls{0};
        pool.ParallelFor(n, grain, [&](int64_t begin, int64_t end) {
          ++calls;
          EXPECT_LT(begin, end);
          EXPECT_EQ(begin % grain, 0);
          EXPECT_TRUE(end == n || end % grain == 0);
          for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
        });
        for (const auto& hit : hits) ASSERT_EQ(hit.load(), 1) << "n " << n << " grain " << grain;
        EXPECT_LE(calls.load(), threads);
        if (n > 0 && n <= grain) {
          EXPECT_EQ(calls.load(), 1);
        }
      }
    }
  }
}

TEST(ThreadPoolTest, SmallLoopsStayInTheCaller) {
  ThreadPool pool(4);
  pool.ParallelFor(5, 5, [caller = std::this_thread::get_id()](int64_t begin, int64_t end) {
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 5);
    EXPECT_EQ(std::this_thread::get_id(), caller);
  });
}

TEST(ThreadPoolTest, ThreadsRunAtTheSameTime) {
  ThreadPool pool(3);
  std::atomic<int> arrived{0};
  pool.ParallelFor(3, 1, [&](int64_t, int64_t) {
    ++arrived;
    while (arrived.load() < 3) std::this_thread::yield();  // hangs unless all three run
  });
  EXPECT_EQ(arrived.load(), 3);
}

TEST(ThreadPoolTest, WorksAfterItsThreadsWentToSleep) {
  ThreadPool pool(2);
  for (int round = 0; round < 5; ++round) {
    std::atomic<int> arrived{0};
    pool.ParallelFor(2, 1, [&](int64_t, int64_t) {
      ++arrived;
      while (arrived.load() < 2) std::this_thread::yield();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// Between loops that do not follow closely, no thread takes CPU time.
TEST(ThreadPoolTest, DoesNotSpinForLong) {
  ThreadPool pool(2);  // more threads than CPUs do not spin at all
  pool.ParallelFor(2, 1, [](int64_t, int64_t) {});
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 0.05);
}

TEST(ThreadPoolTest, CarriesTheExceptionAndStaysUsable) {
  ThreadPool pool(4);
  for (int round = 0; round < 100; ++round) {
    try {
      pool.ParallelFor(400, 1, [](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          if (i == 250) throw std::runtime_error("250");
        }
      });
      FAIL() << "no exception in round " << round;
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "250");
    }
    std::atomic<int64_t> sum{0};
    pool.ParallelFor(100, 3, [&](int64_t begin, int64_t end) { sum += end - begin; });
    ASSERT_EQ(sum.load(), 100);
  }
}

TEST(ThreadPoolTest, CarriesAnExceptionOfAnInlineLoop) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.ParallelFor(1, 1, [](int64_t, int64_t) { throw std::logic_error("one"); }),
               std::logic_error);
}

TEST(ThreadPoolTest, ANestedLoopRunsInItsCaller) {
  ThreadPool pool(4);
  std::atomic<int64_t> sum{0};
  pool.ParallelFor(16, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      pool.ParallelFor(10, 1,
                       [&, thread = std::this_thread::get_id()](int64_t first, int64_t last) {
                         EXPECT_EQ(std::this_thread::get_id(), thread);
                         EXPECT_EQ(last - first, 10);
                         sum += last - first;
                       });
    }
  });
  EXPECT_EQ(sum.load(), 160);
}

TEST(ThreadPoolTest, SeveralCallersAtOnce) {
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int64_t> wrong{0};
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        std::vector<int> values(64, 0);
        pool.ParallelFor(64, 4, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] += 1;
        });
        for (const int value : values) wrong += value != 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(ThreadPoolTest, ManyShortLoops) {
  ThreadPool pool(4);
  std::vector<int64_t> values(37, 0);
  for (int round = 0; round < 5000; ++round) {
    pool.ParallelFor(37, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] += i;
    });
  }
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], 5000 * static_cast<int64_t>(i));
}

TEST(ThreadPoolTest, HugeRangesDoNotOverflow) {
  ThreadPool pool(3);
  const int64_t n = std::numeric_limits<int64_t>::max();
  std::mutex mutex;
  int64_t covered = 0;
  pool.ParallelFor(n, 1000, [&](int64_t begin, int64_t end) {
    const std::lock_guard<std::mutex> lock(mutex);
    covered += end - begin;
  });
  EXPECT_EQ(covered, n);
}

TEST(ThreadPoolTest, ALoopAllocatesNothing) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  const auto loop = [&] {
    pool.ParallelFor(99, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
  };
  loop();
  const int64_t before = allocations.load();
  for (int round = 0; round < 100; ++round) loop();
  EXPECT_EQ(allocations.load(), before);
  EXPECT_EQ(sum.load(), 101 * 99);
}

}  // namespace
}  // namespace tern
