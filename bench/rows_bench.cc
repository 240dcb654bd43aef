// SPDX-License-Identifier: MIT
// Measures the memory-bound float ops on one thread, for every target of the machine:
//
//   kernels  nanoseconds an element of elementwise functions (4,096 elements, in cache), RMS norm,
//            softmax and cross-entropy (rows of 4,096), with their gradients
//   eager    nanoseconds of a whole op on 16 elements: checks, dispatch, the result's memory
//
// Time is that of the thread's CPU, so that other programs disturb little; the best of the runs
// counts. Prints a table. Equality with the scalar target is the unit tests' affair.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/kernels/kernel_table.h"
#include "tern/ops/ops.h"

namespace tern {
namespace {

constexpr int64_t kElements = 4096;
constexpr int kRuns = 30;

double CpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Nanoseconds of one call.
template <typename F>
double Nanoseconds(int calls, F f) {
  double best = 1e30;
  for (int run = 0; run < kRuns; ++run) {
    const double begin = CpuSeconds();
    for (int i = 0; i < calls; ++i) f();
    best = std::min(best, (CpuSeconds() - begin) / calls);
  }
  return best * 1e9;
}

std::vector<float> Normal(std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(kElements);
  for (float& x : values) x = normal(random);
  return values;
}

void MeasureTarget(const kernels::Target& target, std::mt19937& random) {
  const kernels::KernelTable& k = *target.table;
  const std::vector<float> a = Normal(random), b = Normal(random), c = Normal(random);
  std::vector<float> y(kElements), z(kElements);
  const auto unary = [&](kernels::Unary f) {
    return Nanoseconds(20, [&] { k.elementwise.of(f)(a.data(), 1, y.data(), 1, kElements); });
  };
  const auto binary = [&](kernels::Binary f) {
    return Nanoseconds(
        20, [&] { k.elementwise.of(f)(a.data(), 1, b.data(), 1, y.data(), 1, kElements); });
  };
  const double times[] = {
      binary(kernels::Binary::kAdd),
      unary(kernels::Unary::kExp),
      unary(kernels::Unary::kSilu),
      Nanoseconds(20, [&] { k.norm.rms_norm(a.data(), b.data(), 1e-5f, y.data(), kElements); }),
      Nanoseconds(20,
                  [&] {
                    k.norm.rms_norm_grad(a.data(), b.data(), c.data(), 1e-5f, y.data(), z.data(),
                                         kElements);
                  }),
      Nanoseconds(20, [&] { k.softmax.softmax(a.data(), y.data(), kElements); }),
      Nanoseconds(20, [&] { y[0] = k.softmax.cross_entropy(a.data(), 7, kElements); }),
      Nanoseconds(20,
                  [&] { k.softmax.cross_entropy_grad(a.data(), 7, 1.0f, y.data(), kElements); }),
  };
  fmt::print("{:<12}", target.name);
  for (const double time : times) fmt::print(" {:>9.3f}", time / kElements);
  fmt::print("\n");
}

void MeasureEager(std::mt19937& random) {
  Context ctx({.threads = 1, .log = {}});
  ctx.AddBackend(std::make_unique<CpuBackend>());
  const Tensor a = ctx.Empty({16}, DType::kF32), b = ctx.Empty({16}, DType::kF32);
  for (float& x : a.span<float>()) x = std::normal_distribution<float>()(random);
  for (float& x : b.span<float>()) x = std::normal_distribution<float>()(random);
  fmt::print("\neager, ns an op on 16 elements: Add {:.0f}, Exp {:.0f}, Sum {:.0f}\n",
             Nanoseconds(20000, [&] { ops::Add(ctx, a, b); }),
             Nanoseconds(20000, [&] { ops::Exp(ctx, a); }),
             Nanoseconds(20000, [&] { ops::Sum(ctx, a, 0, /*keep_axis=*/true); }));
}

}  // namespace
}  // namespace tern

int main() {
  std::mt19937 random(1);
  fmt::print("{:<12}", "ns/element");
  for (const char* name : {"add", "exp", "silu", "norm", "norm grad", "softmax", "ce", "ce grad"}) {
    fmt::print(" {:>9}", name);
  }
  fmt::print("\n");
  for (const tern::kernels::Target& target :
       tern::kernels::ListTargets(tern::CpuFeatures::Detect())) {
    if (target.supported) tern::MeasureTarget(target, random);
  }
  tern::MeasureEager(random);
  return 0;
}
