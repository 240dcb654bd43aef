// SPDX-License-Identifier: MIT
#define TERN_TARGET_NAME neoni8mm
#define TERN_HWY_TARGET HWY_NEON
#define TERN_ATTRIBUTES "arch=armv8.2-a+dotprod+i8mm"
// clang-format off
#include "tern/kernels/targets/begin-inl.h"
#include "tern/kernels/ternary/neoni8mm-inl.h"
#include "tern/kernels/targets/end-ternary-inl.h"
// clang-format on
