// SPDX-License-Identifier: MIT
#define TERN_TARGET_NAME sse41
#define TERN_HWY_TARGET HWY_SSE4
// clang-format off
#include "tern/kernels/targets/begin-inl.h"
#include "tern/kernels/ternary/sse41-inl.h"
#include "tern/kernels/targets/end-inl.h"
// clang-format on
