// SPDX-License-Identifier: MIT
#include "tern/linalg/hadamard.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "tern/base/error.h"
#include "tern/linalg/batch.h"

namespace tern::linalg {
namespace {

// Rows of x [..., rows, n] into those of y, contiguous.
template <typename T>
void RunHadamard(const Env& env, const Operand& x, HadamardScale scale, T* y) {
  const int64_t rows = x.tensor.dim(-2), n = x.tensor.dim(-1);
  const T factor =
      scale == HadamardScale::kNone ? T(1) : static_cast<T>(1 / std::sqrt(static_cast<double>(n)));
  const int64_t grain = std::max<int64_t>(1, 4096 / n);
  const auto& kernels = env.linalg<T>();
  env.threads.ParallelFor(BatchCount(x.tensor) * rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const Matrix<T> in = MatrixAt<T>(x.tensor, row / rows).Block(row % rows, 0, 1, n);
      T* const out = y + row * n;
      CopyMatrix<T>(in, {out, 1, n, n, 1});
      if (!kernels.all_finite(out, n)) {
        Fail(ErrorKind::kNumeric, "{}: {} has NaN or infinity in row {}", x.function, x.name, row);
      }
      SvdKernelsOf<T>(env).hadamard(out, factor, n);
      if (!kernels.all_finite(out, n)) {
        Fail(ErrorKind::kNumeric, "{}: row {} of {} has a sum too large for {}; scale it",
             x.function, row, x.name, DTypeName(x.tensor.dtype()));
      }
    }
  });
}

}  // namespace

Tensor WalshHadamard(Context& ctx, const Tensor& x, HadamardScale scale) {
  if (x.defined() && x.rank() == 1 && x.link().tape == nullptr) {
    return WalshHadamard(ctx, x.Reshaped({1, x.dim(0)}), scale).Reshaped(x.shape());
  }
  const Operand operand = {"WalshHadamard", "x", x};
  RequireMatrices(operand);
  if (!std::has_single_bit(static_cast<uint64_t>(x.dim(-1)))) {
    Fail(ErrorKind::kInvalidArgument,
         "WalshHadamard: x of shape {} has rows of {} elements, no power of two; pad them with "
         "zeros",
         x.shape().ToString(), x.dim(-1));
  }
  const Env env = EnvOf(ctx, operand);
  Tensor y = ctx.EmptyLike(x, x.shape(), x.dtype());
  WithFloat(x, [&](auto t) {
    using T = decltype(t);
    RunHadamard<T>(env, operand, scale, y.data<T>());
  });
  return y;
}

}  // namespace tern::linalg
