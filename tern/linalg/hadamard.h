// SPDX-License-Identifier: MIT
// The fast Walsh-Hadamard transform.
//
// Butterflies of x and y to x + y and x - y, log2(n) levels of them, two levels in one pass (Fino
// and Algazi, "Unified matrix treatment of the fast Walsh-Hadamard transform", 1976). No gradients;
// orders other than Sylvester's, and lengths that are no power of two, are not provided.
#pragma once

#include "tern/core/context.h"
#include "tern/core/tensor.h"

namespace tern::linalg {

enum class HadamardScale {
  kNone,         // H H x = n x
  kOrthonormal,  // divided by sqrt(n): H H x = x
};

// x [..., n], f32 or f64 with any strides, n = 2^k -> y [..., n], y[i] = sum over j of
// (-1)^popcount(i & j) x[j], times the scale: each row times Sylvester's symmetric n x n matrix of
// +-1. n log2(n) additions for each row; threads take rows. Error(kInvalidArgument) for other
// dtypes, lengths, and empty tensors; Error(kNumeric) for NaN and infinity, and where a sum is too
// large for the dtype.
Tensor WalshHadamard(Context& ctx, const Tensor& x,
                     HadamardScale scale = HadamardScale::kOrthonormal);

}  // namespace tern::linalg
