// SPDX-License-Identifier: MIT
// The greatest singular values with their vectors, by sketching with random vectors.
//
// Halko, Martinsson and Tropp, "Finding structure with randomness" (2011): an orthonormal basis q
// of the range of (a a^T)^p a G for a Gaussian G, made orthonormal anew after each product
// (algorithm 4.4), then the decomposition of the small matrix q^T a (algorithm 5.1). No gradients.
// Operands: batch.h.
#pragma once

#include <cstdint>

#include "tern/linalg/svd.h"

namespace tern::linalg {

struct RandomizedSvdOptions {
  int64_t oversample = 10;   // columns of G beyond the rank, as far as the matrix has as many
  int power_iterations = 2;  // p; each lets small values weigh less against great ones
  uint64_t seed = 0;         // of G; matrix i of a batch takes stream i
};

// a [..., m, n] -> u [..., m, rank], s [..., rank], vt [..., rank, n], values and signs in the
// order and form of Svd (svd.h). With l = rank + oversample, the error |a - u diag(s) vt| in the
// spectral norm is on average at most s(rank) (1 + (1 + sqrt(rank / (oversample - 1)) + e sqrt(l
// min(m, n)) / oversample)^(1 / (2 p + 1))), s(rank) being the greatest value left out
// (corollary 10.10), which no approximation of that rank can beat. No value is greater than the
// true one but by rounding. About 4 m n l (p + 1) operations. The same seed gives the same bits on
// the same CPU target, with any number of threads.
//
// Error(kInvalidArgument) for a rank outside 1 ... min(m, n), a negative option, other dtypes,
// ranks of tensors and empty ones; Error(kNumeric) for NaN and infinity, and where a value is too
// large for the dtype.
SvdResult RandomizedSvd(Context& ctx, const Tensor& a, int64_t rank,
                        RandomizedSvdOptions options = {});

}  // namespace tern::linalg
