// SPDX-License-Identifier: MIT
// For tests of the CPU backend: contexts, random tensors, equality of bits.
#pragma once

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/core/context.h"

namespace tern {

inline std::unique_ptr<Context> MakeContext(int threads, const char* target = "") {
  auto ctx = std::make_unique<Context>(ContextOptions{.threads = threads, .log = {}});
  ctx->AddBackend(std::make_unique<CpuBackend>(target));
  return ctx;
}

template <typename T>
Tensor Random(Context& ctx, const Shape& shape, std::mt19937& random) {
  std::normal_distribution<double> normal;
  Tensor t = ctx.Empty(shape, DTypeOf<T>());
  for (T& x : t.span<T>()) x = static_cast<T>(normal(random));
  return t;
}

inline void RunOp(Context& ctx, Op op, std::vector<const Tensor*> inputs, const Tensor& y,
                  const OpAttrs& attrs = {}) {
  const Tensor* outputs[] = {&y};
  ctx.Run({.op = op, .inputs = inputs, .outputs = outputs, .attrs = attrs});
}

inline bool SameBits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

// A copy in the pool of another context.
inline Tensor CopyTo(Context& ctx, const Tensor& a) {
  Tensor copy = ctx.Empty(a.shape(), a.dtype());
  std::memcpy(copy.raw(), a.raw(), a.bytes());
  return copy;
}

}  // namespace tern
