// SPDX-License-Identifier: MIT
#include "tern/linalg/random_orthogonal.h"

#include <algorithm>

#include "tern/base/random.h"
#include "tern/linalg/gram_schmidt.h"

namespace tern::linalg {
namespace {

template <typename T>
void RunRandomOrthogonal(const Env& env, uint64_t seed, const Tensor& out) {
  const bool wide = out.dim(-2) < out.dim(-1);
  const int64_t m = std::max(out.dim(-2), out.dim(-1)), n = std::min(out.dim(-2), out.dim(-1));
  ForMatrices(env, BatchCount(out), [&](int64_t first, int64_t last) {
    GramSchmidt<T> engine(env, m, n);
    const Matrix<T> q = engine.matrix();
    for (int64_t index = first; index < last; ++index) {
      Random random(seed, static_cast<uint64_t>(index));
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) q(i, j) = static_cast<T>(random.Normal());
      }
      engine.Run();
      const Matrix<T> to = MatrixAt<T>(out, index);
      CopyMatrix<T>(q, wide ? to.Transposed() : to);
    }
  });
}

}  // namespace

Tensor RandomOrthogonal(Context& ctx, const Shape& shape, DType dtype, uint64_t seed) {
  Tensor q = ctx.Empty(shape, dtype);
  const Operand operand = {"RandomOrthogonal", "the result", q};
  RequireMatrices(operand);
  const Env env = EnvOf(ctx, operand);
  WithFloat(q, [&](auto t) { RunRandomOrthogonal<decltype(t)>(env, seed, q); });
  return q;
}

}  // namespace tern::linalg
