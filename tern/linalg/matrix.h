// SPDX-License-Identifier: MIT
// Matrix<T>: a view of a matrix, not owning, with any strides. WorkMatrix<T>: a matrix of its own
// in the pool, laid out for the kernels. What the routines of this room compute on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "tern/core/memory_pool.h"

namespace tern::linalg {

template <typename T>
struct Matrix {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t row_stride = 0;  // in elements
  int64_t column_stride = 1;

  T& operator()(int64_t i, int64_t j) const { return data[i * row_stride + j * column_stride]; }
  T* Row(int64_t i) const { return data + i * row_stride; }
  // The part that begins at row i and column j.
  Matrix Block(int64_t i, int64_t j, int64_t block_rows, int64_t block_columns) const {
    return {data + i * row_stride + j * column_stride, block_rows, block_columns, row_stride,
            column_stride};
  }
  Matrix Transposed() const { return {data, columns, rows, column_stride, row_stride}; }
  // NOLINTNEXTLINE(google-explicit-constructor): reading is always allowed
  operator Matrix<const T>() const requires(!std::is_const_v<T>) {
    return {data, rows, columns, row_stride, column_stride};
  }
};

// Rows begin at multiples of 64 bytes and are padded to a multiple of 16 elements; neighbouring
// rows do not lie a multiple of 1 KiB apart, which would put them all in a few sets of a cache.
// Elements and padding are not initialized.
template <typename T>
class WorkMatrix {
 public:
  WorkMatrix(MemoryPool& pool, int64_t rows, int64_t columns)
      : stride_(StrideFor(columns)),
        memory_(pool, static_cast<size_t>(rows * stride_) * sizeof(T)),
        view_{memory_.template As<T>(), rows, columns, stride_, 1} {}

  const Matrix<T>& view() const { return view_; }
  // All of it with the padding as columns.
  Matrix<T> padded() const { return {view_.data, view_.rows, stride_, stride_, 1}; }
  void FillZero() const { std::fill_n(view_.data, view_.rows * stride_, T(0)); }

  void FillPadding() const {
    for (int64_t i = 0; i < view_.rows; ++i) {
      std::fill_n(view_.Row(i) + view_.columns, stride_ - view_.columns, T(0));
    }
  }

  static int64_t StrideFor(int64_t columns) {
    constexpr int64_t kPad = 16, kKiB = 1024 / static_cast<int64_t>(sizeof(T));
    const int64_t stride = std::max<int64_t>(1, (columns + kPad - 1) / kPad) * kPad;
    return stride % kKiB == 0 ? stride + kPad : stride;
  }

 private:
  int64_t stride_;
  Workspace memory_;
  Matrix<T> view_;
};

// out = in, of the same shape.
template <typename T>
void CopyMatrix(std::type_identity_t<Matrix<const T>> in, Matrix<T> out) {
  // Squares of 16 x 16 use whole cache lines of both sides.
  constexpr int64_t kSquare = 16;
  if (in.column_stride == 1 && out.column_stride == 1) {
    if (in.row_stride == in.columns && out.row_stride == in.columns) {
      std::copy_n(in.data, in.rows * in.columns, out.data);
      return;
    }
    for (int64_t i = 0; i < in.rows; ++i) std::copy_n(in.Row(i), in.columns, out.Row(i));
    return;
  }
  for (int64_t i0 = 0; i0 < in.rows; i0 += kSquare) {
    for (int64_t j0 = 0; j0 < in.columns; j0 += kSquare) {
      const int64_t i1 = std::min(i0 + kSquare, in.rows);
      const int64_t j1 = std::min(j0 + kSquare, in.columns);
      for (int64_t i = i0; i < i1; ++i) {
        for (int64_t j = j0; j < j1; ++j) out(i, j) = in(i, j);
      }
    }
  }
}

}  // namespace tern::linalg
