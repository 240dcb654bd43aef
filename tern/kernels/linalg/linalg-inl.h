// SPDX-License-Identifier: MIT
// linalg.h for vector targets.
#pragma once

#include "tern/kernels/gemm/product-inl.h"
#include "tern/kernels/linalg/gram_schmidt-inl.h"
#include "tern/kernels/linalg/transpose-inl.h"
#include "tern/kernels/linalg/triangle-inl.h"

TERN_BEGIN_TARGET

template <typename T>
constexpr LinalgKernels<T> kLinalg = {
    .product = ProductOf<T>,
    .direct_product = DirectProduct<T>,
    .gram_schmidt = GramSchmidt<T>,
    .cholesky = CholeskyBlock<T>,
    .solve = SolveBlock<T>,
    .transpose = Transpose<T>,
    .all_finite = FiniteElements<T>,
    .all_close = AllClose<T>,
};

TERN_END_TARGET
