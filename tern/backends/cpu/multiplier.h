// SPDX-License-Identifier: MIT
// Matrix products for gradients in the calling thread, of any size, with a workspace of their own:
// kernels/gemm/gemm.h `product`, or its reference for f64. A BLAS would serve as well, but Debian's
// serial OpenBLAS hands one buffer to two threads that call it at once, and the threaded builds
// start threads beside those of the context.
#pragma once

#include <algorithm>
#include <type_traits>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/core/memory_pool.h"
#include "tern/kernels/gemm/reference.h"

namespace tern::cpu {

using kernels::StridedMatrix;

template <typename T>
StridedMatrix<T> Transposed(const StridedMatrix<T>& a) {
  return {a.data, a.column_stride, a.row_stride};
}

template <typename T>
class Multiplier {
 public:
  explicit Multiplier(const Env& env)
      : kernels_(env.kernels), workspace_(env.pool, kernels::kProductWorkspace * sizeof(T)) {}

  struct Extents {
    int64_t m, n, k;
  };

  // out[m, n] = a[m, k] b[k, n], added to out if `accumulate`; rows of out contiguous.
  void Run(StridedMatrix<T> a, StridedMatrix<T> b, T* out, int64_t out_stride, Extents size,
           bool accumulate) const {
    constexpr int64_t kExtent = kernels::kMaxProductExtent;
    for (int64_t i = 0; i < size.m; i += kExtent) {
      for (int64_t j = 0; j < size.n; j += kExtent) {
        RunTile({a.data + i * a.row_stride, a.row_stride, a.column_stride},
                {b.data + j * b.column_stride, b.row_stride, b.column_stride},
                out + i * out_stride + j, out_stride,
                {std::min(kExtent, size.m - i), std::min(kExtent, size.n - j), size.k}, accumulate);
      }
    }
  }

 private:
  void RunTile(StridedMatrix<T> a, StridedMatrix<T> b, T* out, int64_t out_stride, Extents size,
               bool accumulate) const {
    if constexpr (std::is_same_v<T, float>) {
      kernels_.gemm.product(a, b, out, out_stride, size.m, size.n, size.k, accumulate,
                            workspace_.template As<float>());
    } else {
      kernels::reference::Product<T>(a, b, out, out_stride, size.m, size.n, size.k, accumulate,
                                     nullptr);
    }
  }

  const kernels::KernelTable& kernels_;
  Workspace workspace_;
};

}  // namespace tern::cpu
