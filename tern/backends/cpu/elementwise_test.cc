// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tern/backends/cpu/test_context.h"

namespace tern {
namespace {

class CpuElementwiseTest : public testing::Test {
 protected:
  int64_t Below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  // Of `shape`, over elements that lie in any order, with gaps, and repeated where allowed.
  Tensor RandomView(const Shape& shape, bool repeats) {
    std::vector<int64_t> order(shape.rank()), extents(shape.rank());
    for (int i = 0; i < shape.rank(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    std::vector<bool> repeated(shape.rank()), sliced(shape.rank());
    for (int i = 0; i < shape.rank(); ++i) {
      const int64_t axis = order[i];
      repeated[axis] = repeats && Below(4) == 0;
      sliced[axis] = !repeated[axis] && Below(3) == 0;
      extents[i] = repeated[axis] ? 1
                   : sliced[axis] ? 2 * shape[static_cast<int>(axis)] + 1
                                  : shape[static_cast<int>(axis)];
    }
    Tensor view = Random<float>(*ctx_, Shape(extents), random_);
    for (int i = 0; i < shape.rank(); ++i) {  // selection sort of the axes
      const int from =
          static_cast<int>(std::find(order.begin() + i, order.end(), i) - order.begin());
      view = view.Transposed(i, from);
      std::swap(order[i], order[from]);
    }
    for (int i = 0; i < shape.rank(); ++i) {
      if (sliced[i]) view = view.Sliced(i, 1, 2 * shape[i] + 1, 2);
    }
    return view.Broadcast(shape);
  }

  // The element at the place in row-major order.
  static float& At(const Tensor& t, int64_t place) {
    int64_t offset = 0;
    for (int axis = t.rank() - 1; axis >= 0; --axis) {
      offset += place % t.dim(axis) * t.stride(axis);
      place /= t.dim(axis);
    }
    return t.data<float>()[offset];
  }

  const uint32_t seed_ = std::random_device()();
  std::mt19937 random_{seed_};
  const std::unique_ptr<Context> ctx_ = MakeContext(2);
};

TEST_F(CpuElementwiseTest, AnyViewsAreWalkedRight) {
  SCOPED_TRACE(testing::Message() << "seed " << seed_);
  for (int round = 0; round < 200; ++round) {
    const bool large = round % 20 == 0;  // enough for two threads
    std::vector<int64_t> extents(large ? 2 : Below(Shape::kMaxRank + 1));
    for (int64_t& extent : extents) extent = 1 + Below(large ? 300 : 4);
    const Shape shape((std::span<const int64_t>(extents)));
    SCOPED_TRACE(shape.ToString());
    const Tensor a = RandomView(shape, true), b = RandomView(shape, true);
    const Tensor sum = RandomView(shape, false), copy = RandomView(shape, false);
    const Tensor negative = RandomView(shape, false), scaled = RandomView(shape, false);
    RunOp(*ctx_, Op::kAdd, {&a, &b}, sum);
    RunOp(*ctx_, Op::kCopy, {&a}, copy);
    RunOp(*ctx_, Op::kNeg, {&a}, negative);
    RunOp(*ctx_, Op::kMulScalar, {&a}, scaled, ScalarAttrs{3});
    for (int64_t i = 0; i < shape.elements(); ++i) {
      ASSERT_EQ(At(sum, i), At(a, i) + At(b, i)) << i;
      ASSERT_EQ(At(copy, i), At(a, i)) << i;
      ASSERT_EQ(At(negative, i), -At(a, i)) << i;
      ASSERT_EQ(At(scaled, i), At(a, i) * 3) << i;
    }
  }
}

TEST_F(CpuElementwiseTest, OnlyTheElementsOfAViewAreWritten) {
  const Tensor whole = ctx_->Empty({4, 100}, DType::kF32);
  RunOp(*ctx_, Op::kFill, {}, whole, ScalarAttrs{1});
  RunOp(*ctx_, Op::kFill, {}, whole.Sliced(0, 1, 3).Sliced(1, 10, 90, 3), ScalarAttrs{2});
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < 100; ++j) {
      const bool inside = (i == 1 || i == 2) && j >= 10 && j < 90 && (j - 10) % 3 == 0;
      ASSERT_EQ(At(whole, i * 100 + j), inside ? 2 : 1) << i << " " << j;
    }
  }
}

TEST_F(CpuElementwiseTest, WhatItDoesNotTakeIsNotSupported) {
  const Backend& cpu = ctx_->default_backend();
  const Tensor f32 = ctx_->Empty({2}, DType::kF32), f64 = ctx_->Empty({2}, DType::kF64);
  const Tensor i32 = ctx_->Empty({2}, DType::kI32), three = ctx_->Empty({3}, DType::kF32);
  const auto supports = [&](Op op, const Tensor& a, const Tensor& b, const Tensor& y) {
    const Tensor* inputs[] = {&a, &b};
    const Tensor* outputs[] = {&y};
    return cpu.Supports({.op = op, .inputs = inputs, .outputs = outputs, .attrs = AxisAttrs{0}});
  };
  EXPECT_TRUE(supports(Op::kAdd, f32, f32, f32));
  EXPECT_TRUE(supports(Op::kAdd, f64, f64, f64));
  EXPECT_FALSE(supports(Op::kAdd, f32, f64, f32));
  EXPECT_FALSE(supports(Op::kAdd, i32, i32, i32));
  EXPECT_FALSE(supports(Op::kAdd, f32, f32, three));
  EXPECT_TRUE(supports(Op::kCopy, i32, i32, f64));
  EXPECT_FALSE(supports(Op::kCopy, three, three, f32));
  EXPECT_FALSE(supports(Op::kSumAxis, f32, f32, f32));
  EXPECT_FALSE(supports(Op::kSumSquares, f32, f32, f32));
}

}  // namespace
}  // namespace tern
