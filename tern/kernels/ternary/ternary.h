// SPDX-License-Identifier: MIT
#pragma once
namespace tern::kernels {
struct TernaryKernels {};
}  // namespace tern::kernels
