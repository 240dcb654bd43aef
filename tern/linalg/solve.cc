// SPDX-License-Identifier: MIT
#include "tern/linalg/solve.h"

#include <algorithm>

#include "tern/base/error.h"
#include "tern/linalg/gram_schmidt.h"
#include "tern/linalg/multiply.h"
#include "tern/linalg/operands.h"
#include "tern/linalg/triangle.h"

namespace tern::linalg {
namespace {

template <typename T>
void RunTriangular(const Env& env, const Operand& t, const Operand& b,
                   const TriangleOptions& options, const Tensor& x) {
  const int64_t n = b.tensor.dim(-2), columns = b.tensor.dim(-1);
  const bool lower = options.upper == options.transposed;
  ForMatrices(env, BatchCount(t.tensor), [&](int64_t first, int64_t last) {
    const WorkMatrix<T> triangle(env.pool, n, n), work(env.pool, n, columns);
    work.FillZero();
    const Matrix<T> view = options.transposed ? triangle.view().Transposed() : triangle.view();
    for (int64_t index = first; index < last; ++index) {
      CopyTriangle<T>(env, t, index, options, triangle.view());
      CopyFinite<T>(env, b, index, work.view());
      SolveInPlace<T>(env, lower ? Triangle::kLower : Triangle::kUpper, options.unit_diagonal, view,
                      work.padded());
      CopyResult<T>(env, t, index, work.view(), MatrixAt<T>(x, index));
    }
  });
}

template <typename T>
void RunSolve(const Env& env, const Operand& a, const Operand& b, const Tensor& x) {
  const int64_t n = a.tensor.dim(-1), columns = b.tensor.dim(-1);
  ForMatrices(env, BatchCount(a.tensor), [&](int64_t first, int64_t last) {
    GramSchmidt<T> engine(env, n, n);
    const WorkMatrix<T> side(env.pool, n, columns), work(env.pool, n, columns);
    side.FillZero();
    for (int64_t index = first; index < last; ++index) {
      CopyFinite<T>(env, a, index, engine.matrix());
      CopyFinite<T>(env, b, index, side.view());
      const int64_t rank = engine.Run();
      if (rank < n) {
        Fail(ErrorKind::kInvalidArgument,
             "{}: {} is singular: of its {} columns {} depend on the ones before; see Lstsq",
             a.function, MatrixName(a, index), n, n - rank);
      }
      Multiply<T>(env, 1, engine.matrix().Transposed(), side.padded(), false, work.padded());
      SolveInPlace<T>(env, Triangle::kUpper, false, engine.r(), work.padded());
      CopyResult<T>(env, a, index, work.view(), MatrixAt<T>(x, index));
    }
  });
}

// One matrix after the other of a batch: a P = q r with r = [r1 r2] of `rank` rows. Where columns
// are left over, r^T = q2 t, so that x = P q2 t^-T q^T b is the least solution.
template <typename T>
class LeastSquares {
 public:
  LeastSquares(const Env& env, int64_t m, int64_t n, int64_t columns)
      : env_(env),
        m_(m),
        n_(n),
        columns_(columns),
        engine_(env, m, n),
        side_(env.pool, m, columns),
        projected_(env.pool, std::min(m, n), columns),
        solution_(env.pool, n, columns),
        permutation_(env.pool, static_cast<size_t>(n) * sizeof(int32_t)) {
    side_.FillZero();
  }

  int64_t Run(const Operand& a, const Operand& b, double tolerance, int64_t index,
              const Matrix<T>& x) {
    CopyFinite<T>(env_, a, index, engine_.matrix());
    CopyFinite<T>(env_, b, index, side_.view());
    int32_t* const permutation = permutation_.template As<int32_t>();
    const int64_t rank = engine_.RunPivoted(tolerance, permutation);
    const Matrix<T> projected = Rows(projected_, rank), solution = solution_.padded();
    solution_.FillZero();
    if (rank > 0) {
      Multiply<T>(env_, 1, engine_.matrix().Block(0, 0, m_, rank).Transposed(), side_.padded(),
                  false, projected);
      const Matrix<T> r = engine_.r().Block(0, 0, rank, n_);
      if (rank == n_) {
        SolveInPlace<T>(env_, Triangle::kUpper, false, r, projected);
        CopyMatrix<T>(projected, Rows(solution_, rank));
      } else {
        GramSchmidt<T> second(env_, n_, rank);
        CopyMatrix<T>(r.Transposed(), second.matrix());
        second.Run();
        SolveInPlace<T>(env_, Triangle::kLower, false, second.r().Transposed(), projected);
        Multiply<T>(env_, 1, second.matrix(), projected, false, solution);
      }
    }
    for (int64_t j = 0; j < n_; ++j) {
      CopyMatrix<T>(solution_.view().Block(j, 0, 1, columns_),
                    x.Block(permutation[j], 0, 1, columns_));
    }
    CopyResult<T>(env_, a, index, x, x);
    return rank;
  }

