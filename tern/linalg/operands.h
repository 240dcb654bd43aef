// SPDX-License-Identifier: MIT
// How the solvers read a triangle and hand a solution out.
#pragma once

#include "tern/linalg/batch.h"
#include "tern/linalg/solve.h"

namespace tern::linalg {

// Copies matrix `index` of t. Error(kNumeric) for NaN and infinity anywhere;
// Error(kInvalidArgument) for a zero on the diagonal, unless that is taken as ones.
template <typename T>
void CopyTriangle(const Env& env, const Operand& t, int64_t index, const TriangleOptions& options,
                  Matrix<T> out);

// Copies a solution; Error(kNumeric) naming matrix `index` of `a` where it is not finite.
template <typename T>
void CopyResult(const Env& env, const Operand& a, int64_t index,
                std::type_identity_t<Matrix<const T>> x, std::type_identity_t<Matrix<T>> out);

}  // namespace tern::linalg
