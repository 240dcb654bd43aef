// SPDX-License-Identifier: MIT
// The decomposition of one matrix with at least as many rows as columns, scaled so that its
// greatest element is about 1. Vectors are rows, values in no particular order.
#pragma once

#include "tern/linalg/batch.h"
#include "tern/linalg/svd.h"

namespace tern::linalg {

template <typename T>
struct TallSvd {
  T* values;     // [n]
  Matrix<T> ut;  // [n, m], or [m, m] for all of them; no rows: values only
  Matrix<T> vt;  // [n, n]
};

// a [m, n] is overwritten. Its padding must be zero; ut and vt are padded rows, not initialized.
template <typename T>
void SvdByBidiagonal(const Env& env, Matrix<T> a, SvdMethod method, const TallSvd<T>& out);

// The same by one-sided Jacobi rotations.
void SvdByJacobi(const Env& env, Matrix<double> a, const TallSvd<double>& out);

// Divides by a power of two, so that the greatest magnitude lies in [1, 2). Returns its exponent;
// 0 where all is zero.
template <typename T>
int Normalize(Matrix<T> a);

// values = values 2^exponent. Error(kNumeric) naming matrix `index` of `a` where one is too large.
template <typename T>
void ScaleValues(const Operand& a, int64_t index, int exponent, T* values, int64_t count);

// The greatest `count` values in order with their vectors; signs such that the greatest element of
// each row of ut is positive.
template <typename T>
struct SvdOutputs {
  int64_t count;
  T* s;
  Matrix<T> ut;  // no rows: values only. Rows of `svd` beyond its values follow where there is room
  Matrix<T> vt;
};
template <typename T>
void StoreSorted(const Env& env, const TallSvd<T>& svd, int64_t values, const SvdOutputs<T>& out);

// Rows first ... rows.rows - 1 become unit vectors; the padding too is set to zero.
template <typename T>
void FillUnitRows(Matrix<T> rows, int64_t first) {
  for (int64_t i = first; i < rows.rows; ++i) {
    std::fill_n(rows.Row(i), rows.row_stride, T(0));
    rows(i, i) = 1;
  }
}

template <typename T>
void ClearPadding(const WorkMatrix<T>& a) {
  const Matrix<T> padded = a.padded();
  for (int64_t i = 0; i < padded.rows; ++i) {
    std::fill(padded.Row(i) + a.view().columns, padded.Row(i) + padded.columns, T(0));
  }
}

}  // namespace tern::linalg
