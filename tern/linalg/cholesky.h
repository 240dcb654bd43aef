// SPDX-License-Identifier: MIT
// Cholesky's factor of symmetric positive definite matrices, and what it is good for.
//
// The recurrences are those of Cholesky-Banachiewicz, l_ij = (a_ij - sum_k<j l_ik l_jk) / l_jj,
// computed in blocks by a recursion over halves (Gustavson 1997), whose products take nearly all of
// the time. No pivoting, and no gradients. Operands: batch.h.
#pragma once

#include "tern/core/context.h"
#include "tern/core/tensor.h"

namespace tern::linalg {

// a [..., n, n] -> l [..., n, n], lower triangular with a positive diagonal: a = l l^T. About n^3 /
// 6 multiplications and additions. The upper triangle of a is what is read, after the check that a
// is symmetric up to rounding, |a_ij - a_ji| <= n eps sqrt(a_ii a_jj). Error(kInvalidArgument) for
// other dtypes, ranks, empty, not square or not symmetric tensors, and where a leading minor is not
// positive definite: the message names its order. Error(kNumeric) for NaN and infinity.
Tensor Cholesky(Context& ctx, const Tensor& a);

// l as Cholesky gives it [..., n, n], b [..., n, k] -> x [..., n, k] with l l^T x = b. n^2 k
// multiplications and additions. Errors as SolveTriangular (solve.h).
Tensor CholeskySolve(Context& ctx, const Tensor& l, const Tensor& b);

// l as Cholesky gives it [..., n, n] -> (l l^T)^-1, symmetric to the last bit, as l^-T l^-1. About
// n^3 / 2 multiplications and additions. Errors as SolveTriangular (solve.h).
Tensor CholeskyInverse(Context& ctx, const Tensor& l);

}  // namespace tern::linalg
