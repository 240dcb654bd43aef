// SPDX-License-Identifier: MIT
// Ops on rows: norms, softmax, losses, gather and scatter. Rows are independent, so that threads
// share them out; what adds up over rows does so in an order that the shape alone decides.
#include <algorithm>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/backends/cpu/strided_loop.h"
#include "tern/base/error.h"
#include "tern/kernels/elementwise/reference.h"
#include "tern/kernels/norm/reference.h"
#include "tern/kernels/softmax/reference.h"

namespace tern::cpu {
namespace {

using kernels::NormKernels;
using kernels::SoftmaxKernels;
using kernels::reference::kNorm;
using kernels::reference::kSoftmax;

bool IsDouble(const OpCall& call) { return call.out(0).dtype() == DType::kF64; }

// Of a tensor [..., n].
struct Rows {
  int64_t count;
  int64_t n;
};

Rows RowsOf(const Tensor& t) {
  const int64_t n = t.rank() == 0 ? 1 : t.dim(-1);
  return {n == 0 ? 0 : t.elements() / n, n};
}

template <typename F>
void ForRows(const Env& env, Rows rows, F body) {
  env.threads.ParallelFor(rows.count, GrainRows(rows.n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) body(r);
  });
}

template <typename T>
void RmsNorm(const Env& env, const OpCall& call, const NormKernels<T>& kernels) {
  const Rows rows = RowsOf(call.in(0));
  const T* x = call.in(0).data<T>();
  const T* w = call.in(1).data<T>();
  T* y = call.out(0).data<T>();
  const T eps = static_cast<T>(call.as<NormAttrs>().eps);
  ForRows(env, rows,
          [&](int64_t r) { kernels.rms_norm(x + r * rows.n, w, eps, y + r * rows.n, rows.n); });
}

// dw is summed in blocks of rows, whose number depends on the shape alone, and then over blocks.
template <typename T>
void RmsNormGrad(const Env& env, const OpCall& call, const NormKernels<T>& kernels) {
  constexpr int64_t kMaxBlocks = 64;
  const Rows rows = RowsOf(call.in(0));
  const T* x = call.in(0).data<T>();
  const T* w = call.in(1).data<T>();
  const T* dy = call.in(2).data<T>();
  T* dx = call.out(0).data<T>();
  T* dw = call.out(1).data<T>();
  const T eps = static_cast<T>(call.as<NormAttrs>().eps);
  const int64_t n = rows.n;
  const int64_t block_rows = std::max(GrainRows(n), (rows.count + kMaxBlocks - 1) / kMaxBlocks);
  const int64_t blocks = (rows.count + block_rows - 1) / block_rows;
  const Workspace workspace(env.pool, static_cast<size_t>(blocks * n) * sizeof(T));
  T* parts = workspace.As<T>();
  env.threads.ParallelFor(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      std::fill_n(parts + b * n, n, T(0));
      for (int64_t r = b * block_rows; r < std::min((b + 1) * block_rows, rows.count); ++r) {
        kernels.rms_norm_grad(x + r * n, w, dy + r * n, eps, dx + r * n, parts + b * n, n);
      }
    }
  });
  std::fill_n(dw, n, T(0));
  for (int64_t b = 0; b < blocks; ++b) {
    for (int64_t i = 0; i < n; ++i) dw[i] += parts[b * n + i];
  }
}

template <typename T>
void Softmax(const Env& env, const OpCall& call, const SoftmaxKernels<T>& kernels) {
  const Rows rows = RowsOf(call.in(0));
  const T* x = call.in(0).data<T>();
  T* y = call.out(0).data<T>();
  ForRows(env, rows, [&](int64_t r) { kernels.softmax(x + r * rows.n, y + r * rows.n, rows.n); });
}

template <typename T>
void SoftmaxGrad(const Env& env, const OpCall& call, const SoftmaxKernels<T>& kernels) {
  const Rows rows = RowsOf(call.in(0));
  const T* y = call.in(0).data<T>();
  const T* dy = call.in(1).data<T>();
  T* dx = call.out(0).data<T>();
  ForRows(env, rows, [&](int64_t r) {
    const int64_t at = r * rows.n;
    kernels.softmax_grad(y + at, dy + at, dx + at, rows.n);
  });
}

// Error unless every id is in [0, limit), or is `ignored`.
void CheckIds(const OpCall& call, const Tensor& ids, int64_t limit, int64_t ignored) {
  const std::span<const int32_t> values = ids.span<int32_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    if ((values[i] < 0 || values[i] >= limit) && values[i] != ignored) {
      Fail(ErrorKind::kInvalidArgument, "{}: id {} at position {} is not in [0, {})",
           OpName(call.op), values[i], i, limit);
    }
  }
}

// No id.
constexpr int64_t kNothingIgnored = int64_t{1} << 40;

template <typename T>
void CrossEntropy(const Env& env, const OpCall& call, const SoftmaxKernels<T>& kernels) {
  const Rows rows = RowsOf(call.in(0));
  const auto& attrs = call.as<LossAttrs>();
  const T* x = call.in(0).data<T>();
  const int32_t* targets = call.in(1).data<int32_t>();
  T* loss = call.out(0).data<T>();
  ForRows(env, rows, [&](int64_t r) {
    loss[r] = targets[r] == attrs.ignore_index
                  ? T(0)
                  : kernels.cross_entropy(x + r * rows.n, targets[r], rows.n);
  });
}

