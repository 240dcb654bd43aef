// SPDX-License-Identifier: MIT
// Last include of a vector target's source file: the float families, which are the same source for
// every target, and the target's table. The file has included its ternary kernels before.
#pragma once

#include "tern/kernels/adamw/adamw-inl.h"
#include "tern/kernels/attention/attention-inl.h"
#include "tern/kernels/elementwise/elementwise-inl.h"
#include "tern/kernels/gemm/gemm-inl.h"
#include "tern/kernels/linalg/linalg-inl.h"
#include "tern/kernels/mlp/mlp-inl.h"
#include "tern/kernels/norm/norm-inl.h"
#include "tern/kernels/reduce/reduce-inl.h"
#include "tern/kernels/rope/rope-inl.h"
#include "tern/kernels/softmax/softmax-inl.h"
#include "tern/kernels/svd/svd-inl.h"

#define TERN_TABLE_NAME_(name) kTable_##name
#define TERN_TABLE_NAME(name) TERN_TABLE_NAME_(name)
#define TERN_STRING_(name) #name
#define TERN_STRING(name) TERN_STRING_(name)

namespace tern::kernels {
extern const KernelTable TERN_TABLE_NAME(TERN_TARGET_NAME);
const KernelTable TERN_TABLE_NAME(TERN_TARGET_NAME) = {
    .target = TERN_STRING(TERN_TARGET_NAME),
    .adamw = TERN_TARGET_NAME::kAdamW,
    .attention = TERN_TARGET_NAME::kAttention,
    .elementwise = TERN_TARGET_NAME::kElementwise,
    .gemm = TERN_TARGET_NAME::kGemm,
    .linalg_f32 = TERN_TARGET_NAME::kLinalg<float>,
    .linalg_f64 = TERN_TARGET_NAME::kLinalg<double>,
    .mlp = TERN_TARGET_NAME::kMlp,
    .norm = TERN_TARGET_NAME::kNorm,
    .reduce = TERN_TARGET_NAME::kReduce,
    .rope = TERN_TARGET_NAME::kRope,
    .softmax = TERN_TARGET_NAME::kSoftmax,
    .svd_f32 = TERN_TARGET_NAME::kSvd<float>,
    .svd_f64 = TERN_TARGET_NAME::kSvd<double>,
    .ternary = TERN_TARGET_NAME::kTernary,
};
}  // namespace tern::kernels
