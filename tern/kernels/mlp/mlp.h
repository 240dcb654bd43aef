// SPDX-License-Identifier: MIT
// The gate of a gated MLP: y = activation(gate) * up, elementwise, and its gradient. Outputs do not
// overlap inputs.
#pragma once

#include <cstdint>

namespace tern::kernels {

template <typename T>
struct MlpKernels {
  using Forward = void (*)(const T* gate, const T* up, T* y, int64_t n) noexcept;
  using Backward = void (*)(const T* gate, const T* up, const T* dy, T* dgate, T* dup,
                            int64_t n) noexcept;
  Forward relu2;  // relu(gate)^2 * up
  Forward silu;   // gate / (1 + exp(-gate)) * up
  Backward relu2_grad;
  Backward silu_grad;
};

}  // namespace tern::kernels
