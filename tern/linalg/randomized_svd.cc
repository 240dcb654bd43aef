// SPDX-License-Identifier: MIT
#include "tern/linalg/randomized_svd.h"

#include <algorithm>
#include <utility>

#include "tern/base/error.h"
#include "tern/base/random.h"
#include "tern/linalg/gram_schmidt.h"
#include "tern/linalg/multiply.h"
#include "tern/linalg/svd_tall.h"

namespace tern::linalg {
namespace {

// One matrix after the other of a batch, with `width` columns of G.
template <typename T>
class RangeSvd {
 public:
  RangeSvd(const Env& env, const Operand& a, int64_t width)
      : env_(env),
        operand_(a),
        m_(a.tensor.dim(-2)),
        n_(a.tensor.dim(-1)),
        width_(width),
        a_(env.pool, m_, n_),
        range_(env, m_, width),
        rows_range_(env, n_, width) {}

  void Run(int64_t index, const RandomizedSvdOptions& options, const SvdOutputs<T>& out) {
    CopyFinite<T>(env_, operand_, index, a_.view());
    const int exponent = Normalize(a_.view());
    FindRange(options, index);
    // (q^T a)^T = ut^T diag(values) vt, so that a is about (q vt^T) diag(values) ut.
    const WorkMatrix<T> product(env_.pool, n_, width_), ut(env_.pool, width_, n_),
        vt(env_.pool, width_, width_), left(env_.pool, width_, m_);
    const Workspace values(env_.pool, static_cast<size_t>(width_) * sizeof(T));
    const TallSvd<T> small = {values.template As<T>(), ut.view(), vt.view()};
    ClearPadding(product);
    Multiply<T>(env_, 1, a_.view().Transposed(), range_.matrix(), false, product.view());
    SvdByBidiagonal<T>(env_, product.view(), SvdMethod::kFast, small);
    Multiply<T>(env_, 1, vt.view(), range_.matrix().Transposed(), false, left.view());
    ScaleValues(operand_, index, exponent, small.values, width_);
    TallSvd<T> svd = {small.values, left.view(), ut.view()};
    if (m_ < n_) std::swap(svd.ut, svd.vt);
    StoreSorted(env_, svd, width_, out);
  }

 private:
  // Leaves an orthonormal basis of the range of (a a^T)^p a G in range_.
  void FindRange(const RandomizedSvdOptions& options, int64_t index) {
    Random random(options.seed, static_cast<uint64_t>(index));
    const Matrix<T> q = range_.matrix(), p = rows_range_.matrix();
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = 0; j < width_; ++j) p(i, j) = static_cast<T>(random.Normal());
    }
    Multiply<T>(env_, 1, a_.view(), p, false, q);
    range_.Run();
    for (int i = 0; i < options.power_iterations; ++i) {
      Multiply<T>(env_, 1, a_.view().Transposed(), q, false, p);
      rows_range_.Run();
      Multiply<T>(env_, 1, a_.view(), p, false, q);
      range_.Run();
    }
  }

  const Env& env_;
  const Operand& operand_;
  const int64_t m_, n_, width_;
  const WorkMatrix<T> a_;
  GramSchmidt<T> range_;       // q [m, width]
  GramSchmidt<T> rows_range_;  // [n, width]
};

}  // namespace

SvdResult RandomizedSvd(Context& ctx, const Tensor& a, int64_t rank, RandomizedSvdOptions options) {
  const Operand operand = {"RandomizedSvd", "a", a};
  RequireMatrices(operand);
  const int64_t m = a.dim(-2), n = a.dim(-1), small = std::min(m, n);
  if (rank < 1 || rank > small) {
    Fail(ErrorKind::kInvalidArgument,
         "RandomizedSvd: rank {} of a of shape {}; it has ranks 1 to {}", rank,
         a.shape().ToString(), small);
  }
  if (options.oversample < 0 || options.power_iterations < 0) {
    Fail(ErrorKind::kInvalidArgument,
         "RandomizedSvd: oversample {} and power_iterations {}; neither may be negative",
         options.oversample, options.power_iterations);
  }
  const Env env = EnvOf(ctx, operand);
  const int64_t width = rank + std::min(options.oversample, small - rank);
  SvdResult result = {ctx.EmptyLike(a, MatrixShape(a, m, rank), a.dtype()),
                      ctx.EmptyLike(a, a.shape().Without(-1).With(-1, rank), a.dtype()),
                      ctx.EmptyLike(a, MatrixShape(a, rank, n), a.dtype())};
  WithFloat(a, [&](auto t) {
    using T = decltype(t);
    ForMatrices(env, BatchCount(a), [&](int64_t begin, int64_t end) {
      RangeSvd<T> range_svd(env, operand, width);
      for (int64_t i = begin; i < end; ++i) {
        SvdOutputs<T> out = {rank, result.s.data<T>() + i * rank,
                             MatrixAt<T>(result.u, i).Transposed(), MatrixAt<T>(result.vt, i)};
        if (m < n) std::swap(out.ut, out.vt);
        range_svd.Run(i, options, out);
      }
    });
  });
  return result;
}

}  // namespace tern::linalg
