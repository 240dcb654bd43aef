// SPDX-License-Identifier: MIT
#include "tools/tern/machine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>

namespace tern::cli {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The number at the start of a file; 0 where there is none ("max").
int64_t ReadNumber(const char* path) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number ? number : 0;
}

// Sums 64-bit words in as many independent chains as keep the loads in flight.
uint64_t SumWords(const uint64_t* words, int64_t count) {
  constexpr int kChains = 8;
  uint64_t sums[kChains] = {};
  for (int64_t i = 0; i + kChains <= count; i += kChains) {
    for (int chain = 0; chain < kChains; ++chain) sums[chain] += words[i + chain];
  }
  uint64_t sum = 0;
  for (const uint64_t chain_sum : sums) sum += chain_sum;
  return sum;
}

}  // namespace

MachineMemory ReadMachineMemory() {
  MachineMemory memory;
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::string unit;
  int64_t kib = 0;
  while (file >> key >> kib && std::getline(file, unit)) {
    if (key == "MemTotal:") memory.total_bytes = kib << 10;
    if (key == "MemAvailable:") memory.available_bytes = kib << 10;
  }
  // Version 2 of control groups, then version 1, whose "none" is a huge number.
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const int64_t limit = ReadNumber(path);
    if (limit > 0 && limit < memory.total_bytes) memory.limit_bytes = limit;
  }
  return memory;
}

double MeasureReadBandwidth(Context& ctx, int64_t bytes) {
  constexpr int kPasses = 5;
  constexpr int64_t kGrainWords = int64_t{1} << 17;
  const int64_t words = bytes / static_cast<int64_t>(sizeof(uint64_t));
  const Workspace buffer(ctx.pool(), static_cast<size_t>(bytes));
  auto* data = buffer.As<uint64_t>();
  ctx.threads().ParallelFor(words, kGrainWords, [&](int64_t begin, int64_t end) {
    std::fill(data + begin, data + end, uint64_t{1});
  });
  double best_seconds = std::numeric_limits<double>::infinity();
  std::atomic<uint64_t> sink{0};  // keeps the sums from being optimized away
  for (int pass = 0; pass < kPasses; ++pass) {
    const Clock::time_point start = Clock::now();
    ctx.threads().ParallelFor(words, kGrainWords, [&](int64_t begin, int64_t end) {
      sink += SumWords(data + begin, end - begin);
    });
    best_seconds = std::min(best_seconds, SecondsSince(start));
  }
  return static_cast<double>(bytes) / best_seconds;
}

}  // namespace tern::cli
