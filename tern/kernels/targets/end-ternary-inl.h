// SPDX-License-Identifier: MIT
// Last include of the source file of a TERN_TERNARY_TARGET (targets.inc): its ternary kernels,
// which the file has included before.
#pragma once

#define TERN_TERNARY_NAME_(name) kTernary_##name
#define TERN_TERNARY_NAME(name) TERN_TERNARY_NAME_(name)

namespace tern::kernels {
extern const TernaryKernels TERN_TERNARY_NAME(TERN_TARGET_NAME);
const TernaryKernels TERN_TERNARY_NAME(TERN_TARGET_NAME) = TERN_TARGET_NAME::kTernary;
}  // namespace tern::kernels
