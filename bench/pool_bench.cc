// SPDX-License-Identifier: MIT
// Measures MemoryPool against glibc's malloc: one thread, an allocation and its release, at every
// power of two from 16 B to 1 MiB.
//
//   median   of batches of pairs, in which the clock's cost vanishes. Batches of the pool and of
//            malloc take turns, so that a noisy machine disturbs both alike.
//   p99.9    of single pairs, each between two readings of the clock, less the median of two
//            readings with nothing between them. Both allocators are warm.
//   mixed    single pairs of random sizes (log-uniform, 16 B to 32 KiB and to 1 MiB) while 256
//            other blocks live that are replaced one at a time: caches run empty and full.
//
// Every pair writes a byte of its block; the pool's must be aligned to 64 bytes. Everything runs
// several times and the median of the runs counts. Prints a table; exit status 1 if a bar is
// missed.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "tern/base/random.h"
#include "tern/core/memory_pool.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMinBytes = 16;
constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr size_t kSmallBytes = 1024;
constexpr double kSmallMedianBarNs = 10;
constexpr double kP999BarNs = 100;
constexpr int kRuns = 7;
constexpr int kBatches = 101;
constexpr int kPairsPerBatch = 1000;
constexpr int kSinglePairs = 100'000;
constexpr size_t kLiveBlocks = 256;

double Nanoseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::nano>(duration).count();
}

