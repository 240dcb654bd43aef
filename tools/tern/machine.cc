// SPDX-License-Identifier: MIT
#include "tools/tern/machine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/pack/ternary_layout.h"

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

// Seconds of the quickest of some calls: no more of them than are enough for a steady number.
template <typename Work>
double BestSeconds(const Work& work) {
  constexpr int kMostPasses = 20;
  constexpr double kEnoughSeconds = 0.3;
  double best = std::numeric_limits<double>::infinity();
  double total = 0;
  for (int pass = 0; pass < kMostPasses && total < kEnoughSeconds; ++pass) {
    const Clock::time_point start = Clock::now();
    work();
    const double seconds = SecondsSince(start);
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
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
  constexpr int64_t kGrainWords = int64_t{1} << 17;
  const int64_t words = bytes / static_cast<int64_t>(sizeof(uint64_t));
  const Workspace buffer(ctx.pool(), static_cast<size_t>(bytes));
  auto* data = buffer.As<uint64_t>();
  ctx.threads().ParallelFor(words, kGrainWords, [&](int64_t begin, int64_t end) {
    std::fill(data + begin, data + end, uint64_t{1});
  });
  std::atomic<uint64_t> sink{0};  // keeps the sums from being optimized away
  const double seconds = BestSeconds([&] {
    ctx.threads().ParallelFor(words, kGrainWords, [&](int64_t begin, int64_t end) {
      sink += SumWords(data + begin, end - begin);
    });
  });
  return static_cast<double>(bytes) / seconds;
}

double MeasureTernaryRate(Context& ctx) {
  constexpr int64_t kRows = 256;
  constexpr int64_t kN = 512;
  constexpr int64_t kK = 2560;
  const auto& backend = dynamic_cast<const CpuBackend&>(ctx.default_backend());
  // Zeros are as fast as any other operands.
  const int64_t stride = QuantRowStride(kK);
  const Workspace panels(ctx.pool(), PanelsBytes(kN, kK));
  const Workspace q(ctx.pool(), kRows * stride);
  const Workspace sums(ctx.pool(), kRows * sizeof(int32_t));
  const Workspace dots(ctx.pool(), kRows * kN * sizeof(int32_t));
  std::memset(panels.data(), 0, panels.size_bytes());
  std::memset(q.data(), 0, q.size_bytes());
  std::memset(sums.data(), 0, sums.size_bytes());
  const kernels::TernaryPanels w = {panels.As<uint8_t>(), kN, kK};
  const kernels::TernaryRows x = {q.As<int8_t>(), stride, sums.As<int32_t>()};
  const double seconds = BestSeconds([&] {
    ctx.threads().ParallelFor(PanelCount(kN), 1, [&](int64_t begin, int64_t end) {
      backend.kernels().ternary.dots(w, x, {0, kRows, begin, end}, dots.As<int32_t>());
    });
  });
  return 2.0 * kRows * kN * kK / seconds;
}

}  // namespace tern::cli
