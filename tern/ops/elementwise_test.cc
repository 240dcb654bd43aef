// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "tern/ops/op_test.h"

namespace tern::ops {
namespace {

using ElementwiseOpTest = OpTest;

TEST_F(ElementwiseOpTest, ShapesBroadcast) {
  const Tensor a = Make<float>({2, 1, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor b = Make<float>({2, 1}, {10, 20});
  const Tensor y = Add(ctx_, a, b);
  EXPECT_EQ(y.shape(), (Shape{2, 2, 3}));
  EXPECT_TRUE(y.is_contiguous());
  EXPECT_EQ(Values<float>(y), (std::vector<float>{11, 12, 13, 21, 22, 23, 14, 15, 16, 24, 25, 26}));
  EXPECT_EQ(Values<float>(Sub(ctx_, Make<float>({}, {1}), b)), (std::vector<float>{-9, -19}));
  EXPECT_EQ(Mul(ctx_, ctx_.Empty({0, 3}, DType::kF32), Make<float>({3}, {1, 2, 3})).elements(), 0);
}

TEST_F(ElementwiseOpTest, TheTapeKeepsNoMoreThanGradientsNeed) {
  Tape tape(ctx_);
  const Tensor a = tape.Watch(Doubles({3}));
  const Tensor b = Doubles({3});
  const Tensor sum = Add(ctx_, a, b);
  const Tensor scaled = MulScalar(ctx_, sum, 2);
  EXPECT_EQ(b.use_count(), 1);
  EXPECT_EQ(sum.use_count(), 1);
  const Tensor product = Mul(ctx_, scaled, b);
  EXPECT_EQ(b.use_count(), 2);
  EXPECT_EQ(product.use_count(), 1);
}

TEST_F(ElementwiseOpTest, OperandsMayBeAnyViews) {
  const Tensor a = Random<float>(ctx_, {7, 6, 5}, random_);
  const Tensor view = a.Transposed(0, 2).Sliced(1, 1, 6, 2).Sliced(0, 1, 5);
  const Tensor other = Random<float>(ctx_, {4, 3, 7}, random_);
  const Tensor y = Mul(ctx_, view, other);
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < 3; ++j) {
      for (int64_t k = 0; k < 7; ++k) {
        const float expected = a.data<float>()[(k * 6 + 1 + 2 * j) * 5 + 1 + i] *
                               other.data<float>()[(i * 3 + j) * 7 + k];
        ASSERT_EQ(y.data<float>()[(i * 3 + j) * 7 + k], expected) << i << " " << j << " " << k;
      }
    }
  }
}

TEST_F(ElementwiseOpTest, LargeOperandsAreSplitOverThreads) {
  const int64_t rows = 131, columns = 517;
  const Tensor a = Random<float>(ctx_, {columns, rows}, random_).Transposed(0, 1);
  const Tensor b = Random<float>(ctx_, {columns}, random_);
  const Tensor y = Add(ctx_, a, b);
  const std::vector<float> got = Values<float>(y);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      ASSERT_EQ(got[r * columns + c], a.data<float>()[c * rows + r] + b.data<float>()[c]);
    }
  }
}

TEST_F(ElementwiseOpTest, BinaryGradients) {
  const Tensor a = Doubles({2, 3, 4}), b = Uniform({3, 1}, 0.5, 2);
  using Fn = Tensor (*)(Context&, const Tensor&, const Tensor&);
  for (Fn f : {Fn(Add), Fn(Sub), Fn(Mul), Fn(Div)}) {
    CheckGradient([&](auto leaves) { return f(ctx_, leaves[0], leaves[1]); }, {a, b});
    CheckGradient([&](auto leaves) { return f(ctx_, leaves[1], leaves[0]); },
                  {b, Uniform({2, 3, 4}, 1, 2)});
  }
  CheckGradient([&](auto leaves) { return Mul(ctx_, leaves[0], leaves[0]); }, {a});
  const Tensor low = Uniform({4}, -2, -1), high = Uniform({3, 4}, 1, 2);
  for (Fn f : {Fn(Max), Fn(Min)}) {
    CheckGradient([&](auto leaves) { return f(ctx_, leaves[0], leaves[1]); }, {low, high});
    CheckGradient([&](auto leaves) { return f(ctx_, leaves[0], leaves[1]); }, {high, low});
  }
}

TEST_F(ElementwiseOpTest, UnaryGradients) {
  using Fn = Tensor (*)(Context&, const Tensor&);
  const Tensor positive = Uniform({3, 5}, 0.5, 3), negative = Uniform({3, 5}, -3, -0.5);
  for (Fn f : {Fn(Neg), Fn(Abs), Fn(Exp), Fn(Square), Fn(Relu), Fn(Relu2), Fn(Silu), Fn(Sigmoid)}) {
    CheckGradient([&](auto leaves) { return f(ctx_, leaves[0]); }, {positive});
    CheckGradient([&](auto leaves) { return f(ctx_, leaves[0]); }, {negative});
  }
  for (Fn f : {Fn(Log), Fn(Sqrt), Fn(Rsqrt)}) {
    CheckGradient([&](auto leaves) { return f(ctx_, leaves[0]); }, {positive});
  }
  CheckGradient([&](auto leaves) { return AddScalar(ctx_, leaves[0], 3); }, {positive});
  CheckGradient([&](auto leaves) { return MulScalar(ctx_, leaves[0], -3); }, {positive});
}

