// SPDX-License-Identifier: MIT
// Measures the float products of a training step and of generation, on one thread:
//
//   linear     Op::kLinear against the peak of separate multiplies and adds (canonical float has no
//              fused ones), which a loop over registers measures
//   stream     the same with one row and weights out of cache, against the read bandwidth that a
//              sum over them reaches
//   attention  forward and backward of a layer of a small language model
//   gemm       Op::kGemm
//
// What is compared takes turns, so that a noisy machine disturbs both alike; the best of the runs
// counts. Every result is compared with the scalar target, or with sums in double for gemm.
// Prints a table; exit status 1 if a result is wrong.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/core/context.h"

namespace tern {
namespace {

// Short runs, many of them: some fall between those of other programs.
constexpr int kMinRuns = 10;
constexpr double kSeconds = 1;

bool g_ok = true;

void Check(bool ok, const std::string& what) {
  if (ok) return;
  fmt::print("WRONG: {}\n", what);
  g_ok = false;
}

// Seconds of the fastest run of each function, taking turns.
std::vector<double> Race(const std::vector<std::function<void()>>& functions) {
  std::vector<double> best(functions.size(), 1e30);
  double total = 0;
  for (int run = 0; run < kMinRuns || total < kSeconds; ++run) {
    for (size_t i = 0; i < functions.size(); ++i) {
      const auto begin = std::chrono::steady_clock::now();
      functions[i]();
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      best[i] = std::min(best[i], seconds.count());
      total += seconds.count();
    }
  }
  return best;
}

// The compiler must take x for another value.
#if defined(__x86_64__)
#define TERN_OPAQUE(x) asm volatile("" : "+v"(x))
#else
#define TERN_OPAQUE(x) asm volatile("" : "+w"(x))
#endif

// Multiplies and adds on registers: kGroups times 8 accumulators, enough to hide the latencies.
template <typename V, int kGroups>
[[gnu::always_inline]] inline double MultiplyAddLoop(int64_t steps) {
  V sum[kGroups][2][4] = {};
  V a[2], b[4];
  for (V& x : a) x = V{} + 1.5f;
  for (V& x : b) x = V{} + 0.5f;
  for (V& x : b) TERN_OPAQUE(x);
  for (int64_t t = 0; t < steps; ++t) {
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 4
      for (int r = 0; r < 2; ++r) {
        TERN_OPAQUE(a[r]);
#pragma GCC unroll 4
        for (int c = 0; c < 4; ++c) sum[g][r][c] += a[r] * b[c];
      }
    }
  }
  V total = {};
  for (auto& group : sum) {
    for (auto& row : group) {
      for (const V& x : row) total += x;
    }
  }
  return static_cast<double>(total[0]);
}

// Multiply-adds of the loop a step, and the loop, for the vectors of a CPU target.
struct Peak {
  double macs_per_step;
  double (*loop)(int64_t steps);
};

using V4 = float __attribute__((vector_size(16)));
double Peak128(int64_t steps) { return MultiplyAddLoop<V4, 1>(steps); }
#if defined(__x86_64__)
using V8 = float __attribute__((vector_size(32)));
using V16 = float __attribute__((vector_size(64)));
__attribute__((target("avx2"))) double Peak256(int64_t steps) {
  return MultiplyAddLoop<V8, 1>(steps);
}
__attribute__((target("avx512f"))) double Peak512(int64_t steps) {
  return MultiplyAddLoop<V16, 3>(steps);
}
#endif

Peak PeakOf([[maybe_unused]] std::string_view target) {
#if defined(__x86_64__)
  if (target.starts_with("avx512")) return {384, Peak512};
  if (target.starts_with("avx")) return {64, Peak256};
#endif
  return {32, Peak128};
}

struct Bench {
  Bench() : ctx({.threads = 1, .log = {}}), scalar({.threads = 1, .log = {}}) {
    auto backend = std::make_unique<CpuBackend>();
    target = backend->kernels().target;
    ctx.AddBackend(std::move(backend));
    scalar.AddBackend(std::make_unique<CpuBackend>("scalar"));
  }

  Tensor Random(const Shape& shape) {
    Tensor t = ctx.Empty(shape, DType::kF32);
    std::normal_distribution<float> normal;
    for (float& x : t.span<float>()) x = normal(random);
    return t;
  }

