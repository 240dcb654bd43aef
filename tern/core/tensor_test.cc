// SPDX-License-Identifier: MIT
#include "tern/core/tensor.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tern/base/error.h"

namespace tern {
namespace {

class TensorTest : public testing::Test {
 protected:
  Tensor Iota(const Shape& shape) {
    Tensor tensor = Tensor::Empty(pool_, shape, DType::kI32);
    std::iota(tensor.data<int32_t>(), tensor.data<int32_t>() + tensor.elements(), 0);
    return tensor;
  }
  MemoryPool pool_;
};

int32_t At(const Tensor& tensor, std::initializer_list<int64_t> index) {
  int64_t offset = 0;
  int axis = 0;
  for (int64_t i : index) offset += i * tensor.stride(axis++);
  return tensor.data<int32_t>()[offset];
}

TEST_F(TensorTest, ElementsAreAlignedContiguousAndReturnedToThePool) {
  {
    const Tensor tensor = Tensor::Empty(pool_, {3, 5}, DType::kF32);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.raw()) % 64, 0u);
    EXPECT_TRUE(tensor.is_contiguous());
    EXPECT_EQ(tensor.bytes(), 60u);
    EXPECT_GT(pool_.stats().live_bytes, 0u);
  }
  EXPECT_EQ(pool_.stats().live_bytes, 0u);
}

TEST_F(TensorTest, ViewsShareElements) {
  const Tensor base = Iota({2, 3, 4});
  const Tensor transposed = base.Transposed(0, 2);
  EXPECT_EQ(transposed.shape(), Shape({4, 3, 2}));
  EXPECT_FALSE(transposed.is_contiguous());
  EXPECT_EQ(At(transposed, {3, 1, 1}), 12 + 4 + 3);
  EXPECT_TRUE(transposed.SharesStorage(base));
  const Tensor slice = base.Sliced(2, 1, 4, 2);
  EXPECT_EQ(slice.shape(), Shape({2, 3, 2}));
  EXPECT_EQ(At(slice, {1, 2, 1}), 12 + 8 + 3);
  const Tensor row = base.Selected(1, 2);
  EXPECT_EQ(row.shape(), Shape({2, 4}));
  EXPECT_EQ(At(row, {1, 0}), 20);
  EXPECT_EQ(base.use_count(), 4);
}

TEST_F(TensorTest, BroadcastRepeatsWithoutCopy) {
  const Tensor base = Iota({3, 1});
  const Tensor wide = base.Broadcast({2, 3, 4});
  EXPECT_EQ(At(wide, {1, 2, 3}), 2);
  EXPECT_EQ(wide.stride(0), 0);
  EXPECT_EQ(wide.stride(2), 0);
  EXPECT_THROW(base.Broadcast({3}), Error);
  EXPECT_THROW(base.Broadcast({4, 4}), Error);
}

TEST_F(TensorTest, ReshapeFollowsStridesWhereItCan) {
  const Tensor base = Iota({4, 6});
  const Tensor half = base.Sliced(1, 0, 3);  // [4, 3], row stride 6
  const Tensor split = half.Reshaped({2, 2, 3});
  EXPECT_EQ(At(split, {1, 1, 2}), 3 * 6 + 2);
  EXPECT_FALSE(half.CanReshape({12}));
  EXPECT_THROW(half.Reshaped({12}), Error);
  EXPECT_THROW(base.Reshaped({5, 5}), Error);
  const Tensor one = base.Sliced(0, 1, 2).Transposed(0, 1);  // [6, 1]
  EXPECT_EQ(At(one.Reshaped({2, 3}), {1, 2}), 6 + 5);
}

TEST_F(TensorTest, ShapesRefuseWhatDoesNotFit) {
  EXPECT_THROW(Shape({-1}), Error);
  EXPECT_THROW(Shape({1, 1, 1, 1, 1, 1, 1}), Error);
  EXPECT_THROW(Shape({int64_t{1} << 40, int64_t{1} << 40}), Error);
  EXPECT_EQ(BroadcastShapes({3, 1}, {4}), Shape({3, 4}));
  EXPECT_THROW(BroadcastShapes({3}, {4}), Error);
}

TEST_F(TensorTest, ExternalElementsKeepTheirOwner) {
  auto owner = std::make_shared<std::vector<float>>(6, 2.0f);
  const std::weak_ptr<std::vector<float>> watch = owner;
  {
    const Tensor tensor = Tensor::FromExternal(pool_, owner->data(), {2, 3}, DType::kF32, owner);
    owner.reset();
    EXPECT_FALSE(watch.expired());
    EXPECT_EQ(tensor.span<float>()[5], 2.0f);
  }
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace tern
