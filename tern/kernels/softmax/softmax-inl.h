// SPDX-License-Identifier: MIT
// softmax.h for vector targets.
#pragma once

#include <limits>

#include "tern/kernels/elementwise/elementwise-inl.h"
#include "tern/kernels/math/math-inl.h"
#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET

// What stands behind the end of a row: less than everything, and its exponential is 0.
constexpr float kRowPadding = -std::numeric_limits<float>::infinity();

HWY_INLINE float RowMaximum(const float* x, int64_t n) {
  V16 maximum = Set16(kRowPadding);
  V16 others[3] = {maximum, maximum, maximum};  // a single chain would wait for itself
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    maximum = Max(maximum, Load16(x + i));
    for (int j = 0; j < 3; ++j) others[j] = Max(others[j], Load16(x + i + 16 * (j + 1)));
  }
  for (const V16& other : others) maximum = Max(maximum, other);
  for (; i + 16 <= n; i += 16) maximum = Max(maximum, Load16(x + i));
  if (i < n) maximum = Max(maximum, LoadN16(x + i, n - i, kRowPadding));
  return MaxOf(maximum);
}

HWY_INLINE float ExpSum(const float* x, float maximum, int64_t n) {
  const V16 shift = Set16(maximum);
  V16 sum = Zero16();
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) sum = Add(sum, Exp(Sub(Load16(x + i), shift)));
  if (i < n) sum = Add(sum, Exp(Sub(LoadN16(x + i, n - i, kRowPadding), shift)));
  return Sum(sum);
}

// y = exp(x - maximum); returns the sum.
HWY_INLINE float ExpRow(const float* x, float maximum, float* y, int64_t n) {
  const V16 shift = Set16(maximum);
  V16 sum = Zero16();
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const V16 e = Exp(Sub(Load16(x + i), shift));
    Store16(e, y + i);
    sum = Add(sum, e);
  }
  if (i < n) {
    const V16 e = Exp(Sub(LoadN16(x + i, n - i, kRowPadding), shift));
    StoreN16(e, y + i, n - i);
    sum = Add(sum, e);
  }
  return Sum(sum);
}

void Softmax(const float* x, float* y, int64_t n) noexcept {
  const float sum = ExpRow(x, RowMaximum(x, n), y, n);
  for (int64_t i = 0; i < n; ++i) y[i] = y[i] / sum;
}

void SoftmaxGrad(const float* y, const float* dy, float* dx, int64_t n) noexcept {
  V16 sum = Zero16();
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) sum = Add(sum, Mul(Load16(y + i), Load16(dy + i)));
  if (i < n) sum = Add(sum, Mul(LoadN16(y + i, n - i), LoadN16(dy + i, n - i)));
  const float dot = Sum(sum);
  TERN_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) dx[j] = y[j] * (dy[j] - dot);
}

float CrossEntropy(const float* x, int64_t target, int64_t n) noexcept {
  const float maximum = RowMaximum(x, n);
  return math::Log(ExpSum(x, maximum, n)) - (x[target] - maximum);
}

void CrossEntropyGrad(const float* x, int64_t target, float dloss, float* dx, int64_t n) noexcept {
  const float factor = dloss / ExpRow(x, RowMaximum(x, n), dx, n);
  for (int64_t i = 0; i < n; ++i) dx[i] = dx[i] * factor;
  dx[target] -= dloss;
}

constexpr SoftmaxKernels<float> kSoftmax = {.softmax = Softmax,
                                            .softmax_grad = SoftmaxGrad,
                                            .cross_entropy = CrossEntropy,
                                            .cross_entropy_grad = CrossEntropyGrad};

TERN_END_TARGET
