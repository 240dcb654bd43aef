// SPDX-License-Identifier: MIT
// Reductions.
#include <algorithm>
#include <atomic>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/backends/cpu/strided_loop.h"
#include "tern/kernels/elementwise/reference.h"
#include "tern/kernels/reduce/reference.h"

namespace tern::cpu {
namespace {

using kernels::Binary;
using kernels::BinaryFn;

bool IsDouble(const Tensor& t) { return t.dtype() == DType::kF64; }

template <typename T>
using RunFn = T (*)(const T* x, int64_t stride, int64_t n) noexcept;

// The reduced axis is the innermost one: each output is one run. Along any other axis the slices
// are combined one after the other, whole runs of the inner axes at a time.
template <typename T>
void ReduceAxis(const Env& env, const OpCall& call, RunFn<T> run, BinaryFn<T> combine) {
  const Tensor& a = call.in(0);
  const Tensor& y = call.out(0);
  const int axis = a.shape().NormalizeAxis(call.as<AxisAttrs>().axis);
  const int64_t extent = a.dim(axis);
  const int64_t stride = a.stride(axis);
  const Tensor first = a.Detached().Sliced(axis, 0, 1);
  const StridedLoop loop({&first, &y});
  const T* from = a.data<T>();
  T* to = y.data<T>();
  int64_t inner = 1;
  for (int i = axis + 1; i < a.rank(); ++i) inner *= a.dim(i);
  const int64_t a_run = loop.run_stride(0);
  const int64_t y_run = loop.run_stride(1);
  env.threads.ParallelFor(y.elements(), GrainRows(extent), [&](int64_t begin, int64_t end) {
    loop.For(begin, end, [&](const int64_t* at, int64_t n) {
      const T* x = from + at[0];
      T* out = to + at[1];
      if (inner == 1) {
        for (int64_t i = 0; i < n; ++i) out[i * y_run] = run(x + i * a_run, stride, extent);
        return;
      }
      for (int64_t i = 0; i < n; ++i) out[i * y_run] = x[i * a_run] + T(0);
      for (int64_t j = 1; j < extent; ++j) {
        combine(out, y_run, x + j * stride, a_run, out, y_run, n);
      }
    });
  });
}

// Elements of one part of a sum, whatever the number of threads.
constexpr int64_t kChunk = 1 << 16;

template <typename T>
double SumSquares(const Env& env, const Tensor& a, const kernels::ReduceKernels<T>& kernels) {
  const int64_t count = a.elements();
  const int64_t chunks = (count + kChunk - 1) / kChunk;
  const T* x = a.data<T>();
  const Workspace workspace(env.pool, static_cast<size_t>(chunks) * sizeof(double));
  double* parts = workspace.As<double>();
  env.threads.ParallelFor(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      parts[c] = kernels.sum_squares(x + c * kChunk, std::min(kChunk, count - c * kChunk));
    }
  });
  double sum = 0;
  for (int64_t c = 0; c < chunks; ++c) sum += parts[c];
  return sum;
}

template <typename T>
bool AllFinite(const Env& env, const Tensor& a, const kernels::ReduceKernels<T>& kernels) {
  const T* x = a.data<T>();
  std::atomic<bool> finite = true;
  env.threads.ParallelFor(a.elements(), kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kChunk) {
      if (!kernels.all_finite(x + i, std::min(kChunk, end - i))) finite = false;
    }
  });
  return finite;
}

bool SupportsWhole(const OpCall& call, DType result) {
  const Tensor& a = call.in(0);
  return (a.dtype() == DType::kF32 || a.dtype() == DType::kF64) && a.is_contiguous() &&
         call.out(0).dtype() == result && call.out(0).elements() == 1;
}

}  // namespace

bool SupportsReduceAxis(const OpCall& call) {
  const Tensor& a = call.in(0);
  const Tensor& y = call.out(0);
  return a.dtype() == y.dtype() && (a.dtype() == DType::kF32 || a.dtype() == DType::kF64) &&
         a.rank() > 0 && a.dim(call.as<AxisAttrs>().axis) > 0 &&
         y.shape() == a.shape().With(call.as<AxisAttrs>().axis, 1);
}

void RunSumAxis(const Env& env, const OpCall& call) {
  if (IsDouble(call.in(0))) {
    ReduceAxis<double>(env, call, kernels::reference::SumRun,
                       kernels::reference::BinaryLoop<kernels::functions::Add, double>);
  } else {
    ReduceAxis<float>(env, call, env.kernels.reduce.sum, env.kernels.elementwise.of(Binary::kAdd));
  }
}

void RunMaxAxis(const Env& env, const OpCall& call) {
  if (IsDouble(call.in(0))) {
    ReduceAxis<double>(env, call, kernels::reference::MaxRun,
                       kernels::reference::BinaryLoop<kernels::functions::Max, double>);
  } else {
    ReduceAxis<float>(env, call, env.kernels.reduce.max, env.kernels.elementwise.of(Binary::kMax));
  }
}

bool SupportsSumSquares(const OpCall& call) { return SupportsWhole(call, DType::kF64); }

void RunSumSquares(const Env& env, const OpCall& call) {
  const Tensor& a = call.in(0);
  *call.out(0).data<double>() = IsDouble(a)
                                    ? SumSquares(env, a, kernels::reference::kReduce<double>)
                                    : SumSquares(env, a, env.kernels.reduce);
}

bool SupportsAllFinite(const OpCall& call) { return SupportsWhole(call, DType::kI32); }

void RunAllFinite(const Env& env, const OpCall& call) {
  const Tensor& a = call.in(0);
  *call.out(0).data<int32_t>() = IsDouble(a)
                                     ? AllFinite(env, a, kernels::reference::kReduce<double>)
                                     : AllFinite(env, a, env.kernels.reduce);
}

}  // namespace tern::cpu
