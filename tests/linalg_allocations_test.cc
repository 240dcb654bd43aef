// SPDX-License-Identifier: MIT
// Decompositions and solvers cost no call of the system's allocator once the pool is warm.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/random.h"
#include "tern/linalg/cholesky.h"
#include "tern/linalg/hadamard.h"
#include "tern/linalg/qr.h"
#include "tern/linalg/random_orthogonal.h"
#include "tern/linalg/randomized_svd.h"
#include "tern/linalg/solve.h"
#include "tern/linalg/svd.h"
#include "tests/alloc_counter.h"

namespace tern {
namespace {

// Diagonally dominant matrices, so positive definite, and right-hand sides.
std::pair<Tensor, Tensor> RandomSystem(const Context& ctx, DType dtype, int64_t count, int64_t n) {
  const Tensor a = ctx.Empty({count, n, n}, dtype), b = ctx.Empty({count, n, 2}, dtype);
  Random random(1);
  const auto fill = [&](auto zero) {
    using T = decltype(zero);
    for (T& x : b.span<T>()) x = static_cast<T>(random.Normal());
    for (int64_t i = 0; i < count * n * n; ++i) {
      const int64_t row = i / n % n, column = i % n;
      a.data<T>()[i] = row == column ? T(n) : T(1) / T(row + column + 1);
    }
  };
  if (dtype == DType::kF64) {
    fill(double());
  } else {
    fill(float());
  }
  return {a, b};
}

TEST(LinalgAllocationsTest, NoneOnceWarm) {
  if (!CountsSystemAllocations()) GTEST_SKIP() << "a sanitizer replaces the allocator itself";
  for (const int threads : {1, 2}) {
    for (const DType dtype : {DType::kF32, DType::kF64}) {
      for (const auto& [count, n] : {std::pair<int64_t, int64_t>{40, 24}, {1, 220}}) {
        SCOPED_TRACE(testing::Message() << threads << " threads, " << DTypeName(dtype) << ", "
                                        << count << " of " << n);
        Context ctx({.threads = threads, .log = {}});
        ctx.AddBackend(std::make_unique<CpuBackend>());
        const auto [a, b] = RandomSystem(ctx, dtype, count, n);
        const auto run = [&, &a = a, &b = b] {
          linalg::Qr(ctx, a);
          linalg::PivotedQr(ctx, a);
          const Tensor l = linalg::Cholesky(ctx, a);
          linalg::CholeskySolve(ctx, l, b);
          linalg::CholeskyInverse(ctx, l);
          linalg::SolveTriangular(ctx, l, b);
          linalg::Solve(ctx, a, b);
          linalg::Lstsq(ctx, a, b);
          linalg::Svd(ctx, a);
          linalg::Svd(ctx, a, {.method = linalg::SvdMethod::kJacobi});
          linalg::RandomizedSvd(ctx, a, 5);
          linalg::RandomOrthogonal(ctx, a.shape(), dtype, 1);
          linalg::WalshHadamard(ctx, a.Sliced(2, 0, 16));
        };
        // Which thread takes which matrix varies, so each thread's cache takes some runs to fill.
        uint64_t least = ~uint64_t{0};
        for (int round = 0; round < 12 && least > 0; ++round) {
          const uint64_t before = SystemAllocations() + ctx.pool().stats().system_calls;
          run();
          least = std::min(least, SystemAllocations() + ctx.pool().stats().system_calls - before);
        }
        EXPECT_EQ(least, 0u);
      }
    }
  }
}

}  // namespace
}  // namespace tern
