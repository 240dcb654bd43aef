// SPDX-License-Identifier: MIT
// Canonical float for scalar code: what V16 (vec16-inl.h) is to vector targets. Templates on the
// element type, so that the same source is the f32 reference and the f64 path.
#pragma once

#include <cstdint>

namespace tern::kernels {

// Sum over i < n of f(i), in 16 virtual lanes folded by the tree 8, 4, 2, 1.
template <typename T, typename F>
T CanonicalSum(int64_t n, F f) {
  T lane[16] = {};
  for (int64_t i = 0; i < n; ++i) lane[i % 16] += f(i);
  for (int half = 8; half >= 1; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

}  // namespace tern::kernels
