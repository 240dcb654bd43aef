// SPDX-License-Identifier: MIT
// reduce.h for vector targets.
#pragma once

#include "tern/kernels/reduce/reference.h"
#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET

float SumRun(const float* x, int64_t stride, int64_t n) noexcept {
  if (stride != 1) return reference::SumRun(x, stride, n);
  V16 sum = Zero16();
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) sum = Add(sum, Load16(x + i));
  if (i < n) sum = Add(sum, LoadN16(x + i, n - i));
  return Sum(sum);
}

float MaxRun(const float* x, int64_t stride, int64_t n) noexcept {
  if (stride != 1 || n < 16) return reference::MaxRun(x, stride, n);
  // A NaN would get lost in Max(), so it is looked for apart: x * 0 is NaN only for NaN and
  // infinity, and those few rows take the slow way.
  V16 maximum = Load16(x);
  V16 poison = Zero16();
  const V16 zero = Zero16();
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const V16 v = Load16(x + i);
    maximum = Max(maximum, v);
    poison = Add(poison, Mul(v, zero));
  }
  if (i < n) {
    const V16 v = Load16(x + n - 16);
    maximum = Max(maximum, v);
    poison = Add(poison, Mul(v, zero));
  }
  return Sum(poison) == 0.0f ? MaxOf(maximum) + 0.0f : reference::MaxRun(x, stride, n);
}

double SumSquares(const float* x, int64_t n) noexcept {
  double lane[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int j = 0; j < 16; ++j) {
      const double value = x[i + j];
      lane[j] += value * value;
    }
  }
  for (int j = 0; i + j < n; ++j) {
    const double value = x[i + j];
    lane[j] += value * value;
  }
  for (int half = 8; half >= 1; half /= 2) {
    for (int j = 0; j < half; ++j) lane[j] += lane[j + half];
  }
  return lane[0];
}

bool AllFinite(const float* x, int64_t n) noexcept {
  uint32_t bad = 0;
  for (int64_t i = 0; i < n; ++i) {
    bad |= (std::bit_cast<uint32_t>(x[i]) & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
  }
  return bad == 0;
}

constexpr ReduceKernels<float> kReduce = {
    .sum = SumRun, .max = MaxRun, .sum_squares = SumSquares, .all_finite = AllFinite};

TERN_END_TARGET