  static void Run(Context& c, Op op, std::vector<const Tensor*> inputs,
                  std::vector<const Tensor*> outputs, const OpAttrs& attrs = {}) {
    c.Run({.op = op, .inputs = inputs, .outputs = outputs, .attrs = attrs});
  }

  Context ctx, scalar;
  std::string_view target;
  std::mt19937 random{1};
};

bool SameBits(const Tensor& a, const Tensor& b) {
  return std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

void BenchLinear(Bench& bench, int64_t m, int64_t n, int64_t k) {
  const Tensor x = bench.Random({m, k}), w = bench.Random({n, k});
  const Tensor y = bench.ctx.Empty({m, n}, DType::kF32);
  const Peak peak = PeakOf(bench.target);
  const int64_t steps = 1 << 16;
  volatile double sink = 0;
  const int64_t repeats = std::max<int64_t>(1, (1 << 25) / (m * n * k));
  const auto seconds = Race({[&] { sink = sink + peak.loop(steps); },
                             [&] {
                               for (int64_t i = 0; i < repeats; ++i) {
                                 Bench::Run(bench.ctx, Op::kLinear, {&x, &w}, {&y});
                               }
                             }});
  const double peak_rate = peak.macs_per_step * static_cast<double>(steps) / seconds[0];
  const double rate = static_cast<double>(m * n * k * repeats) / seconds[1];
  fmt::print("linear     {:5} x {:6} x {:5}  {:7.1f} GMAC/s  {:5.1f} % of the peak {:.1f}\n", m, n,
             k, rate * 1e-9, 100 * rate / peak_rate, peak_rate * 1e-9);
  const Tensor expected = bench.scalar.Empty({m, n}, DType::kF32);
  Bench::Run(bench.scalar, Op::kLinear, {&x, &w}, {&expected});
  Check(SameBits(y, expected), "linear");
}

void BenchStream(Bench& bench, DType dtype, int64_t n, int64_t k) {
  const Tensor x = bench.Random({1, k});
  const Tensor w = bench.ctx.Empty({n, k}, dtype);
  const Tensor wide = bench.Random({n, k});
  Bench::Run(bench.ctx, Op::kCopy, {&wide}, {&w});
  Bench::Run(bench.ctx, Op::kCopy, {&w}, {&wide});
  const Tensor y = bench.ctx.Empty({1, n}, DType::kF32);
  volatile uint64_t sink = 0;
  const auto seconds = Race({[&] {
                               const uint64_t* words = static_cast<const uint64_t*>(w.raw());
                               uint64_t sum[8] = {};
                               for (size_t i = 0; i + 8 <= w.bytes() / 8; i += 8) {
                                 for (size_t j = 0; j < 8; ++j) sum[j] += words[i + j];
                               }
                               for (const uint64_t s : sum) sink = sink + s;
                             },
                             [&] {
                               Bench::Run(bench.ctx, Op::kLinear, {&x, &w}, {&y});
                             }});
  const double bytes = static_cast<double>(w.bytes());
  fmt::print("stream {:5}    1 x {:6} x {:5}  {:6.1f} GB/s    {:5.1f} % of reading at {:.1f}\n",
             DTypeName(dtype), n, k, bytes / seconds[1] * 1e-9, 100 * seconds[0] / seconds[1],
             bytes / seconds[0] * 1e-9);
  const Tensor expected = bench.scalar.Empty({1, n}, DType::kF32);
  Bench::Run(bench.scalar, Op::kLinear, {&x, &wide}, {&expected});
  Check(SameBits(y, expected), "stream");
}

void BenchAttention(Bench& bench, int64_t tokens, int64_t heads, int64_t kv_heads,
                    int64_t head_dim) {
  const int64_t batch = 1;
  const Shape queries = {batch, tokens, heads, head_dim};
  const Shape keys = {batch, tokens, kv_heads, head_dim};
  const Tensor q = bench.Random(queries), k = bench.Random(keys), v = bench.Random(keys);
  const Tensor dy = bench.Random(queries);
  const Tensor y = bench.ctx.Empty(queries, DType::kF32);
  const Tensor stats = bench.ctx.Empty({batch, heads, tokens, 2}, DType::kF32);
  const Tensor dq = bench.ctx.Empty(queries, DType::kF32);
  const Tensor dk = bench.ctx.Empty(keys, DType::kF32), dv = bench.ctx.Empty(keys, DType::kF32);
  const AttentionAttrs attrs = {.scale = 1 / std::sqrt(static_cast<float>(head_dim)), .start = 0};
  const auto seconds =
      Race({[&] {
              Bench::Run(bench.ctx, Op::kAttention, {&q, &k, &v}, {&y, &stats}, attrs);
            },
            [&] {
              Bench::Run(bench.ctx, Op::kAttentionGrad, {&q, &k, &v, &stats, &y, &dy},
                         {&dq, &dk, &dv}, attrs);
            }});
  const double macs = static_cast<double>(batch * heads * head_dim * tokens * (tokens + 1));
  fmt::print(
      "attention  {} x {:4} tokens, {} / {} heads of {:3}: forward {:5.1f} GMAC/s {:6.2f} us a "
      "token, backward {:5.1f} GMAC/s {:6.2f} us\n",
      batch, tokens, heads, kv_heads, head_dim, macs / seconds[0] * 1e-9,
      seconds[0] * 1e6 / static_cast<double>(batch * tokens), 2.5 * macs / seconds[1] * 1e-9,
      seconds[1] * 1e6 / static_cast<double>(batch * tokens));
  const Tensor expected = bench.scalar.Empty(queries, DType::kF32);
  Bench::Run(bench.scalar, Op::kAttention, {&q, &k, &v}, {&expected, &stats}, attrs);
  Check(SameBits(y, expected), "attention");
}

void BenchGemm(Bench& bench, const char* name, GemmAttrs attrs, int64_t m, int64_t n, int64_t k) {
  const Tensor a = bench.Random(attrs.transpose_a ? Shape{1, k, m} : Shape{1, m, k});
  const Tensor b = bench.Random(attrs.transpose_b ? Shape{1, n, k} : Shape{1, k, n});
  const Tensor y = bench.ctx.Empty({1, m, n}, DType::kF32);
  const auto seconds = Race({[&] { Bench::Run(bench.ctx, Op::kGemm, {&a, &b}, {&y}, attrs); }});
  const double macs = static_cast<double>(m * n * k);
  fmt::print("gemm {:5} {:5} x {:6} x {:5}  {:7.1f} GMAC/s\n", name, m, n, k,
             macs / seconds[0] * 1e-9);
  for (int sample = 0; sample < 100; ++sample) {
    const int64_t i = static_cast<int64_t>(bench.random() % static_cast<uint64_t>(m));
    const int64_t j = static_cast<int64_t>(bench.random() % static_cast<uint64_t>(n));
    double sum = 0, size = 0;
    for (int64_t t = 0; t < k; ++t) {
      const double product = double{a.data<float>()[attrs.transpose_a ? t * m + i : i * k + t]} *
                             b.data<float>()[attrs.transpose_b ? j * k + t : t * n + j];
      sum += product;
      size += std::abs(product);
    }
    const double error = std::abs(sum - y.data<float>()[i * n + j]);
    Check(error <= static_cast<double>(k + 1) * 0x1p-24 * size, "gemm");
  }
}

int Main() {
  Bench bench;
  fmt::print("target {}, one thread\n", bench.target);
  BenchLinear(bench, 256, 768, 256);
  BenchLinear(bench, 64, 4096, 256);
  BenchLinear(bench, 16, 2560, 2560);
  BenchLinear(bench, 1, 4096, 256);
  BenchStream(bench, DType::kF32, 1 << 14, 2560);
  BenchStream(bench, DType::kBF16, 1 << 15, 2560);
  BenchStream(bench, DType::kF16, 1 << 15, 2560);
  BenchAttention(bench, 256, 8, 8, 32);
  BenchAttention(bench, 256, 4, 2, 64);
  BenchAttention(bench, 1024, 4, 2, 64);
  BenchGemm(bench, "dx", {}, 4096, 256, 768);
  BenchGemm(bench, "dx", {}, 4096, 768, 256);
  BenchGemm(bench, "dw", {.transpose_a = true}, 768, 256, 4096);
  BenchGemm(bench, "dw", {.transpose_a = true}, 256, 256, 4096);
  BenchGemm(bench, "dhead", {.transpose_a = true}, 4096, 256, 2048);
  return g_ok ? 0 : 1;
}

}  // namespace
}  // namespace tern

int main() { return tern::Main(); }
