// SPDX-License-Identifier: MIT
#include "tern/base/affinity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "tern/base/error.h"
#include "tern/base/thread_pool.h"

namespace tern {
namespace {

TEST(AffinityTest, PinnedThreadsStayOnTheirCpus) {
  const std::vector<int> before = ThreadAffinity();
  if (before.empty()) GTEST_SKIP() << "the system does not say where threads may run";
  for (const int threads : {1, static_cast<int>(std::min<size_t>(before.size(), 3))}) {
    // From the last on, so that the order counts.
    std::vector<int> cpus(before.rbegin(), before.rbegin() + threads);
    {
      ThreadPool pool(threads, cpus);
      EXPECT_EQ(ThreadAffinity(), std::vector<int>{cpus[0]});
      std::vector<std::vector<int>> seen(static_cast<size_t>(threads));
      std::atomic<int> started{0};
      pool.ParallelFor(threads, 1, [&](int64_t begin, int64_t) {
        started.fetch_add(1);  // all at the same time, so that each has its own thread
        while (started.load() < threads) std::this_thread::yield();
        seen[static_cast<size_t>(begin)] = ThreadAffinity();
      });
      std::ranges::sort(seen);
      std::ranges::sort(cpus);
      for (int i = 0; i < threads; ++i) {
        const auto at = static_cast<size_t>(i);
        EXPECT_EQ(seen[at], std::vector<int>{cpus[at]});
      }
    }
    EXPECT_EQ(ThreadAffinity(), before);
  }
}

TEST(AffinityTest, RefusesToPinWhereItCannot) {
  const std::vector<int> before = ThreadAffinity();
  EXPECT_THROW(ThreadPool(1, {8191}), Error);
  EXPECT_THROW(ThreadPool(2, {0, -1}), Error);
  EXPECT_THROW(ThreadPool(3, {0, 1}), Error);
  EXPECT_EQ(ThreadAffinity(), before);
}

}  // namespace
}  // namespace tern
