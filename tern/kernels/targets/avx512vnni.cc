// SPDX-License-Identifier: MIT
#define TERN_TARGET_NAME avx512vnni
#define TERN_HWY_TARGET HWY_AVX3
#define TERN_ATTRIBUTES ",avx512vnni"
// clang-format off
#include "tern/kernels/targets/begin-inl.h"
#include "tern/kernels/ternary/avx512vnni-inl.h"
#include "tern/kernels/targets/end-inl.h"
// clang-format on
