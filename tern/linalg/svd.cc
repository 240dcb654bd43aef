// SPDX-License-Identifier: MIT
#include "tern/linalg/svd.h"

#include <algorithm>
#include <numeric>

#include "tern/base/error.h"
#include "tern/linalg/householder.h"
#include "tern/linalg/svd_tall.h"

namespace tern::linalg {

template <typename T>
void SvdByBidiagonal(const Env& env, Matrix<T> a, SvdMethod method, const TallSvd<T>& out) {
  constexpr int64_t kDirect = 32;  // columns, up to which QR sweeps alone are as fast
  const int64_t m = a.rows, n = a.columns;
  const bool tall = 5 * m > 8 * n;
  const Reflectors<T> q(env.pool, tall ? n : 0, m), left(env.pool, n, tall ? n : m),
      right(env.pool, n, n);
  if (tall) {
    const WorkMatrix<T> at(env.pool, n, m);
    ClearPadding(at);
    CopyMatrix<T>(a.Transposed(), at.view());
    HouseholderQr<T>(env, at.view(), q);
    a.rows = n;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) a(i, j) = j < i ? T(0) : at.view()(j, i);
    }
  }
  const Workspace off_diagonal(env.pool, static_cast<size_t>(n) * sizeof(T));
  const Bidiagonal<T> b = {out.values, off_diagonal.As<T>(), n};
  Bidiagonalize<T>(env, a, b, left, right);
  if (out.ut.rows == 0) return BidiagonalQr<T>(env, b, {}, {});
  FillUnitRows(out.ut, 0);
  FillUnitRows(out.vt, 0);
  Matrix<T> ut = out.ut.Block(0, 0, n, out.ut.row_stride);
  Matrix<T> vt = out.vt.Block(0, 0, n, out.vt.row_stride);
  if (method == SvdMethod::kQr || n <= kDirect) {
    ut.columns = vt.columns = (n + 15) / 16 * 16;
    BidiagonalQr<T>(env, b, ut, vt);
  } else {
    BidiagonalDivideAndConquer<T>(env, b, ut, vt);
  }
  MultiplyByReflectors<T>(env, left, out.ut.Block(0, 0, out.ut.rows, left.rows().columns));
  MultiplyByReflectors<T>(env, right, out.vt);
  if (!tall) return;
  MultiplyByReflectors<T>(env, q, out.ut);
  NormalizeRows<T>(env, out.ut);
}

template void SvdByBidiagonal<float>(const Env&, Matrix<float>, SvdMethod, const TallSvd<float>&);
template void SvdByBidiagonal<double>(const Env&, Matrix<double>, SvdMethod,
                                      const TallSvd<double>&);

template <typename T>
int Normalize(Matrix<T> a) {
  T greatest = 0;
  for (int64_t i = 0; i < a.rows; ++i) {
    const T* const row = a.Row(i);
    for (int64_t j = 0; j < a.columns; ++j) greatest = std::max(greatest, std::abs(row[j]));
  }
  if (greatest == 0) return 0;
  const int exponent = std::ilogb(greatest);
  if (exponent == 0) return 0;
  // In two steps: the factor alone may be beyond the type.
  const T half = std::scalbn(T(1), -exponent / 2),
          rest = std::scalbn(T(1), -exponent + exponent / 2);
  for (int64_t i = 0; i < a.rows; ++i) {
    T* const row = a.Row(i);
    for (int64_t j = 0; j < a.columns; ++j) row[j] = row[j] * half * rest;
  }
  return exponent;
}

template <typename T>
void ScaleValues(const Operand& a, int64_t index, int exponent, T* values, int64_t count) {
  for (int64_t k = 0; k < count; ++k) {
    values[k] = std::scalbn(values[k], exponent);
    if (!std::isfinite(values[k])) {
      Fail(ErrorKind::kNumeric, "{}: a singular value of {} is too large for {}", a.function,
           MatrixName(a, index), DTypeName(a.tensor.dtype()));
    }
  }
}

