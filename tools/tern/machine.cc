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

constexpr int64_t kGrainWords = int64_t{1} << 17;

int64_t WordCount(const Workspace& buffer) {
  return static_cast<int64_t>(buffer.size_bytes() / sizeof(uint64_t));
}

// Seconds of the quickest of some calls: no more of them than are enough for a steady number.
template <typename Work>
double BestSeconds(int most_passes, const Work& work) {
  constexpr double kEnoughSeconds = 0.3;
  double best = std::numeric_limits<double>::infinity();
  double total = 0;
  for (int pass = 0; pass < most_passes && total < kEnoughSeconds; ++pass) {
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

int64_t PeakBufferBytes(const CpuTopology& topology, const MachineMemory& memory,
                        uint64_t memory_limit_bytes) {
  constexpr int64_t kLeast = int64_t{64} << 20;
  constexpr int64_t kMost = int64_t{1} << 30;
  int64_t bytes = std::clamp(4 * topology.l3_bytes, kLeast, kMost);
  if (memory.available_bytes > 0) bytes = std::min(bytes, memory.available_bytes / 4);
  if (memory.limit_bytes > 0) bytes = std::min(bytes, memory.limit_bytes / 4);
  if (memory_limit_bytes > 0) {
    bytes = std::min(bytes, static_cast<int64_t>(memory_limit_bytes / 2));
  }
  return bytes;
}

ReadPeak::ReadPeak(Context& ctx, int64_t bytes) : buffer_(ctx.pool(), static_cast<size_t>(bytes)) {
  auto* data = buffer_.As<uint64_t>();
  ctx.threads().ParallelFor(WordCount(buffer_), kGrainWords, [&](int64_t begin, int64_t end) {
    std::fill(data + begin, data + end, uint64_t{1});
  });
}

double ReadPeak::Measure(ThreadPool& threads, int most_passes) const {
  const auto* data = buffer_.As<uint64_t>();
  std::atomic<uint64_t> sink{0};  // keeps the sums from being optimized away
  const double seconds = BestSeconds(most_passes, [&] {
    threads.ParallelFor(WordCount(buffer_), kGrainWords, [&](int64_t begin, int64_t end) {
      sink += SumWords(data + begin, end - begin);
    });
  });
  return static_cast<double>(bytes()) / seconds;
}

double MeasureRegisterPeak(Context& ctx, const kernels::KernelTable& kernels) {
  if (kernels.ternary.register_peak == nullptr) return 0;
  constexpr int64_t kRounds = 50000;
  std::atomic<int64_t> products{0};
  const double seconds = BestSeconds(5, [&] {
    products = 0;
    ctx.threads().ParallelFor(ctx.threads().threads(), 1, [&](int64_t begin, int64_t end) {
      for (; begin < end; ++begin) products += kernels.ternary.register_peak(kRounds);
    });
  });
  return static_cast<double>(products) / seconds;
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
  const double seconds = BestSeconds(20, [&] {
    ctx.threads().ParallelFor(PanelCount(kN), 1, [&](int64_t begin, int64_t end) {
      backend.kernels().ternary.dots(w, x, {0, kRows, begin, end}, dots.As<int32_t>());
    });
  });
  return 2.0 * kRows * kN * kK / seconds;
}

}  // namespace tern::cli
