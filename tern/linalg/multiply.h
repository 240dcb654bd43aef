// SPDX-License-Identifier: MIT
// Matrix products, the building block of the blocked algorithms. Fused and blocked for speed; every
// element is summed in an order that depends on the depth alone, so results do not depend on the
// number of threads.
#pragma once

#include "tern/linalg/batch.h"

namespace tern::linalg {

// out = alpha a b, added to out if `accumulate`. Any strides, but out has rows or columns that are
// contiguous. out must not overlap a or b. Uses the threads for large products.
template <typename T>
void Multiply(const Env& env, T alpha, std::type_identity_t<Matrix<const T>> a,
              std::type_identity_t<Matrix<const T>> b, bool accumulate,
              std::type_identity_t<Matrix<T>> out);

}  // namespace tern::linalg
