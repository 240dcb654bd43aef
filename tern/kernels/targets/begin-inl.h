// SPDX-License-Identifier: MIT
// First include of a vector target's source file, which defines before it
//   TERN_TARGET_NAME   the target's name (namespace)
//   TERN_HWY_TARGET    the Highway target whose vectors it uses
//   TERN_ATTRIBUTES    (optional) what -m or -march would take to add instructions that Highway's
//                      target lacks, beginning with a comma if Highway's attributes come before
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

// Before a loop of at most 32 constant steps over an array that must live in registers.
#if HWY_COMPILER_CLANG
#define TERN_UNROLL HWY_PRAGMA(clang loop unroll(full))
#else
#define TERN_UNROLL HWY_PRAGMA(GCC unroll 32)
#endif

#if defined(TERN_ATTRIBUTES) && defined(HWY_TARGET_STR)
#define TERN_PUSH_ATTRIBUTES HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR TERN_ATTRIBUTES)
#define TERN_POP_ATTRIBUTES HWY_POP_ATTRIBUTES
#elif defined(TERN_ATTRIBUTES)
#define TERN_PUSH_ATTRIBUTES HWY_PUSH_ATTRIBUTES(TERN_ATTRIBUTES)
#define TERN_POP_ATTRIBUTES HWY_POP_ATTRIBUTES
#else
#define TERN_PUSH_ATTRIBUTES HWY_BEFORE_NAMESPACE();
#define TERN_POP_ATTRIBUTES HWY_AFTER_NAMESPACE();
#endif

#define TERN_BEGIN_TARGET      \
  TERN_PUSH_ATTRIBUTES         \
  namespace tern::kernels {    \
  namespace TERN_TARGET_NAME { \
  namespace {
#define TERN_END_TARGET \
  }                     \
  }                     \
  }                     \
  TERN_POP_ATTRIBUTES
