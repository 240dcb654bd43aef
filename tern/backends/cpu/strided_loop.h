// SPDX-License-Identifier: MIT
// StridedLoop: the elements of up to three strided tensors of one shape, as runs along the
// innermost axis. Axes that lie behind one another in every operand are joined first, so
// contiguous operands are one run. Allocates nothing.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "tern/base/check.h"
#include "tern/core/tensor.h"

namespace tern::cpu {

// Elements that are worth a thread's part of a loop: some microseconds of work.
inline constexpr int64_t kGrainElements = 16384;

inline int64_t GrainRows(int64_t row_elements) {
  return std::max<int64_t>(1, kGrainElements / std::max<int64_t>(row_elements, 1));
}

class StridedLoop {
 public:
  static constexpr int kMaxOperands = 3;

  StridedLoop(std::initializer_list<const Tensor*> operands) {
    TERN_CHECK(operands.size() <= kMaxOperands);
    const Shape& shape = (*operands.begin())->shape();
    elements_ = shape.elements();
    operands_ = static_cast<int>(operands.size());
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const int64_t extent = shape.dims()[static_cast<size_t>(axis)];
      if (extent == 1) continue;
      int64_t strides[kMaxOperands] = {};
      bool joins = rank_ > 0;
      for (int i = 0; i < operands_; ++i) {
        strides[i] = operands.begin()[i]->strides()[static_cast<size_t>(axis)];
        joins = joins && strides_[rank_ - 1][i] == strides[i] * extent;
      }
      if (!joins) extents_[rank_++] = 1;
      extents_[rank_ - 1] *= extent;
      std::copy_n(strides, kMaxOperands, strides_[rank_ - 1]);
    }
    if (rank_ == 0) extents_[rank_++] = 1;
  }

  int64_t elements() const { return elements_; }
  // Of operand i along a run, in elements.
  int64_t run_stride(int i) const { return strides_[rank_ - 1][i]; }

  // Calls run(offsets, n) for runs that cover the elements [begin, end) in logical order; offsets
  // are in elements from each operand's first.
  template <typename F>
  void For(int64_t begin, int64_t end, F run) const {
    if (begin >= end) return;
    const int64_t inner = extents_[rank_ - 1];
    int64_t index[Shape::kMaxRank + 1] = {};
    int64_t offsets[kMaxOperands] = {};
    int64_t rest = begin;
    for (int axis = rank_ - 1; axis >= 0; --axis) {
      index[axis] = rest % extents_[axis];
      rest /= extents_[axis];
      Advance(axis, index[axis], offsets);
    }
    for (int64_t at = begin;;) {
      const int64_t n = std::min(inner - index[rank_ - 1], end - at);
      run(static_cast<const int64_t*>(offsets), n);
      at += n;
      if (at >= end) return;
      // The run ended at its axis' end: back to its front, and on along the outer axes.
      Advance(rank_ - 1, -index[rank_ - 1], offsets);
      index[rank_ - 1] = 0;
      for (int axis = rank_ - 2; axis >= 0; --axis) {
        Advance(axis, 1, offsets);
        if (++index[axis] < extents_[axis]) break;
        Advance(axis, -extents_[axis], offsets);
        index[axis] = 0;
      }
    }
  }

 private:
  void Advance(int axis, int64_t steps, int64_t* offsets) const {
    for (int i = 0; i < operands_; ++i) offsets[i] += steps * strides_[axis][i];
  }

  int64_t extents_[Shape::kMaxRank + 1] = {};
  int64_t strides_[Shape::kMaxRank + 1][kMaxOperands] = {};
  int64_t elements_ = 0;
  int rank_ = 0;
  int operands_ = 0;
};

}  // namespace tern::cpu
