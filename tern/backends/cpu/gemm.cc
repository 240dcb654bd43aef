// SPDX-License-Identifier: MIT
// Matrix products.
#include "tern/backends/cpu/cpu_op.h"

namespace tern::cpu {

bool SupportsLinear(const OpCall& call) {
  for (const Tensor* operand : call.inputs) {
    if (operand->defined() && (operand->dtype() != DType::kF32 || !operand->is_contiguous())) {
      return false;
    }
  }
  return call.out(0).dtype() == DType::kF32 && !call.has(2);
}

void RunLinear(const Env& env, const OpCall& call) {
  const Tensor& x = call.in(0);
  const Tensor& w = call.in(1);
  const Tensor& y = call.out(0);
  const int64_t n = w.dim(0);
  const int64_t k = w.dim(1);
  env.threads.ParallelFor(x.dim(0), 1, [&](int64_t begin, int64_t end) {
    env.kernels.gemm.dot_rows(x.data<float>() + begin * k, k, w.data<float>(), k,
                              y.data<float>() + begin * n, n, end - begin, n, k);
  });
}

}  // namespace tern::cpu
