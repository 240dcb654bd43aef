// SPDX-License-Identifier: MIT
// softmax.h, slow and obvious.
#pragma once

#include "tern/kernels/canonical.h"
#include "tern/kernels/math/math.h"
#include "tern/kernels/softmax/softmax.h"

namespace tern::kernels::reference {

template <typename T>
T RowMaximum(const T* x, int64_t n) {
  T maximum = x[0];
  for (int64_t i = 1; i < n; ++i) maximum = maximum > x[i] ? maximum : x[i];
  return maximum;
}

// y = exp(x - maximum); returns the sum.
template <typename T>
T ExpRow(const T* x, T maximum, T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = math::Exp(x[i] - maximum);
  return CanonicalSum<T>(n, [&](int64_t i) { return y[i]; });
}

template <typename T>
void Softmax(const T* x, T* y, int64_t n) noexcept {
  if (n == 0) return;
  const T sum = ExpRow(x, RowMaximum(x, n), y, n);
  for (int64_t i = 0; i < n; ++i) y[i] = y[i] / sum;
}

template <typename T>
void SoftmaxGrad(const T* y, const T* dy, T* dx, int64_t n) noexcept {
  const T dot = CanonicalSum<T>(n, [&](int64_t i) { return y[i] * dy[i]; });
  for (int64_t i = 0; i < n; ++i) dx[i] = y[i] * (dy[i] - dot);
}

template <typename T>
T CrossEntropy(const T* x, int64_t target, int64_t n) noexcept {
  const T maximum = RowMaximum(x, n);
  const T sum = CanonicalSum<T>(n, [&](int64_t i) { return math::Exp(x[i] - maximum); });
  return math::Log(sum) - (x[target] - maximum);
}

template <typename T>
void CrossEntropyGrad(const T* x, int64_t target, T dloss, T* dx, int64_t n) noexcept {
  const T factor = dloss / ExpRow(x, RowMaximum(x, n), dx, n);
  for (int64_t i = 0; i < n; ++i) dx[i] = dx[i] * factor;
  dx[target] -= dloss;
}

template <typename T>
inline constexpr SoftmaxKernels<T> kSoftmax = {.softmax = Softmax<T>,
                                               .softmax_grad = SoftmaxGrad<T>,
                                               .cross_entropy = CrossEntropy<T>,
                                               .cross_entropy_grad = CrossEntropyGrad<T>};

}  // namespace tern::kernels::reference
