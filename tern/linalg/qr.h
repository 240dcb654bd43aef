// SPDX-License-Identifier: MIT
// QR: a = q r with orthonormal columns of q and upper triangular r.
//
// By modified Gram-Schmidt in blocks: panels of 8 columns by vector operations, everything between
// panels by matrix products in a recursion over halves. A block is orthogonalized again where the
// first time was not enough: products of its columns with each other are measured, those with the
// columns before it through random sums of these (a norm estimated from samples, as Girard and
// Hutchinson estimate traces); and "twice is enough" (Giraud, Langou, Rozloznik, van den Eshof
// 2005) while a column is not numerically dependent on those before it. For one that is, the third
// time goes column by column, with random vectors where nothing is left, so that q is always
// orthonormal.
//
// No gradients. Operands: batch.h.
#pragma once

#include "tern/core/context.h"
#include "tern/core/tensor.h"

namespace tern::linalg {

struct QrResult {
  Tensor q;     // [..., m, k], k = min(m, n)
  Tensor r;     // [..., k, n], diagonal not negative
  Tensor rank;  // i32 [...]: k less the columns that depend on the ones before them
};

// a [..., m, n]. A column counts as dependent when what is left of it has a norm of at most
// 2 max(m, n) eps times its own. About 2 m n k multiplications and additions, twice that where
// every block needs its second time, and 4 m k more for each column behind the first k.
// Error(kInvalidArgument) for other dtypes, ranks and empty tensors; Error(kNumeric) for NaN and
// infinity, and where an element of r is too large for the dtype.
QrResult Qr(Context& ctx, const Tensor& a);

struct PivotedQrResult {
  Tensor q;            // [..., m, k], k = min(m, n)
  Tensor r;            // [..., k, n], diagonal not negative and falling
  Tensor permutation;  // i32 [..., n]: column j of q r is column permutation[j] of a
  Tensor rank;         // i32 [...]: how many r(j, j) > tolerance * r(0, 0)
};

// The same with columns taken in the order of the largest norm left (Businger and Golub 1965).
// tolerance 0 means max(m, n) eps. Costs 4 m n k operations on vectors. Errors as Qr; a tolerance
// below 0, of 1 and more, or NaN is Error(kInvalidArgument).
PivotedQrResult PivotedQr(Context& ctx, const Tensor& a, double tolerance = 0);

}  // namespace tern::linalg
