// SPDX-License-Identifier: MIT
#pragma once

TERN_BEGIN_TARGET

constexpr TernaryKernels kTernary = {};

TERN_END_TARGET