template <typename T>
void CrossEntropyGrad(const Env& env, const OpCall& call, const SoftmaxKernels<T>& kernels) {
  const Rows rows = RowsOf(call.in(0));
  const auto& attrs = call.as<LossAttrs>();
  const T* x = call.in(0).data<T>();
  const int32_t* targets = call.in(1).data<int32_t>();
  const T* dloss = call.in(2).data<T>();
  T* dx = call.out(0).data<T>();
  ForRows(env, rows, [&](int64_t r) {
    if (targets[r] == attrs.ignore_index) {
      std::fill_n(dx + r * rows.n, rows.n, T(0));
    } else {
      kernels.cross_entropy_grad(x + r * rows.n, targets[r], dloss[r] * static_cast<T>(attrs.scale),
                                 dx + r * rows.n, rows.n);
    }
  });
}

// In order of n; threads share out the columns.
template <typename T>
void ScatterAdd(const Env& env, const OpCall& call, kernels::BinaryFn<T> add) {
  constexpr int64_t kGrainColumns = 64;
  const Tensor& dy = call.in(0);
  const std::span<const int32_t> ids = call.in(1).span<int32_t>();
  const int64_t d = call.out(0).dim(1);
  const T* from = dy.data<T>();
  T* table = call.out(0).data<T>();
  const int64_t grain = dy.elements() < kGrainElements ? d + 1 : kGrainColumns;
  env.threads.ParallelFor(d, grain, [&](int64_t begin, int64_t end) {
    for (size_t i = 0; i < ids.size(); ++i) {
      T* to = table + ids[i] * d + begin;
      add(to, 1, from + static_cast<int64_t>(i) * d + begin, 1, to, 1, end - begin);
    }
  });
}

// All contiguous; T are f32 or f64 alike, and ids i32.
bool RowOperands(const OpCall& call, int ids) {
  const DType dtype = call.out(0).dtype();
  if (dtype != DType::kF32 && dtype != DType::kF64) return false;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const DType wanted = static_cast<int>(i) == ids ? DType::kI32 : dtype;
    if (call.in(i).dtype() != wanted || !call.in(i).is_contiguous()) return false;
  }
  return std::all_of(call.outputs.begin(), call.outputs.end(), [&](const Tensor* out) {
    return out->dtype() == dtype && out->is_contiguous();
  });
}

}  // namespace

bool SupportsRows(const OpCall& call) { return RowOperands(call, -1); }

bool SupportsRowsWithIds(const OpCall& call) { return RowOperands(call, 1); }

bool SupportsGather(const OpCall& call) {
  const DType table = call.in(0).dtype();
  const DType y = call.out(0).dtype();
  return IsFloat(table) && y == (table == DType::kF64 ? DType::kF64 : DType::kF32) &&
         call.in(1).dtype() == DType::kI32 && call.in(0).is_contiguous() &&
         call.in(1).is_contiguous() && call.out(0).is_contiguous();
}

void RunRmsNorm(const Env& env, const OpCall& call) {
  IsDouble(call) ? RmsNorm(env, call, kNorm<double>) : RmsNorm(env, call, env.kernels.norm);
}

void RunRmsNormGrad(const Env& env, const OpCall& call) {
  IsDouble(call) ? RmsNormGrad(env, call, kNorm<double>) : RmsNormGrad(env, call, env.kernels.norm);
}

void RunSoftmax(const Env& env, const OpCall& call) {
  IsDouble(call) ? Softmax(env, call, kSoftmax<double>) : Softmax(env, call, env.kernels.softmax);
}

void RunSoftmaxGrad(const Env& env, const OpCall& call) {
  IsDouble(call) ? SoftmaxGrad(env, call, kSoftmax<double>)
                 : SoftmaxGrad(env, call, env.kernels.softmax);
}

void RunCrossEntropy(const Env& env, const OpCall& call) {
  CheckIds(call, call.in(1), call.in(0).dim(-1), call.as<LossAttrs>().ignore_index);
  IsDouble(call) ? CrossEntropy(env, call, kSoftmax<double>)
                 : CrossEntropy(env, call, env.kernels.softmax);
}

void RunCrossEntropyGrad(const Env& env, const OpCall& call) {
  CheckIds(call, call.in(1), call.in(0).dim(-1), call.as<LossAttrs>().ignore_index);
  IsDouble(call) ? CrossEntropyGrad(env, call, kSoftmax<double>)
                 : CrossEntropyGrad(env, call, env.kernels.softmax);
}

void RunGather(const Env& env, const OpCall& call) {
  const Tensor& table = call.in(0);
  const Tensor& y = call.out(0);
  CheckIds(call, call.in(1), table.dim(0), kNothingIgnored);
  const std::span<const int32_t> ids = call.in(1).span<int32_t>();
  const int64_t d = table.dim(1);
  const kernels::CopyFn copy =
      env.kernels.elementwise
          .copy[static_cast<size_t>(table.dtype())][static_cast<size_t>(y.dtype())];
  const int64_t from_bytes = d * static_cast<int64_t>(ElementBytes(table.dtype()));
  const int64_t to_bytes = d * static_cast<int64_t>(ElementBytes(y.dtype()));
  ForRows(env, {static_cast<int64_t>(ids.size()), d}, [&](int64_t i) {
    copy(static_cast<const std::byte*>(table.raw()) + ids[static_cast<size_t>(i)] * from_bytes, 1,
         static_cast<std::byte*>(y.raw()) + i * to_bytes, 1, d);
  });
}

void RunScatterAdd(const Env& env, const OpCall& call) {
  CheckIds(call, call.in(1), call.out(0).dim(0), kNothingIgnored);
  constexpr auto kAdd = static_cast<size_t>(kernels::Binary::kAdd);
  IsDouble(call) ? ScatterAdd(env, call, kernels::reference::kBinary<double>[kAdd])
                 : ScatterAdd(env, call, env.kernels.elementwise.binary[kAdd]);
}

}  // namespace tern::cpu
