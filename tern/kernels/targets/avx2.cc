// SPDX-License-Identifier: MIT
#define TERN_TARGET_NAME avx2
#define TERN_HWY_TARGET HWY_AVX2
// clang-format off
#include "tern/kernels/targets/begin-inl.h"
#include "tern/kernels/ternary/avx2-inl.h"
#include "tern/kernels/targets/end-inl.h"
// clang-format on
