// SPDX-License-Identifier: MIT
// rope.h: the loops that every target compiles for itself. Each element is computed alone, so the
// bits are the same.
#pragma once

#include "tern/kernels/rope/rope.h"

namespace tern::kernels::reference {

template <typename T>
[[gnu::always_inline]] inline void RotateHalves(const T* __restrict x, const T* __restrict cos,
                                                const T* __restrict sin, T* __restrict y,
                                                int64_t half, T sign) noexcept {
  for (int64_t i = 0; i < half; ++i) {
    const T turn = sign * sin[i];
    y[i] = x[i] * cos[i] - x[half + i] * turn;
    y[half + i] = x[half + i] * cos[i] + x[i] * turn;
  }
}

template <typename T>
[[gnu::always_inline]] inline void Rotate(const T* x, int64_t head_stride, const T* cos,
                                          const T* sin, T* y, int64_t heads, int64_t half,
                                          bool inverse) noexcept {
  for (int64_t h = 0; h < heads; ++h) {
    RotateHalves(x + h * head_stride, cos, sin, y + h * 2 * half, half, inverse ? T(-1) : T(1));
  }
}

template <typename T>
inline constexpr RopeKernels<T> kRope = {.rotate = Rotate<T>};

}  // namespace tern::kernels::reference
