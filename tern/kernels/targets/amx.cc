// SPDX-License-Identifier: MIT
#define TERN_TARGET_NAME amx
#define TERN_HWY_TARGET HWY_AVX3
#define TERN_ATTRIBUTES ",avx512vnni,avx512vbmi,amx-tile,amx-int8"
// clang-format off
#include "tern/kernels/targets/begin-inl.h"
#include "tern/kernels/ternary/amx-inl.h"
#include "tern/kernels/targets/end-ternary-inl.h"
// clang-format on
