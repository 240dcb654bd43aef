// SPDX-License-Identifier: MIT
// First include of a vector target's source file, which defines before it
//   TERN_TARGET_NAME   the target's name (namespace)
//   TERN_HWY_TARGET    the Highway target whose vectors it uses
// Highway's functions are then compiled for that target by function attributes, in its own
// namespace, so no inline function of a shared header is ever compiled with these instructions.
#pragma once

#define HWY_DISABLE_PCLMUL_AES
#include <hwy/detect_targets.h>
#if defined(__aarch64__)
// NEON is part of the base architecture there. Highway's attribute would ask for the cryptography
// extension, which widespread CPUs lack.
#undef HWY_HAVE_RUNTIME_DISPATCH
#define HWY_HAVE_RUNTIME_DISPATCH 0
#endif
#undef HWY_TARGET
#define HWY_TARGET TERN_HWY_TARGET
#include <hwy/highway.h>

#include "tern/kernels/kernel_table.h"

#define TERN_BEGIN_TARGET      \
  HWY_BEFORE_NAMESPACE();      \
  namespace tern::kernels {    \
  namespace TERN_TARGET_NAME { \
  namespace {
#define TERN_END_TARGET \
  }                     \
  }                     \
  }                     \
  HWY_AFTER_NAMESPACE();