double Quantile(std::vector<double>& values, double q) {
  const auto at = values.begin() + static_cast<int64_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// The compiler must take the block for used.
void Touch(void* block) {
  *static_cast<volatile char*>(block) = 1;
  asm volatile("" : : "r"(block) : "memory");
}

class Glibc {
 public:
  void* Allocate(size_t bytes) { return std::malloc(bytes); }
  void Release(void* block) { std::free(block); }
};

class Pool {
 public:
  void* Allocate(size_t bytes) {
    void* block = pool_.Allocate(bytes);
    misaligned_ |= reinterpret_cast<uintptr_t>(block) % 64;
    return block;
  }
  void Release(void* block) { pool_.Release(block); }
  bool aligned() const { return misaligned_ == 0; }

 private:
  tern::MemoryPool pool_;
  uintptr_t misaligned_ = 0;
};

template <typename Allocator>
double BatchNs(Allocator& allocator, size_t bytes) {
  const auto begin = Clock::now();
  for (int i = 0; i < kPairsPerBatch; ++i) {
    void* block = allocator.Allocate(bytes);
    Touch(block);
    allocator.Release(block);
  }
  return Nanoseconds(Clock::now() - begin) / kPairsPerBatch;
}

struct Medians {
  double pool_ns;
  double glibc_ns;
};

Medians MedianNs(Pool& pool, Glibc& glibc, size_t bytes) {
  std::vector<double> of_pool, of_glibc;
  for (int i = 0; i < kBatches; ++i) {
    of_pool.push_back(BatchNs(pool, bytes));
    of_glibc.push_back(BatchNs(glibc, bytes));
  }
  return {Quantile(of_pool, 0.5), Quantile(of_glibc, 0.5)};
}

// How often a call took each number of nanoseconds; the last counts for all that took longer. Not
// a list of times: each new cache line of it would be a miss that a call has to wait for.
class Histogram {
 public:
  void Add(double ns) {
    const auto bucket = static_cast<size_t>(std::max(ns, 0.0));
    ++counts_[std::min(bucket, counts_.size() - 1)];
    ++total_;
  }
  double QuantileNs(double q) const {
    uint64_t left = static_cast<uint64_t>(q * static_cast<double>(total_));
    size_t bucket = 0;
    while (bucket + 1 < counts_.size() && counts_[bucket] <= left) left -= counts_[bucket++];
    return static_cast<double>(bucket);
  }

 private:
  std::array<uint32_t, 20'000> counts_{};
  uint64_t total_ = 0;
};

// The times of f(0), f(1), ..., with the clock's own.
template <typename F>
Histogram SingleNs(int count, F f) {
  Histogram times;
  for (int i = 0; i < count; ++i) {
    const auto begin = Clock::now();
    f(i);
    times.Add(Nanoseconds(Clock::now() - begin));
  }
  return times;
}

double ClockNs() {
  return SingleNs(kSinglePairs, [](int) {}).QuantileNs(0.5);
}

template <typename Allocator>
double PairP999Ns(Allocator& allocator, size_t bytes) {
  const auto pair = [&](int) {
    void* block = allocator.Allocate(bytes);
    Touch(block);
    allocator.Release(block);
  };
  SingleNs(kSinglePairs / 10, pair);
  const double clock_ns = ClockNs();
  return SingleNs(kSinglePairs, pair).QuantileNs(0.999) - clock_ns;
}

template <typename Allocator>
double MixedP999Ns(Allocator& allocator, std::span<const size_t> sizes) {
  std::vector<void*> live(kLiveBlocks, nullptr);
  for (void*& block : live) block = allocator.Allocate(sizes.front());
  const auto replace = [&](int i) {
    void*& block = live[static_cast<size_t>(i) * 7 % kLiveBlocks];
    allocator.Release(block);
    block = allocator.Allocate(sizes[static_cast<size_t>(i) % sizes.size()]);
    Touch(block);
  };
  SingleNs(kSinglePairs, replace);
  const double clock_ns = ClockNs();
  const double p999 = SingleNs(kSinglePairs, replace).QuantileNs(0.999);
  for (void* block : live) allocator.Release(block);
  return p999 - clock_ns;
}

std::vector<size_t> RandomSizes(size_t max_bytes) {
  tern::Random random(1);
  std::vector<size_t> sizes(10'007);
  const double span = std::log2(static_cast<double>(max_bytes) / kMinBytes);
  for (size_t& bytes : sizes) {
    bytes = static_cast<size_t>(kMinBytes * std::exp2(span * random.Uniform()));
  }
  return sizes;
}

template <typename F>
double MedianOfRuns(F f) {
  std::vector<double> values;
  for (int run = 0; run < kRuns; ++run) values.push_back(f());
  return Quantile(values, 0.5);
}

// One line of the table; false if a bar is missed.
bool MeasureSize(Pool& pool, Glibc& glibc, size_t bytes) {
  std::vector<double> pool_ns, glibc_ns;
  for (int run = 0; run < kRuns; ++run) {
    const Medians medians = MedianNs(pool, glibc, bytes);
    pool_ns.push_back(medians.pool_ns);
    glibc_ns.push_back(medians.glibc_ns);
  }
  const double median = Quantile(pool_ns, 0.5);
  const double glibc_median = Quantile(glibc_ns, 0.5);
  const double p999 = MedianOfRuns([&] { return PairP999Ns(pool, bytes); });
  const double glibc_p999 = MedianOfRuns([&] { return PairP999Ns(glibc, bytes); });
  const bool ok = median < glibc_median && p999 <= kP999BarNs &&
                  (bytes > kSmallBytes || median <= kSmallMedianBarNs);
  fmt::print("{:>8} {:>9.2f} {:>9.2f} {:>6.2f} {:>9.1f} {:>9.1f}  {}\n", bytes, median,
             glibc_median, median / glibc_median, p999, glibc_p999, ok ? "ok" : "MISSED");
  return ok;
}

}  // namespace

int main() {
  Pool pool;
  Glibc glibc;
  bool ok = true;
  fmt::print("clock {:.1f} ns; medians of {} runs\n{:>8} {:>19} {:>6} {:>19}\n", ClockNs(), kRuns,
             "", "median ns", "", "p99.9 ns");
  fmt::print("{:>8} {:>9} {:>9} {:>6} {:>9} {:>9}\n", "bytes", "pool", "glibc", "ratio", "pool",
             "glibc");
  for (size_t bytes = kMinBytes; bytes <= kMaxBytes; bytes *= 2) {
    ok = MeasureSize(pool, glibc, bytes) && ok;
  }
  for (const size_t max_bytes : {size_t{32} << 10, kMaxBytes}) {
    const std::vector<size_t> sizes = RandomSizes(max_bytes);
    const double p999 = MedianOfRuns([&] { return MixedP999Ns(pool, sizes); });
    const double glibc_p999 = MedianOfRuns([&] { return MixedP999Ns(glibc, sizes); });
    fmt::print("mixed to {:>7} {:>37.1f} {:>9.1f}\n", max_bytes, p999, glibc_p999);
  }
  if (!pool.aligned()) fmt::print(stderr, "a block of the pool was not aligned to 64 bytes\n");
  return ok && pool.aligned() ? 0 : 1;
}
