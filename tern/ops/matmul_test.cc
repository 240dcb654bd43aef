// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "tern/ops/op_test.h"

namespace tern::ops {
namespace {

using MatMulOpTest = OpTest;

TEST_F(MatMulOpTest, MultipliesMatricesAndBroadcastsBatches) {
  const Tensor a = Make<double>({2, 1, 1, 2}, {1, 2, 3, 4});
  const Tensor b = Make<double>({2, 2, 1}, {1, 10, 100, 1000});
  const Tensor y = MatMul(ctx_, a, b);
  EXPECT_EQ(y.shape(), (Shape{2, 2, 1, 1}));
  EXPECT_EQ(Values<double>(y), (std::vector<double>{21, 2100, 43, 4300}));
  EXPECT_EQ(Values<double>(MatMul(ctx_, Transpose(ctx_, b, 1, 2), b)),
            (std::vector<double>{101, 1010000}));
}

TEST_F(MatMulOpTest, LinearTakesAnyLeadingAxes) {
  const Tensor w = Make<double>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor x = Make<double>({1, 2, 3}, {1, 0, 0, 0, 1, 1});
  const Tensor bias = Make<double>({2}, {0.5, -0.5});
  const Tensor y = Linear(ctx_, x, w, bias);
  EXPECT_EQ(y.shape(), (Shape{1, 2, 2}));
  EXPECT_EQ(Values<double>(y), (std::vector<double>{1.5, 3.5, 5.5, 10.5}));
  EXPECT_EQ(Values<double>(Linear(ctx_, Make<double>({3}, {0, 1, 0}), w)),
            (std::vector<double>{2, 5}));
  EXPECT_EQ(Linear(ctx_, Doubles({0, 3}), w).shape(), (Shape{0, 2}));
}

TEST_F(MatMulOpTest, Gradients) {
  const auto matmul = [&](auto leaves) { return MatMul(ctx_, leaves[0], leaves[1]); };
  CheckGradient(matmul, {Doubles({3, 4}), Doubles({4, 2})});
  CheckGradient(matmul, {Doubles({2, 3, 4}), Doubles({4, 5})});
  CheckGradient(matmul, {Doubles({2, 1, 3, 2}), Doubles({3, 2, 1})});
  CheckGradient(
      [&](auto leaves) {
        const Tensor a = Transpose(ctx_, leaves[0], 0, 2);
        return MatMul(ctx_, a, Transpose(ctx_, leaves[1], 0, 1));
      },
      {Doubles({3, 2, 4}), Doubles({5, 3})});
  CheckGradient(
      [&](auto leaves) {
        return MatMul(ctx_, leaves[0], Transpose(ctx_, Slice(ctx_, leaves[0], 0, 0, 2), 0, 1));
      },
      {Doubles({3, 4})});
  const auto linear = [&](auto leaves) {
    return Linear(ctx_, leaves[0], leaves[1], leaves.size() == 3 ? leaves[2] : Tensor());
  };
  CheckGradient(linear, {Doubles({2, 3, 4}), Doubles({5, 4})});
  CheckGradient(linear, {Doubles({3, 4}), Doubles({5, 4}), Doubles({5})});
}

// A frozen weight of half precision still hands the gradient on.
TEST_F(MatMulOpTest, GradientThroughHalfWeights) {
  const Tensor w = Cast(ctx_, Make<float>({2, 2}, {1, 2, 3, 4}), DType::kBF16);
  Tape tape(ctx_);
  const Tensor x = tape.Watch(Make<float>({1, 2}, {5, 6}));
  const Tensor y = Linear(ctx_, x, w);
  EXPECT_EQ(Values<float>(y), (std::vector<float>{17, 39}));
  tape.Backward(y, Make<float>({1, 2}, {1, 10}));
  EXPECT_EQ(Values<float>(tape.Gradient(x)), (std::vector<float>{31, 42}));
}

TEST_F(MatMulOpTest, RefusesWhatDoesNotFit) {
  const Tensor a = Doubles({2, 3}), b = Doubles({2, 3}), f = Random<float>(ctx_, {3, 2}, random_);
  ExpectRefused([&] { MatMul(ctx_, a, b); }, {"MatMul", "f64[2, 3], f64[2, 3]", "[..., k, n]"});
  ExpectRefused([&] { MatMul(ctx_, a, f); }, {"MatMul", "one dtype"});
  ExpectRefused(
      [&] {
        MatMul(ctx_, Doubles({2, 1, 3}), Doubles({3, 3, 1}));
      },
      {"MatMul", "leading axes"});
  ExpectRefused([&] { MatMul(ctx_, Doubles({3}), a); }, {"MatMul", "f64[3]"});
  ExpectRefused([&] { Linear(ctx_, a, Doubles({4, 2})); }, {"Linear", "[n, k]"});
  ExpectRefused([&] { Linear(ctx_, a, Doubles({4, 3}), Doubles({3})); }, {"Linear", "bias"});
  ExpectRefused([&] { Linear(ctx_, a, Tensor()); }, {"Linear", "undefined"});
}

}  // namespace
}  // namespace tern::ops