namespace {

// Row k of out becomes row order[k] of rows, times sign[k]; order may end before the rows do.
template <typename T>
void StoreRows(const Env& env, Matrix<T> rows, const int64_t* order, const T* sign, int64_t count,
               Matrix<T> out) {
  constexpr int64_t kSquare = 16;
  const int64_t grain = out.rows * rows.columns < 40000 ? out.rows : kSquare;
  env.threads.ParallelFor(out.rows, std::max(kSquare, grain), [&](int64_t begin, int64_t end) {
    for (int64_t k0 = begin; k0 < end; k0 += kSquare) {
      for (int64_t j0 = 0; j0 < rows.columns; j0 += kSquare) {
        const int64_t j1 = std::min(j0 + kSquare, rows.columns);
        for (int64_t k = k0; k < std::min(k0 + kSquare, end); ++k) {
          const T* const row = rows.Row(k < count ? order[k] : k);
          const T factor = k < count ? sign[k] : T(1);
          T* const to = out.Row(k);
          for (int64_t j = j0; j < j1; ++j) to[j * out.column_stride] = factor * row[j];
        }
      }
    }
  });
}

}  // namespace

template <typename T>
void StoreSorted(const Env& env, const TallSvd<T>& svd, int64_t values, const SvdOutputs<T>& out) {
  const Workspace indices(env.pool, static_cast<size_t>(values) * sizeof(int64_t));
  int64_t* const order = indices.As<int64_t>();
  std::iota(order, order + values, 0);
  std::sort(order, order + values, [&](int64_t i, int64_t j) {
    return svd.values[i] != svd.values[j] ? svd.values[i] > svd.values[j] : i < j;
  });
  for (int64_t k = 0; k < out.count; ++k) out.s[k] = svd.values[order[k]];
  if (out.ut.rows == 0) return;
  const Workspace numbers(env.pool, static_cast<size_t>(out.count) * sizeof(T));
  T* const signs = numbers.template As<T>();
  for (int64_t k = 0; k < out.count; ++k) {
    const T* const row = svd.ut.Row(order[k]);
    const T* const greatest = std::max_element(row, row + svd.ut.columns,
                                               [](T x, T y) { return std::abs(x) < std::abs(y); });
    signs[k] = *greatest < 0 ? T(-1) : T(1);
  }
  StoreRows(env, svd.ut, order, signs, out.count, out.ut);
  StoreRows(env, svd.vt, order, signs, out.count, out.vt);
}

#define TERN_INSTANTIATE(T)                                                \
  template int Normalize<T>(Matrix<T>);                                    \
  template void ScaleValues<T>(const Operand&, int64_t, int, T*, int64_t); \
  template void StoreSorted<T>(const Env&, const TallSvd<T>&, int64_t, const SvdOutputs<T>&);
TERN_INSTANTIATE(float)
TERN_INSTANTIATE(double)
#undef TERN_INSTANTIATE

namespace {

template <typename T>
class OneSvd {
 public:
  OneSvd(const Env& env, const Operand& operand, SvdMethod method)
      : env_(env),
        operand_(operand),
        method_(method),
        m_(operand.tensor.dim(-2)),
        n_(operand.tensor.dim(-1)),
        large_(std::max(m_, n_)),
        small_(std::min(m_, n_)) {}

  // Values only where out.ut has no rows.
  void Run(int64_t index, const SvdOutputs<T>& out) const {
    const WorkMatrix<T> tall(env_.pool, large_, small_);
    Load(index, tall);
    const int exponent = Normalize(tall.view());
    const bool vectors = out.ut.rows > 0;
    const WorkMatrix<T> ut(env_.pool, out.ut.rows, large_),
        vt(env_.pool, vectors ? small_ : 0, small_);
    const Workspace values(env_.pool, static_cast<size_t>(small_) * sizeof(T));
    const TallSvd<T> svd = {values.template As<T>(), ut.view(), vt.view()};
    Decompose(tall, svd);
    ScaleValues(operand_, index, exponent, svd.values, small_);
    StoreSorted(env_, svd, small_, out);
  }

