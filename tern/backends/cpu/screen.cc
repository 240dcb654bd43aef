// SPDX-License-Identifier: MIT
// ScreenedLinear: products with all rows of w in 8 bits, a bound on how far each can be from the
// exact one, and the exact product for the rows that the bounds leave. For x and a row w,
//
//   w = step (code - 128) + e,   x = q0 / s0 + q1 / s1 + d     (q: int8 rows)
//   x . w = step (q0 . c / s0 + q1 . c / s1) + d . (w - e) + x . e
//
// and by Cauchy and Schwarz the last two are at most |d| |w - e| + |x| |e|. Rounding within Linear,
// a sum of k products in 16 lanes and a tree, adds (k / 16 + 6) 2^-24 |x| |w| at most.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/base/float16.h"
#include "tern/pack/ternary_layout.h"

namespace tern::cpu {
namespace {

// What is neglected: second-order terms, and rounding of the bounds themselves, upwards.
constexpr double kSlack = 1.001;
constexpr double kTiny = 1e-37;  // beyond sums of products that are too small for float
constexpr int64_t kPlanes = 2;
constexpr int64_t kRowsAtOnce = 16;

double Norm(double sum_of_squares) { return std::sqrt(sum_of_squares); }

// Rows of w as floats, out of place unless they are f32.
class FloatRows {
 public:
  FloatRows(const Env& env, const Tensor& w)
      : env_(env), w_(w), wide_(env.pool, static_cast<size_t>(w.dim(1)) * sizeof(float)) {}

  const float* Row(int64_t j) {
    const int64_t k = w_.dim(1);
    if (w_.dtype() == DType::kF32) return w_.data<float>() + j * k;
    const auto widen =
        w_.dtype() == DType::kBF16 ? env_.kernels.gemm.widen_bf16 : env_.kernels.gemm.widen_f16;
    widen(w_.data<uint16_t>() + j * k, wide_.As<float>(), k);
    return wide_.As<float>();
  }

 private:
  const Env& env_;
  const Tensor& w_;
  Workspace wide_;
};

// 1 / step, |w - e| and |e| with Linear's rounding, of a row with its int8 values. In units of step
// the codes are whole numbers, and e is half a unit at most. There it is w / step - code, of which
// the quotient is rounded, by 2^-24 |w| at most, and the difference is not.
void MeasureRow(const float* w, const int8_t* q, float scale, int64_t k, float* row) {
  constexpr double kUnderflow = 1e-16;  // of the norm of 65,536 elements whose squares vanished
  constexpr int kLanes = 16;            // sums side by side, which become vectors
  int32_t code_sums[kLanes] = {};
  float error_sums[kLanes] = {};
  const auto add = [&](int64_t t, int lane) {
    const float error = w[t] * scale - static_cast<float>(q[t]);
    code_sums[lane] += q[t] * q[t];
    error_sums[lane] += error * error;
  };
  int64_t t = 0;
  for (; t + kLanes <= k; t += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) add(t + lane, lane);
  }
  for (; t < k; ++t) add(t, 0);
  const double step = 1.0 / scale;
  const double coded = Norm(std::accumulate(code_sums, code_sums + kLanes, 0.0)) * step;
  const double error =
      (Norm(std::accumulate(error_sums, error_sums + kLanes, 0.0)) + kUnderflow) * step;
  const double rounding = (static_cast<double>(k) / 16 + 8) * 0x1p-24;
  row[0] = scale;
  row[1] = static_cast<float>(coded * kSlack);
  row[2] = static_cast<float>((error + rounding * (coded + error)) * kSlack);
}

// x in two int8 rows, the second for what the first leaves, and what both leave.
struct Planes {
  const int8_t* q;
  int64_t stride;
  double step[kPlanes];
  double norm;  // |x|
  double rest;  // |d|
};

Planes MakePlanes(const Env& env, const float* x, int64_t k, int64_t stride,
                  const Workspace& workspace) {
  int8_t* const q = workspace.As<int8_t>();
  float* const rest = reinterpret_cast<float*>(q + kPlanes * stride);
  float scale[kPlanes];
  int32_t sum;
  env.kernels.ternary.quantize_rows(x, k, 1, k, q, stride, scale, &sum);
  for (int64_t t = 0; t < k; ++t) rest[t] = x[t] - static_cast<float>(q[t]) / scale[0];
  env.kernels.ternary.quantize_rows(rest, k, 1, k, q + stride, stride, scale + 1, &sum);
  Planes planes = {q, stride, {1.0 / scale[0], 1.0 / scale[1]}, 0, 0};
  for (int64_t t = 0; t < k; ++t) {
    const double d = x[t] - q[t] * planes.step[0] - q[stride + t] * planes.step[1];
    planes.norm += static_cast<double>(x[t]) * x[t];
    planes.rest += d * d;
  }
  planes.norm = Norm(planes.norm) * kSlack;
  planes.rest = Norm(planes.rest) * kSlack;
  return planes;
}

// Between which an exact product lies.
struct Bounds {
  double low;
  double high;
};

void BoundRows(const Env& env, const OpCall& call, const Planes& x, int64_t begin, int64_t end,
               Bounds* bounds) {
  const Tensor& codes = call.in(2);
  const float* const rows = call.in(3).data<float>();
  const int64_t stride = codes.dim(1);
  for (int64_t j = begin; j < end; j += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, end - j);
    int32_t dots[kPlanes * kRowsAtOnce];
    env.kernels.gemm.dot_codes(x.q, x.stride, codes.data<uint8_t>() + j * stride, stride, dots,
                               kRowsAtOnce, count, stride);
    for (int64_t i = 0; i < count; ++i) {
      const float* const row = rows + 3 * (j + i);
      const double near = (dots[i] * x.step[0] + dots[kRowsAtOnce + i] * x.step[1]) / row[0];
      const double away = (x.rest * row[1] + x.norm * row[2]) * kSlack + kTiny;
      bounds[j + i] = {near - away, near + away};
    }
  }
}

