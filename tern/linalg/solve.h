// SPDX-License-Identifier: MIT
// Linear systems and least squares: a [..., m, n], b [..., m, k] -> x [..., n, k]. A vector is a
// matrix of one column. No gradients. Operands: batch.h.
#pragma once

#include "tern/core/context.h"
#include "tern/core/tensor.h"

namespace tern::linalg {

struct TriangleOptions {
  bool upper = false;          // which triangle of t is read; the other may hold anything finite
  bool transposed = false;     // solve t^T x = b
  bool unit_diagonal = false;  // ones stand for the diagonal
};

// t [..., n, n]. n^2 k / 2 multiplications and additions, by substitution in blocks.
// Error(kInvalidArgument) for other dtypes, ranks, empty tensors, shapes that do not fit, and for a
// zero on the diagonal, which the message places. Error(kNumeric) for NaN and infinity, and where
// the solution has an element too large for the dtype.
Tensor SolveTriangular(Context& ctx, const Tensor& t, const Tensor& b,
                       const TriangleOptions& options = {});

// a [..., n, n], by Qr: 2 n^3 + 3/2 n^2 k multiplications and additions. Errors as SolveTriangular;
// an a that is numerically singular (Qr's rank is below n) is Error(kInvalidArgument). For positive
// definite a, Cholesky and CholeskySolve take a tenth of the time.
Tensor Solve(Context& ctx, const Tensor& a, const Tensor& b);

struct LstsqResult {
  Tensor x;     // [..., n, k]: the least norm among those that minimize |a x - b|, column by column
  Tensor rank;  // i32 [...]: numerical rank of a, as PivotedQr finds it
};

// a [..., m, n] of any rank, by PivotedQr and, where columns depend on each other, a second Qr of
// what remains (a complete orthogonal decomposition: Golub and Van Loan, "Matrix Computations",
// 5.5.3). tolerance as PivotedQr takes it. Errors as PivotedQr and SolveTriangular.
LstsqResult Lstsq(Context& ctx, const Tensor& a, const Tensor& b, double tolerance = 0);

}  // namespace tern::linalg
