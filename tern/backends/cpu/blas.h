// SPDX-License-Identifier: MIT
// The matrix product of a serial BLAS, row-major, in the calling thread. For gradients: its results
// depend on the machine, and on the shape of the call, but on nothing else. Nothing in a forward
// pass may use it.
#pragma once

#include <cstdint>

namespace tern::cpu {

template <typename T>
struct BlasMatrix {
  T* data;
  int64_t stride;  // of rows, in elements
  bool transpose = false;
};

// c[m, n] = op(a)[m, k] op(b)[k, n], added to c if `accumulate`; T is float or double.
template <typename T>
void BlasGemm(int64_t m, int64_t n, int64_t k, BlasMatrix<const T> a, BlasMatrix<const T> b,
              BlasMatrix<T> c, bool accumulate);

}  // namespace tern::cpu
