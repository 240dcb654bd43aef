// SPDX-License-Identifier: MIT
// How the CPU backend runs ops: for each line of cpu_ops.inc one function that tells whether it
// takes a call's dtypes and strides, and one that computes. A family of ops is one source file.
#pragma once

#include <initializer_list>
#include <span>

#include "tern/base/thread_pool.h"
#include "tern/core/backend.h"
#include "tern/kernels/kernel_table.h"

namespace tern::cpu {

// What an op may use.
struct Env {
  const kernels::KernelTable& kernels;
  ThreadPool& threads;
  MemoryPool& pool;  // for workspaces, MemoryTag::kWorkspace
};

// Whether the operands have these dtypes, in order, and are contiguous; one may be undefined.
bool AreContiguous(std::span<const Tensor* const> operands, std::initializer_list<DType> dtypes);

// Calls run(T()) with the T of an op's f32 or f64 output.
template <typename F>
void WithFloat(const OpCall& call, F run) {
  if (call.out(0).dtype() == DType::kF64) return run(double());
  run(float());
}

#define TERN_CPU_OP(op, supports)    \
  bool supports(const OpCall& call); \
  void Run##op(const Env& env, const OpCall& call);
#include "tern/backends/cpu/cpu_ops.inc"
#undef TERN_CPU_OP

}  // namespace tern::cpu
