// SPDX-License-Identifier: MIT
// What tests of ops share: a context with the CPU, tensors from lists and random ones, gradient
// checks, and the message of a refused call.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tern/autograd/gradcheck.h"
#include "tern/autograd/tape.h"
#include "tern/backends/cpu/test_context.h"
#include "tern/base/error.h"
#include "tern/ops/ops.h"

namespace tern::ops {

class OpTest : public testing::Test {
 protected:
  template <typename T>
  Tensor Make(const Shape& shape, const std::vector<T>& values) {
    Tensor t = ctx_.Empty(shape, DTypeOf<T>());
    EXPECT_EQ(t.elements(), static_cast<int64_t>(values.size()));
    std::copy(values.begin(), values.end(), t.data<T>());
    return t;
  }

  Tensor Doubles(const Shape& shape) { return Random<double>(ctx_, shape, random_); }

  // In [low, high], where a function is defined or has no kink.
  Tensor Uniform(const Shape& shape, double low, double high) {
    Tensor t = ctx_.Empty(shape, DType::kF64);
    std::uniform_real_distribution<double> uniform(low, high);
    for (double& x : t.span<double>()) x = uniform(random_);
    return t;
  }

  template <typename T>
  std::vector<T> Values(const Tensor& t) {
    const Tensor plain = Contiguous(ctx_, t.Detached());
    return {plain.span<T>().begin(), plain.span<T>().end()};
  }

  // The gradient in f64 against finite differences.
  void CheckGradient(const GradCheckFunction& function, const std::vector<Tensor>& leaves) {
    const GradCheckResult result = GradCheck(ctx_, function, leaves);
    EXPECT_TRUE(result.ok) << result.ToString() << " values from seed " << seed_;
  }

  // Expects an Error(kInvalidArgument) whose message has all parts.
  void ExpectRefused(const std::function<void()>& call, const std::vector<std::string>& parts) {
    try {
      call();
      ADD_FAILURE() << "nothing was refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      for (const std::string& part : parts) {
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
            << error.what() << " lacks " << part;
      }
    }
  }

  const uint32_t seed_ = std::random_device()();
  std::mt19937 random_{seed_};
  const std::unique_ptr<Context> context_ = MakeContext(2);
  Context& ctx_ = *context_;
};

}  // namespace tern::ops
