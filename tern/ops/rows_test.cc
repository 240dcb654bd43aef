// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "tern/base/float16.h"
#include "tern/ops/op_test.h"
#include "tern/ops/transformer.h"

namespace tern::ops {
namespace {

using RowOpTest = OpTest;

TEST_F(RowOpTest, NormsAreTheDefinition) {
  const Tensor x = Make<double>({1, 2}, {3, 4}), w = Make<double>({2}, {1, 2});
  const double inverse = 1 / std::sqrt(12.5 + 0.25);
  const std::vector<double> y = Values<double>(RmsNorm(ctx_, x, w, 0.25));
  EXPECT_NEAR(y[0], 3 * inverse, 1e-15);
  EXPECT_NEAR(y[1], 8 * inverse, 1e-15);
}

TEST_F(RowOpTest, ThreadsAndTargetsDoNotChangeTheBits) {
  const auto one = MakeContext(1, "scalar");
  const Tensor x = Random<float>(ctx_, {300, 257}, random_);
  const Tensor w = Random<float>(ctx_, {257}, random_);
  const Tensor dy = Random<float>(ctx_, {300, 257}, random_);
  const Tensor targets = ctx_.Empty({300}, DType::kI32);
  for (int32_t& t : targets.span<int32_t>()) t = static_cast<int32_t>(random_() % 257);
  const auto run = [&](Context& ctx) {
    Tape tape(ctx);
    const Tensor a = tape.Watch(CopyTo(ctx, x)), b = tape.Watch(CopyTo(ctx, w));
    const Tensor norm = RmsNorm(ctx, a, b, 1e-5);
    const Tensor loss = CrossEntropy(ctx, norm, CopyTo(ctx, targets));
    const Tensor soft = Softmax(ctx, norm);
    const Tensor all = Add(ctx, SumAll(ctx, loss), SumAll(ctx, Mul(ctx, soft, CopyTo(ctx, dy))));
    tape.Backward(all);
    return std::vector<Tensor>{norm.Detached(), loss.Detached(), soft.Detached(), tape.Gradient(a),
                               tape.Gradient(b)};
  };
  const std::vector<Tensor> many = run(ctx_), single = run(*one);
  for (size_t i = 0; i < many.size(); ++i) {
    EXPECT_TRUE(SameBits(many[i], single[i])) << i << " seed " << seed_;
  }
}

TEST_F(RowOpTest, Gradients) {
  const Tensor x = Doubles({2, 3, 5}), w = Doubles({5});
  CheckGradient([&](auto leaves) { return RmsNorm(ctx_, leaves[0], leaves[1], 1e-5); }, {x, w});
  CheckGradient(
      [&](auto leaves) { return RmsNorm(ctx_, Transpose(ctx_, leaves[0], 0, 1), leaves[1], 0.1); },
      {x, w});
  CheckGradient([&](auto leaves) { return Softmax(ctx_, leaves[0]); }, {x});
  const Tensor targets = Make<int32_t>({4}, {2, -1, 0, 4});
  const Tensor others = Make<int32_t>({4}, {2, 1, 0, 4});
  CheckGradient([&](auto leaves) { return CrossEntropy(ctx_, leaves[0], targets); },
                {Doubles({4, 5})});
  CheckGradient(
      [&](auto leaves) { return MeanAll(ctx_, CrossEntropy(ctx_, leaves[0], others, 4)); },
      {Doubles({4, 5})});
  const Tensor ids = Make<int32_t>({2, 3}, {1, 0, 1, 3, 1, 3});
  CheckGradient([&](auto leaves) { return Gather(ctx_, leaves[0], ids); }, {Doubles({5, 3})});
}

TEST_F(RowOpTest, IgnoredTargetsCostNothing) {
  const Tensor logits = Random<float>(ctx_, {3, 4}, random_);
  Tape tape(ctx_);
  const Tensor a = tape.Watch(logits);
  const Tensor loss = CrossEntropy(ctx_, a, Make<int32_t>({3}, {-100, 1, -100}), -100);
  EXPECT_EQ(Values<float>(loss)[0], 0);
  EXPECT_GT(Values<float>(loss)[1], 0);
  tape.Backward(SumAll(ctx_, loss));
  for (int i : {0, 3, 8, 11}) EXPECT_EQ(tape.Gradient(a).data<float>()[i], 0);
  EXPECT_LT(tape.Gradient(a).data<float>()[5], 0);
}

TEST_F(RowOpTest, TablesOfEveryTypeAreGathered) {
  const Tensor table = Make<float>({3, 2}, {1, 2, 3, 4, 5, 6.5f});
  const Tensor ids = Make<int32_t>({2, 2}, {2, 0, 2, 1});
  const std::vector<float> expected = {5, 6.5f, 1, 2, 5, 6.5f, 3, 4};
  for (DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    const Tensor y = Gather(ctx_, Cast(ctx_, table, dtype), ids);
    EXPECT_EQ(y.shape(), (Shape{2, 2, 2}));
    EXPECT_EQ(y.dtype(), DType::kF32);
    EXPECT_EQ(Values<float>(y), expected);
  }
  const Tensor none = Gather(ctx_, table, ctx_.Empty({0}, DType::kI32));
  EXPECT_EQ(none.shape(), (Shape{0, 2}));
}

TEST_F(RowOpTest, WideTablesAddUpInOrder) {
  const auto one = MakeContext(1, "scalar");
  const Tensor dy = Random<float>(ctx_, {500, 200}, random_);
  const Tensor ids = ctx_.Empty({500}, DType::kI32);
  for (int32_t& id : ids.span<int32_t>()) id = static_cast<int32_t>(random_() % 7);
  std::vector<float> expected(7 * 200);
  for (int i = 0; i < 500; ++i) {
    for (int j = 0; j < 200; ++j) {
      expected[ids.data<int32_t>()[i] * 200 + j] += dy.data<float>()[i * 200 + j];
    }
  }
  const Tensor table = Full(ctx_, {7, 200}, DType::kF32, 0);
  RunOp(ctx_, Op::kScatterAdd, {&dy, &ids}, table);
  EXPECT_EQ(Values<float>(table), expected) << "seed " << seed_;
}

TEST_F(RowOpTest, WrongOperandsAreRefused) {
  const Tensor x = Random<float>(ctx_, {4, 3}, random_), w = Random<float>(ctx_, {4}, random_);
  ExpectRefused([&] { RmsNorm(ctx_, x, w, 0); }, {"RmsNorm(f32[4, 3], f32[4])"});
  ExpectRefused([&] { Softmax(ctx_, Make<float>({}, {1})); }, {"Softmax(f32[])"});
  ExpectRefused(
      [&] {
        CrossEntropy(ctx_, x, Make<int32_t>({3}, {0, 0, 0}));
      },
      {"CrossEntropy(f32[4, 3], i32[3])"});
  ExpectRefused(
      [&] {
        CrossEntropy(ctx_, x, Make<int32_t>({4}, {0, 3, 0, 0}));
      },
      {"CrossEntropy", "3", "position 1", "[0, 3)"});
  ExpectRefused([&] { CrossEntropy(ctx_, x, Tensor()); }, {"CrossEntropy(f32[4, 3], undefined)"});
  ExpectRefused(
      [&] {
        Gather(ctx_, x, Make<int32_t>({2}, {0, -1}));
      },
      {"Gather", "-1", "position 1", "[0, 4)"});
  ExpectRefused([&] { Gather(ctx_, x, w); }, {"Gather(f32[4, 3], f32[4])"});
}

}  // namespace
}  // namespace tern::ops
