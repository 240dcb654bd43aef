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

// Weights [n, k] as trits in a run-time layout: w is trit * multiplier, or trit * scale with a
// scale for each group of k / groups columns of a row.
struct TernaryWeight {
  Tensor panels;      // u8
  Tensor multiplier;  // f32 [1]; or, of rank 2, scales f32 [n, groups], not all of them equal
  TernaryAttrs attrs;
  // The master weights f32 [n, k] that the trits were made from, when a tape watches them.
  Tensor latent;
  // Beside scales: 1 as f32 [1], for the ops that take one multiplier.
  Tensor one;

  bool has_scales() const { return multiplier.rank() == 2; }
  int64_t groups() const { return has_scales() ? multiplier.dim(1) : 1; }
};

}  // namespace tern
