// SPDX-License-Identifier: MIT
// Gradient check: what Tape::Backward() gives against finite differences in f64.
//
// The function under test takes the leaves and returns one output of any shape. The check looks at
// the scalar <c, output>, where c are random coefficients in +-[0.5, 1.5] drawn from the seed, so
// that no part of a gradient cancels against another. Backward() is seeded with c; the derivative
// by each element of each leaf is also taken from four values of the function around it,
//   (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12h + O(h^4),  h = step * max(1, |x|).
// Its own error is about h^4 of truncation and epsilon / h = 2e-12 of rounding, times the size of
// <|c|, |output|>. The difference of both is therefore divided by
//   max(|analytic|, |numeric|, 1e-3 <|c|, |output|>)
// so that the default tolerance of 1e-7 stays 40 times above the rounding error and far below any
// mistake. A kink (Relu, Abs, Max) within 2h of an element gives a false alarm: choose other
// leaves.
//
// Host memory only. The function is called 4 times per element: keep leaves small.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "tern/core/context.h"
#include "tern/core/tensor.h"

namespace tern {

using GradCheckFunction = std::function<Tensor(std::span<const Tensor> leaves)>;

struct GradCheckOptions {
  uint64_t seed = 1;
  double step = 1e-4;
  double tolerance = 1e-7;
  // The function whose derivative the gradient ought to be, where it is not that of the function
  // itself: the surrogate of a straight-through estimator. Its leaves are f64.
  GradCheckFunction surrogate = {};
};

struct GradCheckResult {
  bool ok = false;  // worst_error <= tolerance
  // Where the worst error lies.
  double worst_error = 0;  // relative as above; infinite if either side is not finite
  int leaf = -1;
  int64_t element = -1;  // in row-major order
  double analytic = 0;
  double numeric = 0;
  uint64_t seed = 0;

  std::string ToString() const;
};

// Leaves are f64 or f32, any views, and are not changed. For f32 leaves the gradient is computed
// in f32 and compared with the differences of the function (or surrogate) on f64 copies, so that
// the tolerance must be f32's. The result fails too if the function gives another output when it
// is recorded than when it is not.
GradCheckResult GradCheck(Context& ctx, const GradCheckFunction& function,
                          std::span<const Tensor> leaves, const GradCheckOptions& options = {});

}  // namespace tern
