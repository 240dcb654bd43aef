// SPDX-License-Identifier: MIT
// Random matrices with orthonormal columns or rows, distributed evenly (by Haar's measure).
//
// q of the QR decomposition of a Gaussian matrix whose r has a positive diagonal, which fixes the
// signs that would else depend on the algorithm (Mezzadri, "How to generate random matrices from
// the classical compact groups", 2007).
#pragma once

#include <cstdint>

#include "tern/core/context.h"
#include "tern/core/tensor.h"

namespace tern::linalg {

// q [..., m, n] on the default device, f32 or f64: q^T q = I if m >= n, else q q^T = I. Matrix i of
// a batch draws from stream i of the seed: the same bits on the same CPU target, with any number of
// threads, and however many matrices there are. About 4 m n min(m, n) operations. Error
// (kInvalidArgument) for other dtypes, fewer than two axes, and empty shapes.
Tensor RandomOrthogonal(Context& ctx, const Shape& shape, DType dtype, uint64_t seed);

}  // namespace tern::linalg
