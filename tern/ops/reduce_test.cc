// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tern/ops/op_test.h"

namespace tern::ops {
namespace {

using ReduceOpTest = OpTest;

TEST_F(ReduceOpTest, AxesAreSummed) {
  const Tensor a = Make<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(Values<float>(Sum(ctx_, a, 0)), (std::vector<float>{5, 7, 9}));
  EXPECT_EQ(Values<float>(Sum(ctx_, a, -1)), (std::vector<float>{6, 15}));
  EXPECT_EQ(Sum(ctx_, a, 1, true).shape(), (Shape{2, 1}));
  EXPECT_EQ(Values<float>(Mean(ctx_, a, 0)), (std::vector<float>{2.5f, 3.5f, 4.5f}));
  EXPECT_EQ(Values<float>(MaxOver(ctx_, a, 1)), (std::vector<float>{3, 6}));
  EXPECT_EQ(Values<float>(SumAll(ctx_, a)), (std::vector<float>{21}));
  EXPECT_EQ(Values<float>(MeanAll(ctx_, a)), (std::vector<float>{3.5f}));
  EXPECT_EQ(Values<float>(Sum(ctx_, ctx_.Empty({2, 0}, DType::kF32), 1)),
            (std::vector<float>{0, 0}));
}

TEST_F(ReduceOpTest, StridesAndThreadsDoNotChangeTheBits) {
  const auto one = MakeContext(1, "scalar");
  for (const Shape& shape : {Shape{3, 700, 50}, Shape{40, 3, 333}, Shape{1, 5, 1}}) {
    const Tensor a = Random<float>(ctx_, shape, random_);
    const Tensor copy = CopyTo(*one, a);
    for (int axis = 0; axis < 3; ++axis) {
      const Tensor sum = Sum(ctx_, a, axis), max = MaxOver(ctx_, a, axis);
      EXPECT_TRUE(SameBits(sum, Sum(*one, copy, axis))) << "seed " << seed_;
      EXPECT_TRUE(SameBits(max, MaxOver(*one, copy, axis))) << "seed " << seed_;
      // The same elements behind other strides.
      const Tensor turned = Contiguous(ctx_, a.Transposed(0, 2)).Transposed(0, 2);
      EXPECT_TRUE(SameBits(sum, Sum(ctx_, turned, axis))) << "seed " << seed_;
      EXPECT_TRUE(SameBits(max, MaxOver(ctx_, turned, axis))) << "seed " << seed_;
    }
  }
}

TEST_F(ReduceOpTest, WholeTensorsAreMeasured) {
  const auto one = MakeContext(1, "scalar");
  const Tensor a = Random<float>(ctx_, {200001}, random_);
  const Tensor squares = ctx_.Empty({1}, DType::kF64), other = one->Empty({1}, DType::kF64);
  RunOp(ctx_, Op::kSumSquares, {&a}, squares);
  const Tensor copy = CopyTo(*one, a);
  RunOp(*one, Op::kSumSquares, {&copy}, other);
  EXPECT_TRUE(SameBits(squares, other)) << "seed " << seed_;
  double expected = 0;
  for (float x : a.span<float>()) expected += static_cast<double>(x) * x;
  EXPECT_NEAR(squares.item<double>(), expected, 1e-9 * expected);

  const Tensor finite = ctx_.Empty({1}, DType::kI32);
  RunOp(ctx_, Op::kAllFinite, {&a}, finite);
  EXPECT_EQ(finite.item<int32_t>(), 1);
  a.data<float>()[200000] = std::numeric_limits<float>::infinity();
  RunOp(ctx_, Op::kAllFinite, {&a}, finite);
  EXPECT_EQ(finite.item<int32_t>(), 0);
}

TEST_F(ReduceOpTest, Gradients) {
  const Tensor a = Doubles({3, 4, 2});
  // MaxOver has a kink where the largest two meet, so its values lie apart.
  const Tensor apart = ctx_.Empty({3, 4, 2}, DType::kF64);
  std::iota(apart.span<double>().begin(), apart.span<double>().end(), -12.0);
  std::ranges::shuffle(apart.span<double>(), random_);
  for (int axis : {0, 1, 2, -1}) {
    for (bool keep : {false, true}) {
      CheckGradient([&](auto leaves) { return Sum(ctx_, leaves[0], axis, keep); }, {a});
      CheckGradient([&](auto leaves) { return Mean(ctx_, leaves[0], axis, keep); }, {a});
      CheckGradient([&](auto leaves) { return MaxOver(ctx_, leaves[0], axis, keep); }, {apart});
    }
  }
  CheckGradient([&](auto leaves) { return SumAll(ctx_, leaves[0]); }, {a});
  CheckGradient([&](auto leaves) { return MeanAll(ctx_, leaves[0]); }, {a});
  Tape tape(ctx_);
  const Tensor ties = tape.Watch(Make<float>({4}, {1, 3, 3, 2}));
  tape.Backward(MaxOver(ctx_, ties, 0, true));
  EXPECT_EQ(Values<float>(tape.Gradient(ties)), (std::vector<float>{0, 0.5f, 0.5f, 0}));
}

TEST_F(ReduceOpTest, WrongOperandsAreRefused) {
  const Tensor a = Make<float>({2}, {1, 2});
  ExpectRefused([&] { Sum(ctx_, a, 1); }, {"Sum(f32[2])", "axis 1"});
  ExpectRefused([&] { MaxOver(ctx_, a, -2); }, {"MaxOver(f32[2])", "axis -2"});
  ExpectRefused([&] { Mean(ctx_, ctx_.Empty({0}, DType::kF32), 0); }, {"Mean(f32[0])"});
  ExpectRefused([&] { MaxOver(ctx_, ctx_.Empty({0}, DType::kF32), 0); }, {"MaxOver(f32[0])"});
  ExpectRefused([&] { SumAll(ctx_, Tensor()); }, {"SumAll(undefined)"});
}

}  // namespace
}  // namespace tern::ops
