// SPDX-License-Identifier: MIT
#include <algorithm>
#include <numeric>

#include "tern/base/error.h"
#include "tern/linalg/householder.h"
#include "tern/linalg/multiply.h"
#include "tern/linalg/svd_tall.h"

namespace tern::linalg {
namespace {

using Kernels = kernels::SvdKernels<double>;

int64_t Padded(int64_t n) { return (n + 15) / 16 * 16; }

// Householder QR that takes next the column with the greatest norm left (Businger and Golub 1965).
// The columns are the rows of at [n, m]; at(j, i), i <= j, is left as r(i, j).
void PivotedQr(const Kernels& kernels, Matrix<double> at, const Reflectors<double>& q,
               int64_t* permutation) {
  const int64_t n = at.rows, m = at.columns;
  std::iota(permutation, permutation + n, 0);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t begin = i / 16 * 16, width = Padded(m) - begin;
    double* const v = q.rows().Row(i);
    std::fill_n(v, q.padded().columns, 0.0);
    int64_t pivot = i;
    double greatest = -1;
    for (int64_t j = i; j < n; ++j) {
      std::copy(at.Row(j) + i, at.Row(j) + m, v + i);
      const double square = kernels.dot(v + begin, v + begin, width);
      if (square > greatest) greatest = square, pivot = j;
    }
    std::swap_ranges(at.Row(i), at.Row(i) + m, at.Row(pivot));
    std::swap(permutation[i], permutation[pivot]);
    std::copy(at.Row(i) + i, at.Row(i) + m, v + i);
    at(i, i) = MakeReflector(kernels, v, i, m, q.tau() + i);
    for (int64_t j = i + 1; j < n; ++j) {
      const double x = -q.tau()[i] * kernels.dot(at.Row(j) + begin, v + begin, width);
      kernels.left_product(&x, v + begin, 0, 1, at.Row(j) + begin, width);
    }
  }
}

// Rotates pairs of rows of x, and of `companion` alike, until all are orthogonal to working
// precision relative to their norms; squares becomes their squared norms.
void OrthogonalizeRows(const Kernels& kernels, Matrix<double> x, Matrix<double> companion,
                       double* squares) {
  constexpr int kMaxSweeps = 60;
  const int64_t n = x.rows, width = Padded(x.columns), companion_width = Padded(companion.columns);
  // Above what the rounding of a product of two rows leaves, for two rows as well.
  const double tolerance = kRounding<double> * std::max(4.0, std::sqrt(static_cast<double>(n)));
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    for (int64_t i = 0; i < n; ++i) squares[i] = kernels.dot(x.Row(i), x.Row(i), width);
    bool rotated = false;
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) {
        const double product = kernels.dot(x.Row(p), x.Row(q), width);
        if (std::abs(product) <= tolerance * std::sqrt(squares[p]) * std::sqrt(squares[q]))
          continue;
        rotated = true;
        const double zeta = (squares[q] - squares[p]) / (2 * product);
        const double t = std::copysign(1 / (std::abs(zeta) + std::hypot(1.0, zeta)), zeta);
        const double c = 1 / std::sqrt(1 + t * t), s = -c * t;
        kernels.rotate_rows(x.Row(p), (q - p) * x.row_stride, &c, &s, 1, width);
        if (companion.rows > 0) {
          kernels.rotate_rows(companion.Row(p), (q - p) * companion.row_stride, &c, &s, 1,
                              companion_width);
        }
        squares[p] = std::max(0.0, squares[p] - t * product);
        squares[q] += t * product;
      }
    }
    if (!rotated) return;
  }
  Fail(ErrorKind::kNumeric, "svd: the Jacobi rotations of {} rows did not converge", n);
}

// One step of Newton and Schulz: rows that thousands of rotations have left orthonormal to 1e-12
// become so to working precision.
void Reorthonormalize(const Env& env, Matrix<double> rows) {
  const int64_t n = rows.rows;
  const WorkMatrix<double> defect(env.pool, n, n), copy(env.pool, n, n);
  CopyMatrix<double>(rows, copy.view());
  Multiply<double>(env, -0.5, rows, rows.Transposed(), false, defect.view());
  for (int64_t i = 0; i < n; ++i) defect.view()(i, i) += 0.5;
  Multiply<double>(env, 1, defect.view(), copy.view(), true, rows);
}

// Rows of vt are those of x, divided by their norms, their columns permuted back; where the norm is
// zero, what completes them to an orthonormal basis.
void TakeRightVectors(const Env& env, Matrix<double> x, const int64_t* permutation,
                      const TallSvd<double>& out) {
  const int64_t n = x.rows;
  const WorkMatrix<double> basis(env.pool, n, n), found(env.pool, n, n);
  int64_t rank = 0;
  found.FillZero();
  for (int64_t i = 0; i < n; ++i) {
    if (out.values[i] == 0) continue;
    for (int64_t j = 0; j < n; ++j) x(i, j) /= out.values[i];
    std::copy_n(x.Row(i), n, found.view().Row(rank++));
  }
  if (rank < n) {
    const Reflectors<double> reflectors(env.pool, rank, n);
    HouseholderQr<double>(env, found.view().Block(0, 0, rank, n), reflectors);
    FillUnitRows(basis.view(), rank);
    MultiplyByReflectors<double>(env, reflectors, basis.view().Block(rank, 0, n - rank, n));
  }
  for (int64_t i = 0, next = rank; i < n; ++i) {
    const double* const row = out.values[i] == 0 ? basis.view().Row(next++) : x.Row(i);
    for (int64_t j = 0; j < n; ++j) out.vt(i, permutation[j]) = row[j];
  }
}

}  // namespace

// a P = Q R; rotations J^T R = diag(s) W with orthonormal rows of W: a = (Q J) diag(s) (W P^T).
void SvdByJacobi(const Env& env, Matrix<double> a, const TallSvd<double>& out) {
  const Kernels& kernels = SvdKernelsOf<double>(env);
  const int64_t m = a.rows, n = a.columns;
  const bool vectors = out.ut.rows > 0;
  const WorkMatrix<double> at(env.pool, n, m), r(env.pool, n, n);
  ClearPadding(at);
  CopyMatrix<double>(a.Transposed(), at.view());
  const Reflectors<double> q(env.pool, n, m);
  const Workspace indices(env.pool, static_cast<size_t>(n) * sizeof(int64_t));
  int64_t* const permutation = indices.As<int64_t>();
  PivotedQr(kernels, at.view(), q, permutation);
  r.FillZero();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i; j < n; ++j) r.view()(i, j) = at.view()(j, i);
  }
  Matrix<double> companion;
  if (vectors) {
    FillUnitRows(out.ut, 0);
    companion = out.ut.Block(0, 0, n, n);
  }
  OrthogonalizeRows(kernels, r.view(), companion, out.values);
  for (int64_t i = 0; i < n; ++i) out.values[i] = std::sqrt(out.values[i]);
  if (!vectors) return;
  Reorthonormalize(env, companion);
  MultiplyByReflectors<double>(env, q, out.ut);
  TakeRightVectors(env, r.view(), permutation, out);
}

}  // namespace tern::linalg
