// SPDX-License-Identifier: MIT
// Elementwise ops and copies.
#include "tern/kernels/elementwise/elementwise.h"

#include <iterator>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/backends/cpu/strided_loop.h"
#include "tern/kernels/elementwise/reference.h"

namespace tern::cpu {
namespace {

using kernels::Binary;
using kernels::BinaryFn;
using kernels::Element;
using kernels::Unary;
using kernels::UnaryFn;

static_assert(static_cast<int>(Element::kCount) == kDTypeCount &&
              static_cast<int>(Element::kF32) == static_cast<int>(DType::kF32) &&
              static_cast<int>(Element::kBF16) == static_cast<int>(DType::kBF16) &&
              static_cast<int>(Element::kI8) == static_cast<int>(DType::kI8) &&
              static_cast<int>(Element::kI32) == static_cast<int>(DType::kI32));

template <typename T>
void ForUnary(const Env& env, const OpCall& call, UnaryFn<T> f) {
  const StridedLoop loop({&call.in(0), &call.out(0)});
  const T* a = call.in(0).data<T>();
  T* y = call.out(0).data<T>();
  env.threads.ParallelFor(loop.elements(), kGrainElements, [&](int64_t begin, int64_t end) {
    loop.For(begin, end, [&](const int64_t* at, int64_t n) {
      f(a + at[0], loop.run_stride(0), y + at[1], loop.run_stride(1), n);
    });
  });
}

template <typename T>
void ForBinary(const Env& env, const OpCall& call, BinaryFn<T> f) {
  const StridedLoop loop({&call.in(0), &call.in(1), &call.out(0)});
  const T* a = call.in(0).data<T>();
  const T* b = call.in(1).data<T>();
  T* y = call.out(0).data<T>();
  env.threads.ParallelFor(loop.elements(), kGrainElements, [&](int64_t begin, int64_t end) {
    loop.For(begin, end, [&](const int64_t* at, int64_t n) {
      f(a + at[0], loop.run_stride(0), b + at[1], loop.run_stride(1), y + at[2], loop.run_stride(2),
        n);
    });
  });
}

template <typename T>
void ForScalar(const Env& env, const OpCall& call, BinaryFn<T> f) {
  const StridedLoop loop({&call.in(0), &call.out(0)});
  const T value = static_cast<T>(call.as<ScalarAttrs>().value);
  const T* a = call.in(0).data<T>();
  T* y = call.out(0).data<T>();
  env.threads.ParallelFor(loop.elements(), kGrainElements, [&](int64_t begin, int64_t end) {
    loop.For(begin, end, [&](const int64_t* at, int64_t n) {
      f(a + at[0], loop.run_stride(0), &value, 0, y + at[1], loop.run_stride(1), n);
    });
  });
}

bool IsDouble(const OpCall& call) { return call.out(0).dtype() == DType::kF64; }

void RunUnary(const Env& env, const OpCall& call, Unary f) {
  if (IsDouble(call)) {
    ForUnary<double>(env, call, kernels::reference::kUnary<double>[static_cast<size_t>(f)]);
  } else {
    ForUnary<float>(env, call, env.kernels.elementwise.of(f));
  }
}

void RunBinary(const Env& env, const OpCall& call, Binary f) {
  if (IsDouble(call)) {
    ForBinary<double>(env, call, kernels::reference::kBinary<double>[static_cast<size_t>(f)]);
  } else {
    ForBinary<float>(env, call, env.kernels.elementwise.of(f));
  }
}

void RunScalar(const Env& env, const OpCall& call, Binary f) {
  if (IsDouble(call)) {
    ForScalar<double>(env, call, kernels::reference::kBinary<double>[static_cast<size_t>(f)]);
  } else {
    ForScalar<float>(env, call, env.kernels.elementwise.of(f));
  }
}

kernels::CopyFn CopyKernel(const Env& env, DType from, DType to) {
  return env.kernels.elementwise.copy[static_cast<size_t>(from)][static_cast<size_t>(to)];
}

}  // namespace

bool SupportsElementwise(const OpCall& call) {
  const Tensor& y = call.out(0);
  for (const Tensor* input : call.inputs) {
    if (input->dtype() != y.dtype() || !(input->shape() == y.shape())) return false;
  }
  return y.dtype() == DType::kF32 || y.dtype() == DType::kF64;
}

bool SupportsCopy(const OpCall& call) { return call.in(0).shape() == call.out(0).shape(); }

bool SupportsFill(const OpCall&) { return true; }

#define TERN_UNARY(name, expression) \
  void Run##name(const Env& env, const OpCall& call) { RunUnary(env, call, Unary::k##name); }
#define TERN_BINARY(name, expression) \
  void Run##name(const Env& env, const OpCall& call) { RunBinary(env, call, Binary::k##name); }
#include "tern/kernels/elementwise/elementwise.inc"
#undef TERN_UNARY
#undef TERN_BINARY

void RunAddScalar(const Env& env, const OpCall& call) { RunScalar(env, call, Binary::kAdd); }

void RunMulScalar(const Env& env, const OpCall& call) { RunScalar(env, call, Binary::kMul); }

void RunCopy(const Env& env, const OpCall& call) {
  const Tensor& a = call.in(0);
  const Tensor& y = call.out(0);
  const kernels::CopyFn copy = CopyKernel(env, a.dtype(), y.dtype());
  const auto a_bytes = static_cast<int64_t>(ElementBytes(a.dtype()));
  const auto y_bytes = static_cast<int64_t>(ElementBytes(y.dtype()));
  const StridedLoop loop({&a, &y});
  env.threads.ParallelFor(loop.elements(), kGrainElements, [&](int64_t begin, int64_t end) {
    loop.For(begin, end, [&](const int64_t* at, int64_t n) {
      copy(static_cast<const std::byte*>(a.raw()) + at[0] * a_bytes, loop.run_stride(0),
           static_cast<std::byte*>(y.raw()) + at[1] * y_bytes, loop.run_stride(1), n);
    });
  });
}

void RunFill(const Env& env, const OpCall& call) {
  const Tensor& y = call.out(0);
  const double value = call.as<ScalarAttrs>().value;
  const kernels::CopyFn copy = CopyKernel(env, DType::kF64, y.dtype());
  const auto y_bytes = static_cast<int64_t>(ElementBytes(y.dtype()));
  const StridedLoop loop({&y});
  env.threads.ParallelFor(loop.elements(), kGrainElements, [&](int64_t begin, int64_t end) {
    loop.For(begin, end, [&](const int64_t* at, int64_t n) {
      copy(&value, 0, static_cast<std::byte*>(y.raw()) + at[0] * y_bytes, loop.run_stride(0), n);
    });
  });
}

}  // namespace tern::cpu
