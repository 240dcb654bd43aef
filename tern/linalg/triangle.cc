// SPDX-License-Identifier: MIT
#include "tern/linalg/triangle.h"

#include "tern/linalg/multiply.h"

namespace tern::linalg {
namespace {

constexpr int64_t kBlock = kernels::kCholeskySide;

// Columns that are solved for together, whatever the number of threads: which kernel multiplies
// depends on the width, and so do the last bits.
constexpr int64_t kColumns = 96;

int64_t RoundUp(int64_t x) { return (x + 15) / 16 * 16; }

// Lower triangles alone.
template <typename T>
void SolveLower(const Env& env, bool unit, const Matrix<const T>& t, const Matrix<T>& x) {
  const int64_t n = x.rows;
  if (n <= kBlock) {
    env.linalg<T>().solve({t.data, t.row_stride, t.column_stride}, unit, x.data, x.row_stride, n,
                          x.columns);
    return;
  }
  const int64_t half = RoundUp(n / 2), rest = n - half;
  const Matrix<T> above = x.Block(0, 0, half, x.columns);
  const Matrix<T> below = x.Block(half, 0, rest, x.columns);
  SolveLower(env, unit, t.Block(0, 0, half, half), above);
  Multiply<T>(env, -1, t.Block(half, 0, rest, half), above, true, below);
  SolveLower(env, unit, t.Block(half, half, rest, rest), below);
}

// The same matrix with rows and columns in the opposite order.
template <typename T>
Matrix<T> Reversed(const Matrix<T>& a) {
  return {&a(a.rows - 1, a.columns - 1), a.rows, a.columns, -a.row_stride, -a.column_stride};
}

}  // namespace

template <typename T>
void SolveInPlace(const Env& env, Triangle triangle, bool unit,
                  std::type_identity_t<Matrix<const T>> t, std::type_identity_t<Matrix<T>> x) {
  // Threads take columns of x; with few of them, they share the products.
  env.threads.ParallelFor(x.columns, kColumns, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j += kColumns) {
      const Matrix<T> part = x.Block(0, j, x.rows, std::min(kColumns, end - j));
      if (triangle == Triangle::kLower) {
        SolveLower<T>(env, unit, t, part);
      } else {
        // Rows in the opposite order make the triangle a lower one.
        SolveLower<T>(env, unit, Reversed(t),
                      {part.Row(part.rows - 1), part.rows, part.columns, -part.row_stride, 1});
      }
    }
  });
}

namespace {

// a holds the upper triangle of a block of the matrix, from a diagonal element on, and what is
// right of it up to `width` columns in all.
template <typename T>
int64_t FactorUpper(const Env& env, const Matrix<T>& a) {
  const int64_t n = a.rows;
  if (n <= kBlock) return env.linalg<T>().cholesky(a.data, a.row_stride, n);
  const int64_t half = RoundUp(n / 2), rest = n - half, width = a.columns - half;
  const int64_t done = FactorUpper(env, a.Block(0, 0, half, half));
  if (done < half) return done;
  const Matrix<T> corner = a.Block(0, half, half, width);
  SolveInPlace<T>(env, Triangle::kLower, false, a.Block(0, 0, half, half).Transposed(), corner);
  // Strips of the upper triangle of what remains.
  constexpr int64_t kStrip = 128;
  for (int64_t i = 0; i < rest; i += kStrip) {
    const int64_t rows = std::min(kStrip, rest - i);
    Multiply<T>(env, -1, corner.Block(0, i, half, rows).Transposed(),
                corner.Block(0, i, half, width - i), true,
                a.Block(half + i, half + i, rows, width - i));
  }
  const int64_t more = FactorUpper(env, a.Block(half, half, rest, width));
  return half + more;
}

}  // namespace

template <typename T>
int64_t FactorInPlace(const Env& env, const WorkMatrix<T>& a) {
  const int64_t n = a.view().rows;
  return FactorUpper<T>(env, a.padded().Block(0, 0, n, RoundUp(n)));
}

#define TERN_INSTANTIATE(T)                                                              \
  template void SolveInPlace<T>(const Env&, Triangle, bool, Matrix<const T>, Matrix<T>); \
  template int64_t FactorInPlace<T>(const Env&, const WorkMatrix<T>&);
TERN_INSTANTIATE(float)
TERN_INSTANTIATE(double)
#undef TERN_INSTANTIATE

}  // namespace tern::linalg
