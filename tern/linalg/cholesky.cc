// SPDX-License-Identifier: MIT
#include "tern/linalg/cholesky.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tern/base/error.h"
#include "tern/linalg/batch.h"
#include "tern/linalg/multiply.h"
#include "tern/linalg/operands.h"
#include "tern/linalg/triangle.h"

namespace tern::linalg {
namespace {

constexpr int64_t kStrip = 16;  // of copies
constexpr int64_t kWide = 64;   // of products

template <typename T>
[[noreturn]] void FailAsymmetric(const Operand& a, int64_t index, int64_t i, int64_t j, T x, T y) {
  Fail(ErrorKind::kInvalidArgument,
       "{}: {} is not symmetric: {} at row {}, column {}, but {} at row {}, column {}", a.function,
       MatrixName(a, index), x, i, j, y, j, i);
}

// Of |a_ij - a_ji| over sqrt(a_ii a_jj).
template <typename T>
T SymmetryTolerance(int64_t n) {
  return static_cast<T>(n) * std::numeric_limits<T>::epsilon();
}

// roots[i] = sqrt(n eps |a_ii|). Columns i0 ... i1 - 1 of w are turned into rows of `mirror`, a
// strip at a time, to be compared with the rows that they should equal.
template <typename T>
void RequireSymmetric(const Env& env, const Operand& a, int64_t index, const Matrix<T>& w,
                      T* roots) {
  const int64_t n = w.rows;
  const T tolerance = SymmetryTolerance<T>(n);
  for (int64_t i = 0; i < n; ++i) roots[i] = std::sqrt(std::abs(w(i, i)) * tolerance);
  const auto& kernels = env.linalg<T>();
  env.threads.ParallelFor(n, 8 * kStrip, [&](int64_t begin, int64_t end) {
    const WorkMatrix<T> mirror(env.pool, kStrip, n - begin);
    for (int64_t i0 = begin; i0 < end; i0 += kStrip) {
      const int64_t rows = std::min(kStrip, end - i0), columns = n - i0;
      kernels.transpose(&w(i0, i0), w.row_stride, mirror.view().data, mirror.view().row_stride,
                        columns, rows);
      for (int64_t i = i0; i < i0 + rows; ++i) {
        const T* const row = w.Row(i) + i0;
        if (kernels.all_close(row, mirror.view().Row(i - i0), roots[i], roots + i0, columns)) {
          continue;
        }
        int64_t j = i0;
        while (std::abs(w(i, j) - w(j, i)) <= roots[i] * roots[j]) ++j;
        FailAsymmetric(a, index, i, j, w(i, j), w(j, i));
      }
    }
  });
}

// l = r^T, with zeros above its diagonal.
template <typename T>
void TransposeOut(const Env& env, const Matrix<T>& r, const Matrix<T>& l) {
  const int64_t n = r.rows;
  env.threads.ParallelFor(n, 8 * kStrip, [&](int64_t begin, int64_t end) {
    for (int64_t i0 = begin; i0 < end; i0 += kStrip) {
      const int64_t i1 = std::min(i0 + kStrip, end);
      env.linalg<T>().transpose(&r(0, i0), r.row_stride, l.Row(i0), l.row_stride, i1, i1 - i0);
      for (int64_t i = i0; i < i1; ++i) std::fill(l.Row(i) + i + 1, l.Row(i) + n, T(0));
    }
  });
}

// Any matrix, with what there is to say of one that has no factor.
template <typename T>
void FactorOne(const Env& env, const Operand& a, int64_t index, const Matrix<T>& l) {
  const int64_t n = l.rows;
  const WorkMatrix<T> work(env.pool, n, n);
  const Workspace roots(env.pool, static_cast<size_t>(n) * sizeof(T));
  work.FillPadding();
  CopyFinite<T>(env, a, index, work.view());
  RequireSymmetric<T>(env, a, index, work.view(), roots.As<T>());
  const int64_t done = FactorInPlace<T>(env, work);
  if (done < n) {
    Fail(ErrorKind::kInvalidArgument,
         "{}: {} is not positive definite: its leading minor of order {} is not", a.function,
         MatrixName(a, index), done + 1);
  }
  TransposeOut<T>(env, work.view(), l);
}

template <typename T>
void RunCholesky(const Env& env, const Operand& a, const Tensor& l) {
  const auto small_cholesky = env.linalg<T>().small_cholesky;
  ForMatrices(env, BatchCount(a.tensor), [&](int64_t first, int64_t last) {
    for (int64_t index = first; index < last; ++index) {
      const Matrix<T> in = MatrixAt<T>(a.tensor, index), out = MatrixAt<T>(l, index);
      const bool small = in.rows <= kernels::kSmallCholesky && in.column_stride == 1;
      if (small && small_cholesky(in.data, in.row_stride, SymmetryTolerance<T>(in.rows), out.data,
                                  out.row_stride, in.rows)) {
        continue;
      }
      FactorOne<T>(env, a, index, out);
    }
  });
}

template <typename T>
void RunSolve(const Env& env, const Operand& l, const Operand& b, const Tensor& x) {
  const int64_t n = b.tensor.dim(-2), columns = b.tensor.dim(-1);
  ForMatrices(env, BatchCount(l.tensor), [&](int64_t first, int64_t last) {
    const WorkMatrix<T> factor(env.pool, n, n), work(env.pool, n, columns);
    work.FillZero();
    for (int64_t index = first; index < last; ++index) {
      CopyTriangle<T>(env, l, index, {}, factor.view());
      CopyFinite<T>(env, b, index, work.view());
      SolveInPlace<T>(env, Triangle::kLower, false, factor.view(), work.padded());
      SolveInPlace<T>(env, Triangle::kUpper, false, factor.view().Transposed(), work.padded());
      CopyResult<T>(env, l, index, work.view(), MatrixAt<T>(x, index));
    }
  });
}

template <typename T>
void RunInverse(const Env& env, const Operand& l, const Tensor& inverse) {
  const int64_t n = l.tensor.dim(-1);
  ForMatrices(env, BatchCount(l.tensor), [&](int64_t first, int64_t last) {
    const WorkMatrix<T> factor(env.pool, n, n), work(env.pool, n, n), product(env.pool, n, n);
    for (int64_t index = first; index < last; ++index) {
      CopyTriangle<T>(env, l, index, {}, factor.view());
      work.FillZero();
      for (int64_t i = 0; i < n; ++i) work.view()(i, i) = 1;
      // Columns from j on of l^-1 begin with j zeros.
      env.threads.ParallelFor(n, kWide, [&](int64_t begin, int64_t end) {
        for (int64_t j = begin; j < end; j += kWide) {
          const int64_t width = std::min(kWide, work.padded().columns - j);
          SolveInPlace<T>(env, Triangle::kLower, false, factor.view().Block(j, j, n - j, n - j),
                          work.padded().Block(j, j, n - j, width));
        }
      });
      const Matrix<T> w = work.view(), out = product.view();
      for (int64_t i = 0; i < n; i += kWide) {
        const int64_t rows = std::min(kWide, n - i);
        Multiply<T>(env, 1, w.Block(i, i, n - i, rows).Transposed(), w.Block(i, 0, n - i, i + rows),
                    false, out.Block(i, 0, rows, i + rows));
      }
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < i; ++j) out(j, i) = out(i, j);
      }
      CopyResult<T>(env, l, index, out, MatrixAt<T>(inverse, index));
    }
  });
}

}  // namespace