TEST_F(ElementwiseOpTest, TiesShareTheGradient) {
  for (auto f : {Max, Min}) {
    Tape tape(ctx_);
    const Tensor a = tape.Watch(Make<float>({2}, {1, 5})), b = tape.Watch(Make<float>({2}, {1, 5}));
    tape.Backward(SumAll(ctx_, f(ctx_, a, b)));
    EXPECT_EQ(Values<float>(tape.Gradient(a)), (std::vector<float>{0.5f, 0.5f}));
    EXPECT_EQ(Values<float>(tape.Gradient(b)), (std::vector<float>{0.5f, 0.5f}));
  }
}

TEST_F(ElementwiseOpTest, RoundToPassesGradientsUnchanged) {
  Tape tape(ctx_);
  const Tensor a = tape.Watch(Make<float>({2}, {1.0f + 0x1p-9f, -3.0f}));
  const Tensor y = RoundTo(ctx_, a, DType::kBF16);
  EXPECT_EQ(Values<float>(y), (std::vector<float>{1.0f, -3.0f}));
  tape.Backward(y, Make<float>({2}, {1.0f + 0x1p-20f, 2.0f}));
  EXPECT_EQ(Values<float>(tape.Gradient(a)), (std::vector<float>{1.0f + 0x1p-20f, 2.0f}));
  EXPECT_TRUE(RoundTo(ctx_, a, DType::kF32).SharesStorage(a));
}

TEST_F(ElementwiseOpTest, CastsRoundAndTheirGradientsComeBack) {
  EXPECT_EQ(Values<int32_t>(Cast(ctx_, Make<float>({3}, {2.5f, -3.5f, 1e20f}), DType::kI32)),
            (std::vector<int32_t>{2, -4, 2147483647}));
  const Tensor same = Make<float>({2}, {1, 2});
  EXPECT_TRUE(Cast(ctx_, same, DType::kF32).SharesStorage(same));
  Tape tape(ctx_);
  const Tensor a = tape.Watch(Make<float>({2}, {1.001f, 2}));
  const Tensor wide = Cast(ctx_, Cast(ctx_, a, DType::kBF16), DType::kF32);
  EXPECT_EQ(Values<float>(wide), (std::vector<float>{1, 2}));
  tape.Backward(SumAll(ctx_, MulScalar(ctx_, wide, 3)));
  EXPECT_EQ(Values<float>(tape.Gradient(a)), (std::vector<float>{3, 3}));
}

TEST_F(ElementwiseOpTest, CopiesAndFills) {
  const Tensor target = Full(ctx_, {3, 4}, DType::kBF16, 7);
  CopyInto(ctx_, Make<float>({2}, {1, 2}), target.Sliced(1, 0, 4, 2));
  EXPECT_EQ(Values<float>(Cast(ctx_, target, DType::kF32)),
            (std::vector<float>{1, 7, 2, 7, 1, 7, 2, 7, 1, 7, 2, 7}));
  EXPECT_EQ(Values<uint8_t>(Full(ctx_, {2}, DType::kU8, 200)), (std::vector<uint8_t>{200, 200}));
  const Tensor a = Make<float>({2, 2}, {1, 2, 3, 4});
  EXPECT_TRUE(Contiguous(ctx_, a).SharesStorage(a));
  const Tensor turned = Contiguous(ctx_, a.Transposed(0, 1));
  EXPECT_FALSE(turned.SharesStorage(a));
  EXPECT_EQ(Values<float>(turned), (std::vector<float>{1, 3, 2, 4}));
  CheckGradient([&](auto leaves) { return Contiguous(ctx_, Transpose(ctx_, leaves[0], 0, 1)); },
                {Doubles({2, 3})});
}

TEST_F(ElementwiseOpTest, WrongOperandsAreRefused) {
  const Tensor a = Make<float>({2, 3}, std::vector<float>(6)), b = Make<float>({2}, {1, 2});
  ExpectRefused([&] { Add(ctx_, a, b); }, {"Add(f32[2, 3], f32[2])", "broadcast"});
  ExpectRefused([&] { Mul(ctx_, a, Doubles({3})); }, {"Mul(f32[2, 3], f64[3])", "dtype"});
  ExpectRefused([&] { Div(ctx_, a, Tensor()); }, {"Div(f32[2, 3], undefined)"});
  ExpectRefused([&] { Exp(ctx_, Full(ctx_, {2}, DType::kI32, 0)); }, {"Exp(i32[2])"});
  ExpectRefused([&] { CopyInto(ctx_, a, b); }, {"CopyInto(f32[2, 3], f32[2])"});
  ExpectRefused([&] { CopyInto(ctx_, a, Make<float>({1, 3}, {1, 2, 3})); }, {"CopyInto"});
  ExpectRefused([&] { Cast(ctx_, Tensor(), DType::kF32); }, {"Cast(undefined)"});
  ExpectRefused([&] { Contiguous(ctx_, Tensor()); }, {"Contiguous(undefined)"});
}

}  // namespace
}  // namespace tern::ops
