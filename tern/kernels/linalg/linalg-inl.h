// SPDX-License-Identifier: MIT
// linalg.h for vector targets.
#pragma once

#include "tern/kernels/gemm/product-inl.h"
#include "tern/kernels/linalg/cholesky-inl.h"
#include "tern/kernels/linalg/gram_schmidt-inl.h"
#include "tern/kernels/linalg/transpose-inl.h"
#include "tern/kernels/linalg/triangle-inl.h"

// Without the target's attributes, of which clang warns where there is no function.
namespace tern::kernels::TERN_TARGET_NAME {
namespace {

template <typename T>
constexpr LinalgKernels<T> kLinalg = {
    .product = ProductOf<T>,
    .direct_product = DirectProduct<T>,
    .gram_schmidt = GramSchmidt<T>,
    .cholesky = CholeskyBlock<T>,
    .small_cholesky = SmallCholesky<T>,
    .solve = SolveBlock<T>,
    .transpose = Transpose<T>,
    .all_finite = FiniteElements<T>,
    .all_close = AllClose<T>,
};

}  // namespace
}  // namespace tern::kernels::TERN_TARGET_NAME
