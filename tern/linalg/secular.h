// SPDX-License-Identifier: MIT
// The singular values of the matrix M of the divide-and-conquer method, whose first row is z and
// whose other rows are those of diag(d): the roots of 1 + sum z[j]^2 / (d[j]^2 - x) = 0, x = s^2.
#pragma once

#include "tern/linalg/bidiagonal.h"

namespace tern::linalg {

// Root j lies between the poles d[j] and d[j + 1], the last above all. It is kept as a pole and the
// offset from it, so that its distance from every pole is known to full relative accuracy.
template <typename T>
struct SecularRoot {
  T origin, offset;
  T value() const { return origin + offset; }
};

// `poles` has `count` poles in ascending order, the first of them 0, padded as the kernels want it;
// all distinct, no weight 0. Rational interpolation by Li ("Solving secular equations stably and
// efficiently", 1993) within a bracket.
template <typename T>
SecularRoot<T> SolveSecular(const kernels::SvdKernels<T>& kernels,
                            const kernels::SecularPoles<T>& poles, int64_t count, int64_t j);

}  // namespace tern::linalg
