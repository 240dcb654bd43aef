// SPDX-License-Identifier: MIT
// Singular value decomposition: a = u diag(s) vt with orthonormal columns of u and rows of vt.
//
// In two phases, as Golub and Reinsch (1970): Householder reflections in blocks make a bidiagonal
// (bidiagonalize.cc), for tall matrices after a QR decomposition (Chan 1982); then implicitly
// shifted QR sweeps (bidiagonal_qr.cc), or above 32 columns divide and conquer
// (divide_conquer.cc), make that diagonal. Values come sorted, the greatest first, none negative.
// Signs are fixed: the element of a column of u with the greatest magnitude is positive (the first
// of them; in a wide matrix, m < n, of a row of vt). The same input gives the same bits on the same
// CPU target, with any number of threads.
//
// No gradients. Operands: batch.h.
#pragma once

#include "tern/core/context.h"
#include "tern/core/tensor.h"

namespace tern::linalg {

enum class SvdVectors {
  kThin,  // min(m, n) of each
  kFull,  // m and n
  kNone,  // values only: u and vt of the result stay undefined
};

enum class SvdMethod {
  kFast,    // as above
  kQr,      // QR sweeps for every size: small values of a bidiagonal matrix to full accuracy
  kJacobi,  // one-sided Jacobi rotations: see below
};

struct SvdOptions {
  SvdVectors vectors = SvdVectors::kThin;
  SvdMethod method = SvdMethod::kFast;
};

struct SvdResult {
  Tensor u;   // [..., m, k], k = min(m, n); full: [..., m, m]
  Tensor s;   // [..., k]
  Tensor vt;  // [..., k, n]; full: [..., n, n]
};

// a [..., m, n]. For m >= n about 4 n^2 (m - n / 3) operations for the values; with vectors, for
// m = n, at most 9 n^3 more. Values have an error of a small multiple of eps times the greatest.
//
// kJacobi: for m >= n and a = B D with D diagonal, however graded, every value has a relative error
// of about the condition of B times eps (Demmel and Veselic, "Jacobi's method is more accurate than
// QR", 1992), as long as it is at least 1e-140 of the greatest. Pivoted QR, then rotations of the
// rows of r (Drmac and Veselic, "New fast and accurate Jacobi SVD algorithm", 2008); f32 is
// computed in f64. Several times slower, and a matrix has one thread.
//
// Error(kInvalidArgument) for other dtypes, ranks and empty tensors; Error(kNumeric) for NaN and
// infinity, and where a value is too large for the dtype.
SvdResult Svd(Context& ctx, const Tensor& a, SvdOptions options = {});

}  // namespace tern::linalg
