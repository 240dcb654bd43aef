// SPDX-License-Identifier: MIT
#include "tern/linalg/qr.h"

#include <algorithm>
#include <cmath>

#include "tern/base/error.h"
#include "tern/linalg/batch.h"
#include "tern/linalg/gram_schmidt.h"

namespace tern::linalg {
namespace {

template <typename T>
void CopyOut(const Env& env, const Operand& a, int64_t i, const GramSchmidt<T>& engine,
             const Tensor& q, const Tensor& r) {
  const Matrix<T> q_matrix = MatrixAt<T>(q, i), r_matrix = MatrixAt<T>(r, i);
  CopyMatrix<T>(engine.matrix().Block(0, 0, q_matrix.rows, q_matrix.columns), q_matrix);
  CopyMatrix<T>(engine.r(), r_matrix);
  if (!env.linalg<T>().all_finite(r_matrix.data, r_matrix.rows * r_matrix.columns)) {
    Fail(ErrorKind::kNumeric, "{}: r of {} has an element too large for {}; scale the matrix",
         a.function, MatrixName(a, i), DTypeName(a.tensor.dtype()));
  }
}

template <typename T>
void RunQr(const Env& env, const Operand& a, const QrResult& result) {
  const int64_t m = a.tensor.dim(-2), n = a.tensor.dim(-1);
  ForMatrices(env, BatchCount(a.tensor), [&](int64_t first, int64_t last) {
    GramSchmidt<T> engine(env, m, n);
    for (int64_t i = first; i < last; ++i) {
      CopyFinite<T>(env, a, i, engine.matrix());
      result.rank.data<int32_t>()[i] = static_cast<int32_t>(engine.Run());
      CopyOut<T>(env, a, i, engine, result.q, result.r);
    }
  });
}

template <typename T>
void RunPivotedQr(const Env& env, const Operand& a, double tolerance,
                  const PivotedQrResult& result) {
  const int64_t m = a.tensor.dim(-2), n = a.tensor.dim(-1);
  ForMatrices(env, BatchCount(a.tensor), [&](int64_t first, int64_t last) {
    GramSchmidt<T> engine(env, m, n);
    for (int64_t i = first; i < last; ++i) {
      CopyFinite<T>(env, a, i, engine.matrix());
      const int64_t rank = engine.RunPivoted(tolerance, result.permutation.data<int32_t>() + i * n);
      result.rank.data<int32_t>()[i] = static_cast<int32_t>(rank);
      CopyOut<T>(env, a, i, engine, result.q, result.r);
    }
  });
}

}  // namespace

QrResult Qr(Context& ctx, const Tensor& a) {
  const Operand operand = {"Qr", "a", a};
  RequireMatrices(operand);
  const Env env = EnvOf(ctx, operand);
  const int64_t m = a.dim(-2), n = a.dim(-1), k = std::min(m, n);
  QrResult result = {ctx.EmptyLike(a, MatrixShape(a, m, k), a.dtype()),
                     ctx.EmptyLike(a, MatrixShape(a, k, n), a.dtype()),
                     ctx.EmptyLike(a, LeadingShape(a), DType::kI32)};
  WithFloat(a, [&](auto t) { RunQr<decltype(t)>(env, operand, result); });
  return result;
}

PivotedQrResult PivotedQr(Context& ctx, const Tensor& a, double tolerance) {
  const Operand operand = {"PivotedQr", "a", a};
  RequireMatrices(operand);
  const Env env = EnvOf(ctx, operand);
  const int64_t m = a.dim(-2), n = a.dim(-1), k = std::min(m, n);
  tolerance = RankTolerance(operand, tolerance);
  PivotedQrResult result = {ctx.EmptyLike(a, MatrixShape(a, m, k), a.dtype()),
                            ctx.EmptyLike(a, MatrixShape(a, k, n), a.dtype()),
                            ctx.EmptyLike(a, MatrixShape(a, k, n).Without(-2), DType::kI32),
                            ctx.EmptyLike(a, LeadingShape(a), DType::kI32)};
  WithFloat(a, [&](auto t) { RunPivotedQr<decltype(t)>(env, operand, tolerance, result); });
  return result;
}

}  // namespace tern::linalg
