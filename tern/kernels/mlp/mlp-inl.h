// SPDX-License-Identifier: MIT
// mlp.h for vector targets.
#pragma once

#include "tern/kernels/mlp/reference.h"

TERN_BEGIN_TARGET

void GatedRelu2(const float* gate, const float* up, float* y, int64_t n) noexcept {
  reference::GatedRelu2(gate, up, y, n);
}

void GatedSilu(const float* gate, const float* up, float* y, int64_t n) noexcept {
  reference::GatedSilu(gate, up, y, n);
}

void GatedRelu2Grad(const float* gate, const float* up, const float* dy, float* dgate, float* dup,
                    int64_t n) noexcept {
  reference::GatedRelu2Grad(gate, up, dy, dgate, dup, n);
}

void GatedSiluGrad(const float* gate, const float* up, const float* dy, float* dgate, float* dup,
                   int64_t n) noexcept {
  reference::GatedSiluGrad(gate, up, dy, dgate, dup, n);
}

constexpr MlpKernels<float> kMlp = {
    .relu2 = GatedRelu2,
    .silu = GatedSilu,
    .relu2_grad = GatedRelu2Grad,
    .silu_grad = GatedSiluGrad,
};

TERN_END_TARGET
