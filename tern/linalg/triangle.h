// SPDX-License-Identifier: MIT
// Blocked triangular algorithms on matrices in the layout of WorkMatrix: recursions that halve down
// to the kernels' blocks, so that nearly all work is in products.
#pragma once

#include "tern/linalg/batch.h"

namespace tern::linalg {

// Which triangle of t is read, in a system t x = b.
enum class Triangle : uint8_t { kLower, kUpper };

// x = t^-1 x in place for t [n, n]; x [n, columns] with rows aligned to 64 bytes and padded to 16
// elements (a block of WorkMatrix::padded() that begins at a multiple of 16 and ends at one).
template <typename T>
void SolveInPlace(const Env& env, Triangle triangle, bool unit,
                  std::type_identity_t<Matrix<const T>> t, std::type_identity_t<Matrix<T>> x);

// r^T r = a in place, for the upper triangle of a, whose padding is zeros; a is a whole WorkMatrix.
// Returns n, or the least i for which the leading minor of order i + 1 is not positive definite.
template <typename T>
int64_t FactorInPlace(const Env& env, const WorkMatrix<T>& a);

}  // namespace tern::linalg
