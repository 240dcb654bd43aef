// SPDX-License-Identifier: MIT
#define TERN_TARGET_NAME avxvnni
#define TERN_HWY_TARGET HWY_AVX2
#define TERN_ATTRIBUTES ",avxvnni"
// clang-format off
#include "tern/kernels/targets/begin-inl.h"
#include "tern/kernels/ternary/avxvnni-inl.h"
#include "tern/kernels/targets/end-ternary-inl.h"
// clang-format on