 private:
  // The matrix, or the transpose of a wide one.
  void Load(int64_t index, const WorkMatrix<T>& tall) const {
    if (m_ >= n_) {
      CopyFinite<T>(env_, operand_, index, tall.view());
    } else {
      const WorkMatrix<T> wide(env_.pool, m_, n_);
      CopyFinite<T>(env_, operand_, index, wide.view());
      CopyMatrix<T>(wide.view().Transposed(), tall.view());
    }
    ClearPadding(tall);
  }

  void Decompose(const WorkMatrix<T>& tall, const TallSvd<T>& out) const {
    if (method_ != SvdMethod::kJacobi) {
      SvdByBidiagonal<T>(env_, tall.view(), method_, out);
    } else if constexpr (std::is_same_v<T, double>) {
      SvdByJacobi(env_, tall.view(), out);
    } else {
      const WorkMatrix<double> a(env_.pool, large_, small_), ut(env_.pool, out.ut.rows, large_),
          vt(env_.pool, out.vt.rows, small_);
      const Workspace values(env_.pool, static_cast<size_t>(small_) * sizeof(double));
      ClearPadding(a);
      Convert<T, double>(tall.view(), a.view());
      SvdByJacobi(env_, a.view(), {values.As<double>(), ut.view(), vt.view()});
      Convert<double, T>(ut.view(), out.ut);
      Convert<double, T>(vt.view(), out.vt);
      for (int64_t i = 0; i < small_; ++i) out.values[i] = static_cast<T>(values.As<double>()[i]);
    }
  }

  template <typename From, typename To>
  static void Convert(const Matrix<From>& from, const Matrix<To>& to) {
    for (int64_t i = 0; i < from.rows; ++i) {
      for (int64_t j = 0; j < from.columns; ++j) to(i, j) = static_cast<To>(from(i, j));
    }
  }

  const Env& env_;
  const Operand& operand_;
  const SvdMethod method_;
  const int64_t m_, n_;
  const int64_t large_, small_;
};

template <typename T>
void RunSvd(const Env& env, const Operand& operand, SvdMethod method, const SvdResult& result) {
  const OneSvd<T> one(env, operand, method);
  const bool wide = operand.tensor.dim(-2) < operand.tensor.dim(-1);
  const int64_t k = result.s.dim(-1);
  ForMatrices(env, BatchCount(operand.tensor), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      SvdOutputs<T> out = {k, result.s.data<T>() + i * k, {}, {}};
      if (result.u.defined()) {
        out.ut = MatrixAt<T>(result.u, i).Transposed();
        out.vt = MatrixAt<T>(result.vt, i);
        if (wide) std::swap(out.ut, out.vt);
      }
      one.Run(i, out);
    }
  });
}

}  // namespace

SvdResult Svd(Context& ctx, const Tensor& a, SvdOptions options) {
  const Operand operand = {"svd", "a", a};
  RequireMatrices(operand);
  const Env env = EnvOf(ctx, operand);
  const int64_t m = a.dim(-2), n = a.dim(-1), k = std::min(m, n);
  const bool full = options.vectors == SvdVectors::kFull;
  SvdResult result;
  result.s = ctx.EmptyLike(a, a.shape().Without(-1).With(-1, k), a.dtype());
  if (options.vectors != SvdVectors::kNone) {
    result.u = ctx.EmptyLike(a, MatrixShape(a, m, full ? m : k), a.dtype());
    result.vt = ctx.EmptyLike(a, MatrixShape(a, full ? n : k, n), a.dtype());
  }
  WithFloat(a, [&](auto t) { RunSvd<decltype(t)>(env, operand, options.method, result); });
  return result;
}

}  // namespace tern::linalg