// The top-th largest of the lower bounds; what is not a number counts as the least.
double TopLow(const Bounds* bounds, int64_t n, int64_t top, double* heap) {
  int64_t size = 0;
  for (int64_t j = 0; j < n; ++j) {
    const double low =
        bounds[j].low == bounds[j].low ? bounds[j].low : -std::numeric_limits<double>::infinity();
    if (size < top) {
      heap[size++] = low;
      std::push_heap(heap, heap + size, std::greater());
    } else if (low > heap[0]) {
      std::pop_heap(heap, heap + size, std::greater());
      heap[size - 1] = low;
      std::push_heap(heap, heap + size, std::greater());
    }
  }
  return heap[0];
}

// The exact products of rows begin .. end - 1.
void ExactRows(const Env& env, const OpCall& call, int64_t begin, int64_t end, FloatRows* wide) {
  const float* const x = call.in(0).data<float>();
  const Tensor& w = call.in(1);
  const int64_t k = w.dim(1);
  float* const y = call.out(0).data<float>();
  if (w.dtype() == DType::kBF16) {
    env.kernels.gemm.dot_bf16(x, w.data<uint16_t>() + begin * k, k, nullptr, y + begin, end - begin,
                              k);
    return;
  }
  for (int64_t j = begin; j < end; ++j) {
    env.kernels.gemm.dot_rows(x, k, wide->Row(j), k, nullptr, y + j, 1, 1, 1, k);
  }
}

bool IsFloatMatrix(const Tensor& w) {
  return w.is_contiguous() && IsFloat(w.dtype()) && w.dtype() != DType::kF64 &&
         w.dim(1) <= kernels::kMaxCodeColumns;
}

}  // namespace

bool SupportsPackScreen(const OpCall& call) {
  return IsFloatMatrix(call.in(0)) && AreContiguous(call.outputs, {DType::kU8, DType::kF32});
}

void RunPackScreen(const Env& env, const OpCall& call) {
  const Tensor& w = call.in(0);
  const int64_t k = w.dim(1);
  const int64_t stride = call.out(0).dim(1);
  uint8_t* const codes = call.out(0).data<uint8_t>();
  float* const rows = call.out(1).data<float>();
  env.threads.ParallelFor(w.dim(0), kRowsAtOnce, [&](int64_t begin, int64_t end) {
    FloatRows floats(env, w);
    const Workspace workspace(env.pool, static_cast<size_t>(stride));
    int8_t* const q = workspace.As<int8_t>();
    for (int64_t j = begin; j < end; ++j) {
      const float* const row = floats.Row(j);
      float scale;
      int32_t sum;
      env.kernels.ternary.quantize_rows(row, k, 1, k, q, stride, &scale, &sum);
      MeasureRow(row, q, scale, k, rows + 3 * j);
      for (int64_t t = 0; t < stride; ++t) {
        codes[j * stride + t] = static_cast<uint8_t>(q[t] + 128);
      }
    }
  });
}

bool SupportsScreenedLinear(const OpCall& call) {
  return IsFloatMatrix(call.in(1)) && call.in(0).dim(0) == 1 &&
         AreContiguous(call.inputs.first(1), {DType::kF32}) &&
         AreContiguous(call.inputs.subspan(2), {DType::kU8, DType::kF32}) &&
         AreContiguous(call.outputs, {DType::kF32});
}

void RunScreenedLinear(const Env& env, const OpCall& call) {
  const Tensor& codes = call.in(2);
  const int64_t n = codes.dim(0);
  const int64_t k = call.in(1).dim(1);
  const int64_t stride = codes.dim(1);
  const int64_t top = std::min(call.as<ScreenAttrs>().top, n);
  if (n == 0) return;
  const Workspace plane_space(
      env.pool, static_cast<size_t>(kPlanes * stride + k * static_cast<int64_t>(sizeof(float))));
  const Planes x = MakePlanes(env, call.in(0).data<float>(), k, stride, plane_space);
  const Workspace bound_space(env.pool, static_cast<size_t>(n) * sizeof(Bounds));
  Bounds* const bounds = bound_space.As<Bounds>();
  env.threads.ParallelFor(n, 8 * kRowsAtOnce, [&](int64_t begin, int64_t end) {
    BoundRows(env, call, x, begin, end, bounds);
  });
  const Workspace heap(env.pool, static_cast<size_t>(top) * sizeof(double));
  const double least = TopLow(bounds, n, top, heap.As<double>());
  float* const y = call.out(0).data<float>();
  env.threads.ParallelFor(n, 8 * kRowsAtOnce, [&](int64_t begin, int64_t end) {
    FloatRows wide(env, call.in(1));
    const auto may_win = [&](int64_t j) { return !(bounds[j].high < least); };
    for (int64_t j = begin; j < end;) {
      int64_t stop = j + 1;
      if (may_win(j)) {
        while (stop < end && may_win(stop)) ++stop;
        ExactRows(env, call, j, stop, &wide);
      } else {
        y[j] = -std::numeric_limits<float>::infinity();
      }
      j = stop;
    }
  });
}

}  // namespace tern::cpu
