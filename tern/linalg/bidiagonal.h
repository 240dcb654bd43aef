// SPDX-License-Identifier: MIT
// Singular value decomposition of an upper bidiagonal matrix B with diagonal d and superdiagonal e,
// the second phase of the decomposition of a full matrix.
//
// Vectors are kept as rows: ut [n, n] and vt [n, n], B = ut^T diag(d) vt, in padded WorkMatrix rows
// whose padding is zero. Values come out non-negative, in no particular order.
#pragma once

#include <cmath>
#include <limits>

#include "tern/linalg/batch.h"

namespace tern::linalg {

template <typename T>
struct Bidiagonal {
  T* d;  // [n]
  T* e;  // [n - 1]
  int64_t n;

  Bidiagonal Part(int64_t first, int64_t count) const { return {d + first, e + first, count}; }
};

// The greatest relative error of one rounding.
template <typename T>
inline constexpr T kRounding = std::numeric_limits<T>::epsilon() / 2;

// (c, s; -s, c) (f, g) = (r, 0).
template <typename T>
struct Rotation {
  T c, s, r;
};

// Divisions, not a product with 1 / r: thousands of rotations add up what c^2 + s^2 is off from 1.
template <typename T>
Rotation<T> MakeRotation(T f, T g) {
  constexpr T kSmall = std::numeric_limits<T>::min() / (kRounding<T> * kRounding<T>);
  if (g == 0) return {1, 0, f};
  const T q = f * f + g * g;
  if (q >= kSmall && q <= 1 / kSmall) [[likely]] {
    const T root = std::sqrt(q);
    return {f / root, g / root, root};
  }
  if (f == 0) return {0, 1, g};
  const int exponent = std::ilogb(std::max(std::abs(f), std::abs(g)));
  const Rotation<T> scaled = MakeRotation(std::scalbn(f, -exponent), std::scalbn(g, -exponent));
  return {scaled.c, scaled.s, std::scalbn(scaled.r, exponent)};
}

// Makes rows unit vectors again, whose padding must be zero. A rotation's c and s share the error
// of its root, and a reflection has that of one dot product: what thousands of them have passed
// over drifts in its length more than in its direction.
template <typename T>
void NormalizeRows(const Env& env, const Matrix<T>& rows);

// Golub and Reinsch's implicitly shifted QR iteration with the zero-shift sweeps and convergence
// criteria of Demmel and Kahan ("Accurate singular values of bidiagonal matrices", 1990): every
// value has a small relative error. Multiplies ut and vt, whose rows must be unit vectors, by the
// rotations, many sweeps at a time; matrices without rows are left alone. Overwrites e. About 2 n^2
// steps, and 6 n^2 operations for each column of ut and of vt.
template <typename T>
void BidiagonalQr(const Env& env, Bidiagonal<T> b, Matrix<T> ut, Matrix<T> vt);

// Gu and Eisenstat's divide and conquer ("A divide-and-conquer algorithm for the bidiagonal SVD",
// 1995), BidiagonalQr at its leaves. ut and vt [n, n] are overwritten, and so are their paddings.
// About 8/3 n^3 operations, fewer where values coincide. Values have a small error relative to the
// greatest one.
template <typename T>
void BidiagonalDivideAndConquer(const Env& env, Bidiagonal<T> b, Matrix<T> ut, Matrix<T> vt);

}  // namespace tern::linalg
