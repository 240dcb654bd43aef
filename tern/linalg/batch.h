// SPDX-License-Identifier: MIT
// What the routines of this room share: the surroundings that they compute in, their operands as
// batches of matrices, and the checks of what a user hands in.
//
// An operand is a tensor [..., m, n] of f32 or f64 with any strides, of at least one element; the
// axes before the last two count matrices. Threads take matrices of a batch; a lone large matrix
// is cut among them. Everything here throws tern::Error for what a user can cause.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "tern/base/function_ref.h"
#include "tern/base/thread_pool.h"
#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/kernels/kernel_table.h"
#include "tern/linalg/matrix.h"

namespace tern::linalg {

struct Env {
  const kernels::KernelTable& kernels;
  ThreadPool& threads;
  MemoryPool& pool;

  template <typename T>
  const kernels::LinalgKernels<T>& linalg() const {
    if constexpr (std::is_same_v<T, double>) {
      return kernels.linalg_f64;
    } else {
      return kernels.linalg_f32;
    }
  }
};

template <typename T>
const kernels::SvdKernels<T>& SvdKernelsOf(const Env& env) {
  if constexpr (std::is_same_v<T, double>) {
    return env.kernels.svd_f64;
  } else {
    return env.kernels.svd_f32;
  }
}

// Who asks, and what its operand is called: for messages.
struct Operand {
  const char* function;
  const char* name;
  const Tensor& tensor;
};

// Where `a` lives. Error(kUnsupported) unless that is the CPU backend.
Env EnvOf(Context& ctx, const Operand& a);

// f32 or f64, rank 2 or more, not empty, not linked to a tape (no gradient is recorded here).
void RequireMatrices(const Operand& a);
// Besides, as many rows as columns.
void RequireSquareMatrices(const Operand& a);
// Besides, b has a's dtype and leading axes, and `rows` rows: a right-hand side.
void RequireRightSide(const Operand& a, const Operand& b, int64_t rows);

// A tolerance of ranks relative to the largest: the given one in [0, 1), or max(m, n) eps for 0.
double RankTolerance(const Operand& a, double tolerance);

int64_t BatchCount(const Tensor& a);
// a's leading axes, then rows, columns.
Shape MatrixShape(const Tensor& a, int64_t rows, int64_t columns);
// a's leading axes.
Shape LeadingShape(const Tensor& a);
// "a", or "a[1, 0]" for a matrix of a batch.
std::string MatrixName(const Operand& a, int64_t index);

// Matrix `index` of the batch, in row-major order of the leading axes.
template <typename T>
Matrix<T> MatrixAt(const Tensor& a, int64_t index) {
  const std::span<const int64_t> dims = a.shape().dims();
  const Tensor::Strides& strides = a.strides();
  const size_t row_axis = dims.size() - 2;
  int64_t offset = 0;
  for (size_t axis = row_axis; index != 0;) {
    --axis;
    offset += index % dims[axis] * strides[axis];
    index /= dims[axis];
  }
  return {a.data<T>() + offset, dims[row_axis], dims[row_axis + 1], strides[row_axis],
          strides[row_axis + 1]};
}

// Copies matrix `index` of `a`; Error(kNumeric) that names the first NaN or infinity.
template <typename T>
void CopyFinite(const Env& env, const Operand& a, int64_t index, Matrix<T> out);

// Calls body(first, last) for ranges of a batch: on several threads unless there are fewer matrices
// than threads; a body may then itself use the threads. Ranges are long enough to share workspaces.
void ForMatrices(const Env& env, int64_t count, FunctionRef<void(int64_t, int64_t)> body);

// Calls run(T()) with the T of a tensor of f32 or f64.
template <typename F>
auto WithFloat(const Tensor& a, F run) {
  if (a.dtype() == DType::kF64) return run(double());
  return run(float());
}

}  // namespace tern::linalg
