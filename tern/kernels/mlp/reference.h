// SPDX-License-Identifier: MIT
// mlp.h: the loops that every target compiles for itself. Each element is computed alone, so the
// bits are the same.
#pragma once

#include "tern/kernels/math/math.h"
#include "tern/kernels/mlp/mlp.h"

namespace tern::kernels::reference {

template <typename T>
[[gnu::always_inline]] inline void GatedRelu2(const T* __restrict gate, const T* __restrict up,
                                              T* __restrict y, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const T g = gate[i] < T(0) ? T(0) : gate[i];  // NaN stays
    y[i] = g * g * up[i];
  }
}

template <typename T>
[[gnu::always_inline]] inline void GatedSilu(const T* __restrict gate, const T* __restrict up,
                                             T* __restrict y, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = math::Silu(gate[i]) * up[i];
}

template <typename T>
[[gnu::always_inline]] inline void GatedRelu2Grad(const T* __restrict gate, const T* __restrict up,
                                                  const T* __restrict dy, T* __restrict dgate,
                                                  T* __restrict dup, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const T g = gate[i] > T(0) ? gate[i] : T(0);
    dgate[i] = dy[i] * up[i] * (g + g);
    dup[i] = dy[i] * (g * g);
  }
}

template <typename T>
[[gnu::always_inline]] inline void GatedSiluGrad(const T* __restrict gate, const T* __restrict up,
                                                 const T* __restrict dy, T* __restrict dgate,
                                                 T* __restrict dup, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const T s = math::Sigmoid(gate[i]);
    dgate[i] = dy[i] * up[i] * (s * (T(1) + gate[i] * (T(1) - s)));
    dup[i] = dy[i] * (gate[i] * s);
  }
}

template <typename T>
inline constexpr MlpKernels<T> kMlp = {
    .relu2 = GatedRelu2<T>,
    .silu = GatedSilu<T>,
    .relu2_grad = GatedRelu2Grad<T>,
    .silu_grad = GatedSiluGrad<T>,
};

}  // namespace tern::kernels::reference
