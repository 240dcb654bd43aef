// SPDX-License-Identifier: MIT
// The currency of BitLinear: int8 activation rows and ternary weights in a run-time layout.
#pragma once

#include "tern/core/backend.h"
#include "tern/core/tensor.h"

namespace tern {

// Activations [rows, k], quantized per row (absmax, arXiv:2402.17764 section 2):
// x is about q / scale with scale = 127 / max(max|x|, 1e-5).
struct QuantRows {
  Tensor q;      // i8 [rows, k_padded], zeros beyond k
  Tensor scale;  // f32 [rows]
  Tensor sum;    // i32 [rows], of the row's q
  int64_t k = 0;
  // Stands for the dequantized rows [rows, k] on a tape: one element, broadcast. Its gradient is
  // handed on unchanged by the straight-through estimator. Undefined when nothing was recorded.
  Tensor surrogate;

  int64_t rows() const { return scale.dim(0); }
};

// Weights [n, k] as trits in a run-time layout: w is trit * multiplier.
struct TernaryWeight {
  Tensor panels;      // u8
  Tensor multiplier;  // f32 [1]
  TernaryAttrs attrs;
  // The master weights f32 [n, k] that the trits were made from, when a tape watches them.
  Tensor latent;
};

}  // namespace tern
