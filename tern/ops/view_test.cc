// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <numeric>

#include "tern/ops/op_test.h"

namespace tern::ops {
namespace {

using ViewOpTest = OpTest;

TEST_F(ViewOpTest, ViewsShareElements) {
  const Tensor a = Make<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(Reshape(ctx_, a, {3, 2}).SharesStorage(a));
  const Tensor turned = Transpose(ctx_, a, 0, -1);
  EXPECT_TRUE(turned.SharesStorage(a));
  EXPECT_EQ(Values<float>(turned), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  const Tensor copied = Reshape(ctx_, turned, {6});
  EXPECT_FALSE(copied.SharesStorage(a));
  EXPECT_EQ(Values<float>(copied), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_TRUE(Slice(ctx_, a, 1, 0, 3, 2).SharesStorage(a));
  EXPECT_EQ(Values<float>(Slice(ctx_, a, 1, 0, 3, 2)), (std::vector<float>{1, 3, 4, 6}));
  EXPECT_TRUE(Broadcast(ctx_, a, {4, 2, 3}).SharesStorage(a));
}

TEST_F(ViewOpTest, ConcatJoinsAlongAnyAxis) {
  const Tensor a = Make<float>({2, 1}, {1, 2}), b = Make<float>({2, 2}, {3, 4, 5, 6});
  const Tensor parts[] = {a, b};
  EXPECT_EQ(Values<float>(Concat(ctx_, parts, 1)), (std::vector<float>{1, 3, 4, 2, 5, 6}));
  const Tensor turned[] = {a.Transposed(0, 1), b.Transposed(0, 1)};
  EXPECT_EQ(Values<float>(Concat(ctx_, turned, -2)), (std::vector<float>{1, 2, 3, 5, 4, 6}));
  const std::vector<Tensor> many(20, a);
  EXPECT_EQ(Concat(ctx_, many, 0).shape(), (Shape{40, 1}));
  const Tensor ids[] = {Full(ctx_, {2}, DType::kI32, 1), Full(ctx_, {1}, DType::kI32, 2)};
  EXPECT_EQ(Values<int32_t>(Concat(ctx_, ids, 0)), (std::vector<int32_t>{1, 1, 2}));
}

TEST_F(ViewOpTest, Gradients) {
  const Tensor a = Doubles({2, 6});
  CheckGradient([&](auto leaves) { return Reshape(ctx_, leaves[0], {3, 4}); }, {a});
  CheckGradient([&](auto leaves) { return Transpose(ctx_, leaves[0], 0, 1); }, {a});
  CheckGradient(
      [&](auto leaves) {
        return Reshape(ctx_, Transpose(ctx_, leaves[0], 0, 1), {4, 3});
      },
      {a});
  CheckGradient([&](auto leaves) { return Slice(ctx_, leaves[0], 1, 1, 6, 2); }, {a});
  CheckGradient([&](auto leaves) { return Slice(ctx_, leaves[0], 0, 1, 2); }, {a});
  CheckGradient([&](auto leaves) { return Broadcast(ctx_, leaves[0], {3, 2, 6}); }, {a});
  CheckGradient([&](auto leaves) { return Broadcast(ctx_, leaves[0], {4, 6}); }, {Doubles({1, 6})});
  // A leaf that is used through several views.
  CheckGradient(
      [&](auto leaves) {
        return Mul(ctx_, Slice(ctx_, leaves[0], 1, 0, 3), Slice(ctx_, leaves[0], 1, 2, 5));
      },
      {a});
}

TEST_F(ViewOpTest, ConcatGradients) {
  CheckGradient([&](auto leaves) { return Concat(ctx_, leaves, 1); },
                {Doubles({2, 3}), Doubles({2, 1}), Doubles({2, 2})});
  std::vector<Tensor> many;
  for (int i = 0; i < 11; ++i) many.push_back(Doubles({1 + i % 3, 2}));
  CheckGradient([&](auto leaves) { return Concat(ctx_, leaves, 0); }, many);
  CheckGradient(
      [&](auto leaves) {
        const Tensor parts[] = {leaves[0], leaves[0]};
        return Concat(ctx_, parts, 0);
      },
      {Doubles({2, 2})});
}

TEST_F(ViewOpTest, WrongOperandsAreRefused) {
  const Tensor a = Make<float>({2, 3}, std::vector<float>(6));
  ExpectRefused([&] { Reshape(ctx_, a, {4}); }, {"Reshape(f32[2, 3])", "[4]"});
  ExpectRefused([&] { Transpose(ctx_, a, 0, 2); }, {"Transpose(f32[2, 3])", "axis 2"});
  ExpectRefused([&] { Slice(ctx_, a, 1, 2, 4); }, {"Slice(f32[2, 3])", "[2, 4)"});
  ExpectRefused([&] { Slice(ctx_, a, 1, 0, 3, 0); }, {"Slice(f32[2, 3])"});
  ExpectRefused([&] { Broadcast(ctx_, a, {2, 4}); }, {"Broadcast(f32[2, 3])", "[2, 4]"});
  ExpectRefused([&] { Concat(ctx_, {}, 0); }, {"Concat"});
  const Tensor parts[] = {a, Make<float>({3, 2}, std::vector<float>(6))};
  ExpectRefused([&] { Concat(ctx_, parts, 0); }, {"Concat(f32[2, 3], f32[3, 2])"});
  ExpectRefused([&] { Reshape(ctx_, Tensor(), {1}); }, {"Reshape(undefined)"});
}

}  // namespace
}  // namespace tern::ops
