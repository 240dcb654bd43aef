// SPDX-License-Identifier: MIT
// Householder reflections H = I - tau v v^T and blocks of them, and what they make of a matrix:
// a triangular one (QR) or an upper bidiagonal one (Golub and Kahan 1965).
//
// Reflectors are rows of a matrix, v[i] = 1 in row i with zeros before it. Products of rows and
// reflectors are then products of contiguous rows.
#pragma once

#include "tern/linalg/bidiagonal.h"

namespace tern::linalg {

// `count` reflectors of `length` elements, in rows whose padding is zero.
template <typename T>
class Reflectors {
 public:
  Reflectors(MemoryPool& pool, int64_t count, int64_t length)
      : rows_(pool, count, length), tau_(pool, static_cast<size_t>(count) * sizeof(T)) {}

  Matrix<T> rows() const { return rows_.view(); }
  Matrix<T> padded() const { return rows_.padded(); }
  T* tau() const { return tau_.template As<T>(); }

 private:
  WorkMatrix<T> rows_;
  Workspace tau_;
};

// x[i ... n) becomes v and the rest of x zero; x is padded with zeros. Returns beta, the element
// that H puts in place i (and zeros behind), and sets tau.
template <typename T>
T MakeReflector(const kernels::SvdKernels<T>& kernels, T* x, int64_t i, int64_t n, T* tau);

// Makes at [n, m], the transpose of a matrix A with m >= n, lower triangular: at = R^T Q^T with
// Q = H(0) H(1) ... H(n - 1). Above the diagonal at keeps numbers of no meaning; padding zero.
// 2 n^2 (m - n / 3) operations, in blocks (Schreiber and Van Loan 1989).
template <typename T>
void HouseholderQr(const Env& env, Matrix<T> at, const Reflectors<T>& reflectors);

// Makes a [m, n], m >= n, upper bidiagonal: A = H B G^T, H the product of `left` [n, m], G that of
// `right` [n, n]. a is overwritten; its padding must be zero. 4 n^2 (m - n / 3) operations, half of
// them products with a vector, which pass over the matrix once for each column (Howell et al.,
// "Cache efficient bidiagonalization using BLAS 2.5 operators", 2008).
template <typename T>
void Bidiagonalize(const Env& env, Matrix<T> a, Bidiagonal<T> b, const Reflectors<T>& left,
                   const Reflectors<T>& right);

// x = x (H(0) H(1) ... )^T; x has as many columns as the reflectors have elements.
template <typename T>
void MultiplyByReflectors(const Env& env, const Reflectors<T>& reflectors, Matrix<T> x);

}  // namespace tern::linalg
