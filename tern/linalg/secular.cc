// SPDX-License-Identifier: MIT
#include "tern/linalg/secular.h"

#include <algorithm>

namespace tern::linalg {
namespace {

// The equation at one place, and the squared distances of the two poles that the step is based on.
template <typename T>
struct SecularPoint {
  kernels::SecularSums<T> sums;
  T below, above;  // d^2 - x of the poles split and split + 1

  T value() const { return 1 + sums.below + sums.above; }
  // What the rounding of the sums may amount to.
  T error() const { return 8 * kRounding<T> * (1 + std::abs(sums.below) + std::abs(sums.above)); }
};

// The change of x to the root of the interpolating c + p / (below - eta) + q / (above - eta), which
// has the sums' values and slopes here; Newton's step where that goes the wrong way.
template <typename T>
T RationalStep(const SecularPoint<T>& at, bool beyond_all) {
  const T w = at.value();
  const T slope = at.sums.below_slope + at.sums.above_slope;
  T c = w - at.below * at.sums.below_slope - at.above * at.sums.above_slope;
  const T a = (at.below + at.above) * w - at.below * at.above * slope;
  const T b = at.below * at.above * w;
  if (beyond_all) c = std::abs(c);
  const T root = std::sqrt(std::abs(a * a - 4 * b * c));
  T eta;
  if (c == 0) {
    eta = b / a;
  } else if (beyond_all) {
    eta = a >= 0 ? (a + root) / (2 * c) : 2 * b / (a - root);
  } else {
    eta = a <= 0 ? (a - root) / (2 * c) : 2 * b / (a + root);
  }
  return w * eta < 0 ? eta : -w / slope;
}

}  // namespace

template <typename T>
SecularRoot<T> SolveSecular(const kernels::SvdKernels<T>& kernels,
                            const kernels::SecularPoles<T>& poles, int64_t count, int64_t j) {
  const T* const d = poles.d;
  if (count == 1) return {0, std::sqrt(poles.z_squared[0])};
  const bool beyond_all = j == count - 1;
  const int64_t split = beyond_all ? count - 2 : j;
  T origin = d[j], low = 0, high;
  if (beyond_all) {
    T square = 0;
    for (int64_t i = 0; i < count; ++i) square += poles.z_squared[i];
    high = square / (d[j] + std::sqrt(d[j] * d[j] + square));
  } else {
    high = (d[j + 1] - d[j]) / 2;
    const auto sums = kernels.secular_sums(poles, split, origin, high);
    if (1 + sums.below + sums.above < 0) {
      origin = d[j + 1];
      low = -high;
      high = 0;
    }
  }
  const T middle = beyond_all || origin == d[j] ? high : low;
  T offset = beyond_all ? middle / 2 : middle;
  constexpr int kFreeSteps = 12, kMaxSteps = 400;
  for (int step = 0; step < kMaxSteps; ++step) {
    const SecularPoint<T> at = {
        kernels.secular_sums(poles, split, origin, offset),
        (d[split] - origin - offset) * (d[split] + origin + offset),
        (d[split + 1] - origin - offset) * (d[split + 1] + origin + offset)};
    const T w = at.value();
    if (std::abs(w) <= at.error()) break;
    (w < 0 ? low : high) = offset;
    const T sigma = origin + offset;
    const T eta = RationalStep(at, beyond_all);
    T next = offset + eta / (sigma + std::sqrt(std::abs(sigma * sigma + eta)));
    // The interpolation almost never leaves the bracket or dawdles; halving always ends.
    if (!(next > low && next < high) || (step > kFreeSteps && step % 2 == 0)) {
      next = low + (high - low) / 2;
    }
    if (next == offset || next == low || next == high) break;
    offset = next;
  }
  return {origin, offset};
}

#define TERN_INSTANTIATE(T)                                              \
  template SecularRoot<T> SolveSecular<T>(const kernels::SvdKernels<T>&, \
                                          const kernels::SecularPoles<T>&, int64_t, int64_t);
TERN_INSTANTIATE(float)
TERN_INSTANTIATE(double)
#undef TERN_INSTANTIATE

}  // namespace tern::linalg
