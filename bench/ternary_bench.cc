// SPDX-License-Identifier: MIT
// Ternary products on one thread against what the machine could do, and every target against the
// scalar reference. Times are taken in turns, so that a ratio compares neighbours in time; a ratio
// is the median over the rounds, followed by the best. Results are compared for equality.
//
//   ternary_bench [ROUNDS] [MEGABYTES] [TARGET]    MEGABYTES of weights for matrix-vector
//                                                  (default 9, 1200, all)
#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string_view>
#include <vector>

#include "tern/core/memory_pool.h"
#include "tern/kernels/kernel_table.h"

namespace tern::kernels {
namespace {

struct Matrix {
  int64_t n, k;
  double multiply_adds(int64_t rows) const { return static_cast<double>(rows * n * k); }
};

// Of this thread on a CPU: what others run at the same time does not count.
double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <typename F>
double Seconds(F f) {
  const double begin = ThreadSeconds();
  f();
  return ThreadSeconds() - begin;
}

struct Ratios {
  std::vector<double> values;

  void Add(double ratio) { values.push_back(ratio); }
  double Median() {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }
  double Best() const { return *std::max_element(values.begin(), values.end()); }
};

// Multiply-adds a second on registers.
double PeakRate(const KernelTable& kernels) {
  int64_t count = 0;
  const double seconds = Seconds([&] { count = kernels.ternary.register_peak(500'000); });
  return static_cast<double>(count) / seconds;
}

double ReadRate(const PoolVector<uint8_t>& bytes, uint64_t* sink) {
  const uint64_t* const words = reinterpret_cast<const uint64_t*>(bytes.data());
  const size_t count = bytes.size() / 8 / 16 * 16;
  uint64_t sum[16] = {};
  const double seconds = Seconds([&] {
    for (size_t i = 0; i < count; i += 16) {
      for (int lane = 0; lane < 16; ++lane) sum[lane] += words[i + lane];
    }
  });
  for (const uint64_t s : sum) *sink += s;
  return static_cast<double>(count * 8) / seconds;
}

// Activations and weights at random.
struct Operands {
  int64_t rows, k, stride;
  PoolVector<int8_t> q;
  PoolVector<int32_t> sum;
  PoolVector<float> scale;

  Operands(MemoryPool& pool, int64_t rows_in, int64_t k_in)
      : rows(rows_in),
        k(k_in),
        stride(QuantRowStride(k_in)),
        q(rows * stride, &pool),
        sum(rows, &pool),
        scale(rows, 100.0f, &pool) {
    std::mt19937 random(1);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t t = 0; t < k; ++t) {
        q[i * stride + t] = static_cast<int8_t>(random() % 255 - 127);
        sum[i] += q[i * stride + t];
      }
    }
  }
  TernaryRows view() const { return {q.data(), stride, sum.data()}; }
};

void FillPanels(PoolVector<uint8_t>* panels) {
  std::mt19937_64 random(2);
  for (uint8_t& byte : *panels) {
    const uint32_t r = static_cast<uint32_t>(random() >> 32);
    byte = static_cast<uint8_t>(r % 3 | r / 3 % 3 << 2 | r / 9 % 3 << 4 | r / 27 % 3 << 6);
  }
}

void RunPanels(const KernelTable& kernels, const TernaryPanels& w, const Operands& x,
               int64_t panel_end, PoolVector<float>* y) {
  kernels.ternary.bit_linear(w, x.view(), {0, x.rows, 0, panel_end},
                             {.multiplier = 0.5f,
                              .scale = x.scale.data(),
                              .bias = nullptr,
                              .y = y->data(),
                              .y_stride = w.n});
}

void RequireEqual(const PoolVector<float>& a, const PoolVector<float>& b, const char* what) {
  if (a != b) {
    fmt::print(stderr, "{}: results differ\n", what);
    std::exit(1);
  }
}

void BenchMatrixMatrix(MemoryPool& pool, const KernelTable& kernels, const Matrix& m, int rounds) {
  const Operands x(pool, 256, m.k);
  PoolVector<uint8_t> panels(PanelsBytes(m.n, m.k), &pool);
  FillPanels(&panels);
  const TernaryPanels w = {panels.data(), m.n, m.k};
  PoolVector<float> y(x.rows * m.n, &pool);
  RunPanels(kernels, w, x, PanelCount(m.n), &y);
  Ratios ratio, rate;
  double before = PeakRate(kernels);
  for (int i = 0; i < rounds; ++i) {
    const double seconds = Seconds([&] { RunPanels(kernels, w, x, PanelCount(m.n), &y); });
    const double after = PeakRate(kernels);
    rate.Add(m.multiply_adds(x.rows) / seconds);
    ratio.Add(rate.values.back() / (0.5 * (before + after)));
    before = after;
  }
  fmt::print(
      "{:10} 256 rows by {} x {}: {:.0f} GMAC/s, {:.1f} % of the register peak (best {:.1f})\n",
      kernels.target, m.k, m.n, rate.Median() * 1e-9, 100 * ratio.Median(), 100 * ratio.Best());
}

void BenchMatrixVector(MemoryPool& pool, const KernelTable& kernels, const Matrix& m, int rounds,
                       const PoolVector<uint8_t>& memory) {
  const Operands x(pool, 1, m.k);
  const int64_t matrix_bytes = PanelsBytes(m.n, m.k);
  const int64_t matrices = static_cast<int64_t>(memory.size()) / matrix_bytes;
  PoolVector<float> y(m.n, &pool);
  uint64_t sink = 0;
  Ratios ratio, rate, read_rate;
  for (int i = 0; i < rounds; ++i) {
    const double read = ReadRate(memory, &sink);
    const double seconds = Seconds([&] {
      for (int64_t j = 0; j < matrices; ++j) {
        RunPanels(kernels, {memory.data() + j * matrix_bytes, m.n, m.k}, x, PanelCount(m.n), &y);
      }
    });
    rate.Add(static_cast<double>(matrices * matrix_bytes) / seconds);
    read_rate.Add(read);
    ratio.Add(rate.values.back() / read);
  }
  fmt::print(
      "{:10} 1 row by {} x {}, {} matrices: {:.1f} GB/s of weights ({:.0f} GMAC/s), {:.1f} % of "
      "reading, {:.1f} GB/s (best {:.1f}){}\n",
      kernels.target, m.k, m.n, matrices, rate.Median() * 1e-9, rate.Median() * 4e-9,
      100 * ratio.Median(), read_rate.Median() * 1e-9, 100 * ratio.Best(), sink == 1 ? " " : "");
}

// One row out of memory: kPanelsBase3 against kPanels2Bit, the same trits in turn.
void BenchBase3(MemoryPool& pool, const KernelTable& kernels, const Matrix& m, int rounds,
                const PoolVector<uint8_t>& memory) {
  const Operands x(pool, 1, m.k);
  const int64_t bytes = PanelsBytes(m.n, m.k);
  const int64_t base3_bytes = PanelsBytes(m.n, m.k, TernaryLayout::kPanelsBase3);
  const int64_t matrices = static_cast<int64_t>(memory.size()) / bytes;
  PoolVector<uint8_t> base3(static_cast<size_t>(matrices * base3_bytes), &pool);
  PoolVector<float> expected(m.n, &pool), y(m.n, &pool);
  for (int64_t j = 0; j < matrices; ++j) {
    kernels.ternary.pack_base3({memory.data() + j * bytes, m.n, m.k}, 0, PanelCount(m.n),
                               base3.data() + j * base3_bytes);
  }
  Ratios ratio, rate;
  for (int i = 0; i < rounds; ++i) {
    double seconds = 0, base3_seconds = 0;
    for (int64_t j = 0; j < matrices; ++j) {
      seconds += Seconds([&] {
        RunPanels(kernels, {memory.data() + j * bytes, m.n, m.k}, x, PanelCount(m.n), &expected);
      });
      base3_seconds += Seconds([&] {
        RunPanels(kernels, {base3.data() + j * base3_bytes, m.n, m.k, TernaryLayout::kPanelsBase3},
                  x, PanelCount(m.n), &y);
      });
      RequireEqual(expected, y, "base 3");
    }
    ratio.Add(seconds / base3_seconds);
    rate.Add(static_cast<double>(matrices * base3_bytes) / base3_seconds);
  }
  fmt::print(
      "{:10} 1 row by {} x {}, base 3: {:.1f} GB/s of weights, {:.2f} times 2 bits (best "
      "{:.2f})\n",
      kernels.target, m.k, m.n, rate.Median() * 1e-9, ratio.Median(), ratio.Best());
}

// Many rows, weights in the caches: what expanding kPanelsBase3 costs.
void BenchBase3Rows(MemoryPool& pool, const KernelTable& kernels, const Matrix& m, int64_t rows,
                    int rounds) {
  const Operands x(pool, rows, m.k);
  PoolVector<uint8_t> panels(PanelsBytes(m.n, m.k), &pool);
  PoolVector<uint8_t> base3(PanelsBytes(m.n, m.k, TernaryLayout::kPanelsBase3), &pool);
  FillPanels(&panels);
  const TernaryPanels w = {panels.data(), m.n, m.k};
  kernels.ternary.pack_base3(w, 0, PanelCount(m.n), base3.data());
  PoolVector<float> expected(rows * m.n, &pool), y(rows * m.n, &pool);
  Ratios ratio;
  for (int i = 0; i < rounds; ++i) {
    const double seconds = Seconds([&] { RunPanels(kernels, w, x, PanelCount(m.n), &expected); });
    ratio.Add(seconds / Seconds([&] {
                RunPanels(kernels, {base3.data(), m.n, m.k, TernaryLayout::kPanelsBase3}, x,
                          PanelCount(m.n), &y);
              }));
  }
  RequireEqual(expected, y, "base 3");
  fmt::print("{:10} {} rows by {} x {}, base 3: {:.2f} times 2 bits (best {:.2f})\n",
             kernels.target, rows, m.k, m.n, ratio.Median(), ratio.Best());
}

// A target against scalar, on as many panels as scalar does in reasonable time.
void BenchAgainstScalar(MemoryPool& pool, const KernelTable& scalar, const KernelTable& kernels,
                        const Matrix& m, int64_t rows, int rounds) {
  const Operands x(pool, rows, m.k);
  PoolVector<uint8_t> panels(PanelsBytes(m.n, m.k), &pool);
  FillPanels(&panels);
  const TernaryPanels w = {panels.data(), m.n, m.k};
  const int64_t some = std::max<int64_t>(2, PanelCount(m.n) / rows);
  PoolVector<float> expected(rows * m.n, &pool), y(rows * m.n, &pool);
  Ratios ratio;
  for (int i = 0; i < rounds; ++i) {
    const double slow = Seconds([&] { RunPanels(scalar, w, x, some, &expected); });
    double fast = 1e9;
    for (int j = 0; j < 3; ++j) {
      fast = std::min(fast, Seconds([&] { RunPanels(kernels, w, x, some, &y); }));
    }
    ratio.Add(slow / fast);
  }
  RequireEqual(expected, y, kernels.target);
  fmt::print("{:10} {} rows by {} x {}: {:.1f} times scalar (best {:.1f})\n", kernels.target, rows,
             m.k, m.n, ratio.Median(), ratio.Best());
}

int Main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  const int64_t megabytes = argc > 2 ? std::atoll(argv[2]) : 1200;
  const Matrix up = {6912, 2560};
  const Matrix down = {2560, 6912};
  const CpuFeatures cpu = CpuFeatures::Detect();
  const KernelTable& scalar = SelectKernels(cpu, "scalar");
  MemoryPool pool;
  PoolVector<uint8_t> memory(static_cast<size_t>(megabytes) * 1'000'000, &pool);
  FillPanels(&memory);
  for (const Target& target : ListTargets(cpu)) {
    if (!target.supported || target.table == &scalar) continue;
    if (argc > 3 && target.name != std::string_view(argv[3])) continue;
    fmt::print("{:10} register peak {:.0f} GMAC/s\n", target.name, PeakRate(*target.table) * 1e-9);
    BenchMatrixMatrix(pool, *target.table, up, 3 * rounds);
    BenchMatrixMatrix(pool, *target.table, down, 3 * rounds);
    BenchMatrixVector(pool, *target.table, up, rounds, memory);
    BenchMatrixVector(pool, *target.table, down, rounds, memory);
    BenchBase3(pool, *target.table, up, rounds, memory);
    BenchBase3(pool, *target.table, down, rounds, memory);
    for (const int64_t rows : {1, 2, 8, 256}) {
      BenchBase3Rows(pool, *target.table, up, rows, 3 * rounds);
    }
    BenchAgainstScalar(pool, scalar, *target.table, up, 256, 3);
    BenchAgainstScalar(pool, scalar, *target.table, up, 1, 3);
  }
  return 0;
}

}  // namespace
}  // namespace tern::kernels

int main(int argc, char** argv) { return tern::kernels::Main(argc, argv); }
