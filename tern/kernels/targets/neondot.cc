// SPDX-License-Identifier: MIT
#define TERN_TARGET_NAME neondot
#define TERN_HWY_TARGET HWY_NEON
#define TERN_ATTRIBUTES "arch=armv8.2-a+dotprod"
// clang-format off
#include "tern/kernels/targets/begin-inl.h"
#include "tern/kernels/ternary/neondot-inl.h"
#include "tern/kernels/targets/end-inl.h"
// clang-format on