 private:
  static Matrix<T> Rows(const WorkMatrix<T>& a, int64_t rows) {
    return a.padded().Block(0, 0, rows, a.padded().columns);
  }

  const Env& env_;
  const int64_t m_, n_, columns_;
  GramSchmidt<T> engine_;
  WorkMatrix<T> side_, projected_, solution_;
  Workspace permutation_;
};

template <typename T>
void RunLstsq(const Env& env, const Operand& a, const Operand& b, double tolerance,
              const LstsqResult& result) {
  const int64_t m = a.tensor.dim(-2), n = a.tensor.dim(-1);
  ForMatrices(env, BatchCount(a.tensor), [&](int64_t first, int64_t last) {
    LeastSquares<T> engine(env, m, n, b.tensor.dim(-1));
    for (int64_t index = first; index < last; ++index) {
      result.rank.data<int32_t>()[index] =
          static_cast<int32_t>(engine.Run(a, b, tolerance, index, MatrixAt<T>(result.x, index)));
    }
  });
}

}  // namespace

template <typename T>
void CopyTriangle(const Env& env, const Operand& t, int64_t index, const TriangleOptions& options,
                  Matrix<T> out) {
  CopyFinite<T>(env, t, index, out);
  for (int64_t i = 0; i < out.rows && !options.unit_diagonal; ++i) {
    if (out(i, i) == 0) {
      Fail(ErrorKind::kInvalidArgument, "{}: {} is singular: its diagonal is 0 at row {}",
           t.function, MatrixName(t, index), i);
    }
  }
}

template <typename T>
void CopyResult(const Env& env, const Operand& a, int64_t index,
                std::type_identity_t<Matrix<const T>> x, std::type_identity_t<Matrix<T>> out) {
  if (x.data != out.data) CopyMatrix<T>(x, out);
  for (int64_t i = 0; i < out.rows; ++i) {
    if (env.linalg<T>().all_finite(out.Row(i), out.columns)) continue;
    Fail(ErrorKind::kNumeric, "{}: the solution for {} has an element too large for {} in row {}",
         a.function, MatrixName(a, index), DTypeName(a.tensor.dtype()), i);
  }
}

#define TERN_INSTANTIATE(T)                                                                  \
  template void CopyTriangle<T>(const Env&, const Operand&, int64_t, const TriangleOptions&, \
                                Matrix<T>);                                                  \
  template void CopyResult<T>(const Env&, const Operand&, int64_t, Matrix<const T>, Matrix<T>);
TERN_INSTANTIATE(float)
TERN_INSTANTIATE(double)
#undef TERN_INSTANTIATE

Tensor SolveTriangular(Context& ctx, const Tensor& t, const Tensor& b,
                       const TriangleOptions& options) {
  const Operand operand = {"SolveTriangular", "t", t}, side = {"SolveTriangular", "b", b};
  RequireSquareMatrices(operand);
  RequireRightSide(operand, side, t.dim(-1));
  const Env env = EnvOf(ctx, operand);
  Tensor x = ctx.EmptyLike(b, b.shape(), b.dtype());
  WithFloat(t, [&](auto zero) { RunTriangular<decltype(zero)>(env, operand, side, options, x); });
  return x;
}

Tensor Solve(Context& ctx, const Tensor& a, const Tensor& b) {
  const Operand operand = {"Solve", "a", a}, side = {"Solve", "b", b};
  RequireSquareMatrices(operand);
  RequireRightSide(operand, side, a.dim(-1));
  const Env env = EnvOf(ctx, operand);
  Tensor x = ctx.EmptyLike(b, b.shape(), b.dtype());
  WithFloat(a, [&](auto zero) { RunSolve<decltype(zero)>(env, operand, side, x); });
  return x;
}

LstsqResult Lstsq(Context& ctx, const Tensor& a, const Tensor& b, double tolerance) {
  const Operand operand = {"Lstsq", "a", a}, side = {"Lstsq", "b", b};
  RequireMatrices(operand);
  RequireRightSide(operand, side, a.dim(-2));
  const Env env = EnvOf(ctx, operand);
  tolerance = RankTolerance(operand, tolerance);
  LstsqResult result = {ctx.EmptyLike(b, MatrixShape(a, a.dim(-1), b.dim(-1)), a.dtype()),
                        ctx.EmptyLike(a, LeadingShape(a), DType::kI32)};
  WithFloat(a, [&](auto zero) { RunLstsq<decltype(zero)>(env, operand, side, tolerance, result); });
  return result;
}

}  // namespace tern::linalg
