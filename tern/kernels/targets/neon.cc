// SPDX-License-Identifier: MIT
#define TERN_TARGET_NAME neon
#define TERN_HWY_TARGET HWY_NEON
// clang-format off
#include "tern/kernels/targets/begin-inl.h"
#include "tern/kernels/ternary/neon-inl.h"
#include "tern/kernels/targets/end-inl.h"
// clang-format on
