// SPDX-License-Identifier: MIT
#include "tern/linalg/batch.h"

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/error.h"

namespace tern::linalg {
Env EnvOf(Context& ctx, const Operand& a) {
  auto* const cpu = dynamic_cast<CpuBackend*>(&ctx.backend(a.tensor.device()));
  if (cpu == nullptr) {
    Fail(ErrorKind::kUnsupported, "{}: {} is on {}; linear algebra runs on the CPU", a.function,
         a.name, DeviceName(a.tensor.device()));
  }
  return {cpu->kernels(), ctx.threads(), cpu->pool()};
}

void RequireMatrices(const Operand& a) {
  const Tensor& t = a.tensor;
  if (!t.defined()) Fail(ErrorKind::kInvalidArgument, "{}: {} is undefined", a.function, a.name);
  if (t.link().tape != nullptr) {
    Fail(ErrorKind::kInvalidArgument,
         "{}: {} is recorded on a tape, but has no gradient here; hand in its Detached()",
         a.function, a.name);
  }
  if (t.dtype() != DType::kF32 && t.dtype() != DType::kF64) {
    Fail(ErrorKind::kInvalidArgument, "{}: {} is {}; it takes f32 and f64", a.function, a.name,
         DTypeName(t.dtype()));
  }
  if (t.rank() < 2) {
    Fail(ErrorKind::kInvalidArgument, "{}: {} has shape {}; a matrix has at least two axes",
         a.function, a.name, t.shape().ToString());
  }
  if (t.elements() == 0) {
    Fail(ErrorKind::kInvalidArgument, "{}: {} of shape {} is empty", a.function, a.name,
         t.shape().ToString());
  }
}

void RequireSquareMatrices(const Operand& a) {
  RequireMatrices(a);
  const std::span<const int64_t> dims = a.tensor.shape().dims();
  if (dims[dims.size() - 1] != dims[dims.size() - 2]) {
    Fail(ErrorKind::kInvalidArgument, "{}: {} of shape {} is not square", a.function, a.name,
         a.tensor.shape().ToString());
  }
}

void RequireRightSide(const Operand& a, const Operand& b, int64_t rows) {
  RequireMatrices(b);
  if (b.tensor.dtype() != a.tensor.dtype()) {
    Fail(ErrorKind::kInvalidArgument, "{}: {} is {}, but {} is {}", a.function, b.name,
         DTypeName(b.tensor.dtype()), a.name, DTypeName(a.tensor.dtype()));
  }
  if (LeadingShape(b.tensor) != LeadingShape(a.tensor) || b.tensor.dim(-2) != rows) {
    Fail(ErrorKind::kInvalidArgument, "{}: {} of shape {} does not fit {} of shape {}", a.function,
         b.name, b.tensor.shape().ToString(), a.name, a.tensor.shape().ToString());
  }
}

double RankTolerance(const Operand& a, double tolerance) {
  if (!(tolerance >= 0 && tolerance < 1)) {
    Fail(ErrorKind::kInvalidArgument, "{}: the tolerance is {}; it must be in [0, 1)", a.function,
         tolerance);
  }
  if (tolerance > 0) return tolerance;
  const double eps = a.tensor.dtype() == DType::kF64 ? std::numeric_limits<double>::epsilon()
                                                     : std::numeric_limits<float>::epsilon();
  return static_cast<double>(std::max(a.tensor.dim(-2), a.tensor.dim(-1))) * eps;
}

int64_t BatchCount(const Tensor& a) {
  const std::span<const int64_t> dims = a.shape().dims();
  return std::accumulate(dims.begin(), dims.end() - 2, int64_t{1}, std::multiplies<>());
}

Shape MatrixShape(const Tensor& a, int64_t rows, int64_t columns) {
  return a.shape().With(-2, rows).With(-1, columns);
}

Shape LeadingShape(const Tensor& a) { return a.shape().Without(-1).Without(-1); }

std::string MatrixName(const Operand& a, int64_t index) {
  std::string places;
  for (int axis = a.tensor.rank() - 3; axis >= 0; --axis) {
    const std::string place = std::to_string(index % a.tensor.dim(axis));
    places = places.empty() ? place : place + ", " + places;
    index /= a.tensor.dim(axis);
  }
  return places.empty() ? a.name : std::string(a.name) + "[" + places + "]";
}

template <typename T>
void CopyFinite(const Env& env, const Operand& a, int64_t index, Matrix<T> out) {
  const auto all_finite = env.linalg<T>().all_finite;
  const Matrix<const T> in = MatrixAt<T>(a.tensor, index);
  CopyMatrix<T>(in, out);
  const bool contiguous = in.column_stride == 1 && in.row_stride == in.columns;
  if (contiguous && all_finite(in.data, in.rows * in.columns)) return;
  for (int64_t i = 0; i < out.rows; ++i) {
    if (all_finite(out.Row(i), out.columns)) continue;
    int64_t j = 0;
    while (std::isfinite(out(i, j))) ++j;
    Fail(ErrorKind::kNumeric, "{}: {} is {} at row {}, column {}", a.function, MatrixName(a, index),
         out(i, j), i, j);
  }
}

template void CopyFinite<float>(const Env&, const Operand&, int64_t, Matrix<float>);
template void CopyFinite<double>(const Env&, const Operand&, int64_t, Matrix<double>);

void ForMatrices(const Env& env, int64_t count, FunctionRef<void(int64_t, int64_t)> body) {
  if (count < env.threads.threads()) {
    body(0, count);
  } else {
    env.threads.ParallelFor(count, 1, body);
  }
}

}  // namespace tern::linalg
