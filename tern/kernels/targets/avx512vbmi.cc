// SPDX-License-Identifier: MIT
#define TERN_TARGET_NAME avx512vbmi
#define TERN_HWY_TARGET HWY_AVX3
#define TERN_ATTRIBUTES ",avx512vnni,avx512vbmi"
// clang-format off
#include "tern/kernels/targets/begin-inl.h"
#include "tern/kernels/ternary/avx512vbmi-inl.h"
#include "tern/kernels/targets/end-ternary-inl.h"
// clang-format on
