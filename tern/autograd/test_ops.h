// SPDX-License-Identifier: MIT
// For tests: a context whose device computes Copy, Add and Fill on f64, which is all that a tape
// calls by itself, and ops of the test's own that record their gradients.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "tern/autograd/tape.h"
#include "tern/backends/mock/mock_backend.h"
#include "tern/base/check.h"
#include "tern/core/context.h"

namespace tern {

// Calls f(offsets...) for the offset of each element in each of three tensors of one shape.
template <typename F>
void ForEachElement(const std::array<const Tensor*, 3>& tensors, F f, int axis = 0,
                    std::array<int64_t, 3> at = {}) {
  if (axis == tensors[0]->rank()) return f(at[0], at[1], at[2]);
  for (int64_t i = 0; i < tensors[0]->dim(axis); ++i) {
    ForEachElement(tensors, f, axis + 1, at);
    for (size_t t = 0; t < 3; ++t) at[t] += tensors[t]->stride(axis);
  }
}

inline void ComputeTapeOps(const OpCall& call) {
  const Tensor& y = call.out(0);
  double* to = y.data<double>();
  switch (call.op) {
    case Op::kCopy: {
      const double* a = call.in(0).data<double>();
      ForEachElement({&call.in(0), &call.in(0), &y},
                     [&](int64_t i, int64_t, int64_t at) { to[at] = a[i]; });
      break;
    }
    case Op::kAdd: {
      const double* a = call.in(0).data<double>();
      const double* b = call.in(1).data<double>();
      ForEachElement({&call.in(0), &call.in(1), &y},
                     [&](int64_t i, int64_t j, int64_t at) { to[at] = a[i] + b[j]; });
      break;
    }
    case Op::kFill:
      ForEachElement({&y, &y, &y},
                     [&](int64_t, int64_t, int64_t at) { to[at] = call.as<ScalarAttrs>().value; });
      break;
    default:
      TERN_CHECK(false);
  }
}

// A context with that device, which it hands out as `mock`.
struct TapeContext {
  TapeContext() {
    auto backend = std::make_unique<MockBackend>(MockBackend::Options{.compute = ComputeTapeOps});
    mock = backend.get();
    ctx.AddBackend(std::move(backend));
  }

  Tensor Values(const Shape& shape, const std::vector<double>& values) {
    Tensor tensor = ctx.Empty(shape, DType::kF64);
    TERN_CHECK(tensor.elements() == static_cast<int64_t>(values.size()));
    std::copy(values.begin(), values.end(), tensor.data<double>());
    return tensor;
  }

  // y = a * b, elementwise, contiguous.
  Tensor Mul(const Tensor& a, const Tensor& b) {
    Tensor y = Product(a, b);
    RecordBackward({&a, &b}, {&y}, [this, x = a.Detached(), w = b.Detached()](GradientPass& pass) {
      if (pass.Needs(0)) pass.Add(0, Product(pass.OutputGradient(), w));
      if (pass.Needs(1)) pass.Add(1, Product(pass.OutputGradient(), x));
    });
    return y;
  }

  // The sum of all elements, [1]. Its gradient is a view of stride 0.
  Tensor Sum(const Tensor& a) {
    Tensor y = Values({1}, {0});
    ForEachElement({&a, &a, &a},
                   [&](int64_t i, int64_t, int64_t) { *y.data<double>() += a.data<double>()[i]; });
    RecordBackward({&a}, {&y}, [shape = a.shape()](GradientPass& pass) {
      pass.Add(0, pass.OutputGradient().Broadcast(shape));
    });
    return y;
  }

  Context ctx{ContextOptions{}};
  MockBackend* mock;

 private:
  Tensor Product(const Tensor& a, const Tensor& b) {
    Tensor y = ctx.EmptyLike(a, a.shape(), DType::kF64);
    ForEachElement({&a, &b, &y}, [&](int64_t i, int64_t j, int64_t at) {
      y.data<double>()[at] = a.data<double>()[i] * b.data<double>()[j];
    });
    return y;
  }
};

}  // namespace tern