Tensor Cholesky(Context& ctx, const Tensor& a) {
  const Operand operand = {"Cholesky", "a", a};
  RequireSquareMatrices(operand);
  const Env env = EnvOf(ctx, operand);
  Tensor l = ctx.EmptyLike(a, a.shape(), a.dtype());
  WithFloat(a, [&](auto t) { RunCholesky<decltype(t)>(env, operand, l); });
  return l;
}

Tensor CholeskySolve(Context& ctx, const Tensor& l, const Tensor& b) {
  const Operand operand = {"CholeskySolve", "l", l}, side = {"CholeskySolve", "b", b};
  RequireSquareMatrices(operand);
  RequireRightSide(operand, side, l.dim(-1));
  const Env env = EnvOf(ctx, operand);
  Tensor x = ctx.EmptyLike(b, b.shape(), b.dtype());
  WithFloat(l, [&](auto t) { RunSolve<decltype(t)>(env, operand, side, x); });
  return x;
}

Tensor CholeskyInverse(Context& ctx, const Tensor& l) {
  const Operand operand = {"CholeskyInverse", "l", l};
  RequireSquareMatrices(operand);
  const Env env = EnvOf(ctx, operand);
  Tensor inverse = ctx.EmptyLike(l, l.shape(), l.dtype());
  WithFloat(l, [&](auto t) { RunInverse<decltype(t)>(env, operand, inverse); });
  return inverse;
}

}  // namespace tern::linalg
