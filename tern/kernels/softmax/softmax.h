// SPDX-License-Identifier: MIT
// Softmax of a row and the losses over it, in canonical float, in two passes: the maximum, then
// e = exp(x - maximum) and its sum. A NaN anywhere, or infinity as the maximum, gives NaN.
#pragma once

#include <cstdint>

namespace tern::kernels {

template <typename T>
struct SoftmaxKernels {
  // y = e / sum. y may be x.
  void (*softmax)(const T* x, T* y, int64_t n) noexcept;
  // dx = y * (dy - sum of y * dy). dx may be y or dy.
  void (*softmax_grad)(const T* y, const T* dy, T* dx, int64_t n) noexcept;
  // -log softmax(x)[target] = log(sum) - (x[target] - maximum); 0 <= target < n.
  T (*cross_entropy)(const T* x, int64_t target, int64_t n) noexcept;
  // dx = (softmax(x) - onehot(target)) * dloss. dx may be x.
  void (*cross_entropy_grad)(const T* x, int64_t target, T dloss, T* dx, int64_t n) noexcept;
};

}  // namespace tern::kernels
