// SPDX-License-Identifier: MIT
// reduce.h, slow and obvious.
#pragma once

#include <cmath>

#include "tern/kernels/canonical.h"
#include "tern/kernels/reduce/reduce.h"

namespace tern::kernels::reference {

template <typename T>
T SumRun(const T* x, int64_t stride, int64_t n) noexcept {
  return CanonicalSum<T>(n, [&](int64_t i) { return x[i * stride]; });
}

template <typename T>
T MaxRun(const T* x, int64_t stride, int64_t n) noexcept {
  T maximum = x[0];
  for (int64_t i = 1; i < n; ++i) {
    const T value = x[i * stride];
    maximum = (maximum > value || maximum != maximum) ? maximum : value;
  }
  return maximum + T(0);
}

template <typename T>
double SumSquares(const T* x, int64_t n) noexcept {
  return CanonicalSum<double>(n, [&](int64_t i) {
    const double value = x[i];
    return value * value;
  });
}

template <typename T>
bool AllFinite(const T* x, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) return false;
  }
  return true;
}

template <typename T>
inline constexpr ReduceKernels<T> kReduce = {
    .sum = SumRun<T>, .max = MaxRun<T>, .sum_squares = SumSquares<T>, .all_finite = AllFinite<T>};

}  // namespace tern::kernels::reference
