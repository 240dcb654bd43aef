// SPDX-License-Identifier: MIT
#include "tern/linalg/multiply.h"

#include <algorithm>

#include "tern/base/check.h"

namespace tern::linalg {
namespace {

template <typename T>
kernels::StridedMatrix<T> Strided(const Matrix<const T>& a) {
  return {a.data, a.row_stride, a.column_stride};
}

// By shape alone, so that the same kernel computes an element whatever the number of threads.
template <typename T>
bool FitsCache(const Matrix<const T>& a, const Matrix<const T>& b) {
  constexpr int64_t kElements = 16384 * 4 / static_cast<int64_t>(sizeof(T));
  return b.column_stride == 1 && a.rows * a.columns + b.rows * b.columns <= kElements;
}

template <typename T>
void MultiplyAlone(const Env& env, T alpha, const Matrix<const T>& a, const Matrix<const T>& b,
                   bool accumulate, const Matrix<T>& out) {
  constexpr int64_t kExtent = kernels::kMaxProductExtent;
  const Workspace workspace(env.pool, kernels::kProductWorkspace * sizeof(T));
  for (int64_t i = 0; i < out.rows; i += kExtent) {
    for (int64_t j = 0; j < out.columns; j += kExtent) {
      const int64_t rows = std::min(kExtent, out.rows - i);
      const int64_t columns = std::min(kExtent, out.columns - j);
      env.linalg<T>().product(Strided(a.Block(i, 0, rows, a.columns)),
                              Strided(b.Block(0, j, b.rows, columns)), &out(i, j), out.row_stride,
                              rows, columns, a.columns, alpha, accumulate,
                              workspace.template As<T>());
    }
  }
}

}  // namespace

template <typename T>
void Multiply(const Env& env, T alpha, std::type_identity_t<Matrix<const T>> a,
              std::type_identity_t<Matrix<const T>> b, bool accumulate,
              std::type_identity_t<Matrix<T>> out) {
  TERN_CHECK(a.rows == out.rows && b.columns == out.columns && a.columns == b.rows);
  if (out.rows == 0 || out.columns == 0) return;
  if (out.column_stride != 1) {
    TERN_CHECK(out.row_stride == 1);
    Multiply<T>(env, alpha, b.Transposed(), a.Transposed(), accumulate, out.Transposed());
    return;
  }
  if (FitsCache(a, b)) {
    env.linalg<T>().direct_product(Strided(a), b.data, b.row_stride, out.data, out.row_stride,
                                   out.rows, out.columns, a.columns, alpha, accumulate);
    return;
  }
  // Threads cut the longer side of out, at multiples of what a tile of the kernel may have.
  constexpr int64_t kGrain = 96;
  const bool by_rows = out.rows > out.columns;
  const int64_t extent = by_rows ? out.rows : out.columns;
  const int64_t threads = env.threads.threads();
  const int64_t share = std::max(kGrain, (extent / threads + kGrain - 1) / kGrain * kGrain);
  env.threads.ParallelFor(extent, share, [&](int64_t begin, int64_t end) {
    const int64_t count = end - begin;
    if (by_rows) {
      MultiplyAlone<T>(env, alpha, a.Block(begin, 0, count, a.columns), b, accumulate,
                       out.Block(begin, 0, count, out.columns));
    } else {
      MultiplyAlone<T>(env, alpha, a, b.Block(0, begin, b.rows, count), accumulate,
                       out.Block(0, begin, out.rows, count));
    }
  });
}

#define TERN_INSTANTIATE(T) \
  template void Multiply<T>(const Env&, T, Matrix<const T>, Matrix<const T>, bool, Matrix<T>);
TERN_INSTANTIATE(float)
TERN_INSTANTIATE(double)
#undef TERN_INSTANTIATE

}  // namespace tern::linalg
