// SPDX-License-Identifier: MIT
// Random chains of views, held against index arithmetic on the base tensor.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tern/base/error.h"
#include "tern/base/random.h"
#include "tern/core/tensor.h"

namespace tern {
namespace {

using Index = std::vector<int64_t>;

// A view as a function: its shape, and which element of the base an index stands for.
struct Model {
  Shape shape;
  std::function<int64_t(const Index&)> element;
};

int64_t RowMajor(const Shape& shape, const Index& index) {
  int64_t at = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) at = at * shape[axis] + index[axis];
  return at;
}

Index IndexOf(const Shape& shape, int64_t element) {
  Index index(static_cast<size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[axis] = element % shape[axis];
    element /= shape[axis];
  }
  return index;
}

void ExpectAlike(const Tensor& view, const Model& model) {
  ASSERT_EQ(view.shape(), model.shape);
  int64_t next = 0;
  bool in_order = true;
  for (int64_t i = 0; i < view.elements(); ++i) {
    const Index index = IndexOf(model.shape, i);
    int64_t offset = 0;
    for (int axis = 0; axis < view.rank(); ++axis) offset += index[axis] * view.stride(axis);
    ASSERT_EQ(view.data<int32_t>()[offset], model.element(index)) << "element " << i;
    in_order = in_order && offset == next++;
  }
  EXPECT_EQ(view.is_contiguous(), in_order);
}

class ViewChain {
 public:
  ViewChain(MemoryPool& pool, uint64_t seed) : random_(seed) {
    std::vector<int64_t> dims(random_.Below(5));
    for (int64_t& dim : dims) dim = static_cast<int64_t>(random_.Below(5) + (random_.Below(4) > 0));
    const Shape shape{std::span<const int64_t>(dims)};
    view = Tensor::Empty(pool, shape, DType::kI32);
    std::iota(view.data<int32_t>(), view.data<int32_t>() + view.elements(), 0);
    model = {shape, [shape](const Index& index) { return RowMajor(shape, index); }};
  }

  void Step() {
    switch (random_.Below(5)) {
      case 0:
        return Transpose();
      case 1:
        return Slice();
      case 2:
        return Select();
      case 3:
        return Broadcast();
      case 4:
        return Reshape();
    }
  }

  Tensor view;
  Model model;

 private:
  int Axis() { return static_cast<int>(random_.Below(static_cast<uint64_t>(view.rank()))); }
  // Negative in half of the cases.
  int Spelled(int axis) { return random_.Below(2) == 0 ? axis : axis - view.rank(); }

  void Transpose() {
    if (view.rank() < 2) return;
    const int a = Axis();
    const int b = Axis();
    view = view.Transposed(Spelled(a), Spelled(b));
    std::vector<int64_t> dims(model.shape.dims().begin(), model.shape.dims().end());
    std::swap(dims[a], dims[b]);
    model = {Shape{std::span<const int64_t>(dims)}, [a, b, old = model.element](Index index) {
               std::swap(index[a], index[b]);
               return old(index);
             }};
  }

  void Slice() {
    if (view.rank() == 0) return;
    const int axis = Axis();
    const int64_t extent = view.dim(axis);
    const auto begin = static_cast<int64_t>(random_.Below(static_cast<uint64_t>(extent) + 1));
    const auto end =
        begin + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(extent - begin) + 1));
    const auto step = static_cast<int64_t>(1 + random_.Below(3));
    view = view.Sliced(Spelled(axis), begin, end, step);
    model = {model.shape.With(axis, (end - begin + step - 1) / step),
             [=, old = model.element](Index index) {
               index[axis] = begin + index[axis] * step;
               return old(index);
             }};
  }

  void Select() {
    if (view.rank() == 0) return;
    const int axis = Axis();
    if (view.dim(axis) == 0) return;
    const auto at = static_cast<int64_t>(random_.Below(static_cast<uint64_t>(view.dim(axis))));
    view = view.Selected(Spelled(axis), at);
    model = {model.shape.Without(axis), [=, old = model.element](Index index) {
               index.insert(index.begin() + axis, at);
               return old(index);
             }};
  }

  void Broadcast() {
    if (view.rank() >= 4 || view.elements() > 500) return;
    std::vector<int64_t> dims(model.shape.dims().begin(), model.shape.dims().end());
    for (int64_t& dim : dims) {
      if (dim == 1) dim = static_cast<int64_t>(random_.Below(4));
    }
    const bool extra = random_.Below(2) == 1;
    if (extra) dims.insert(dims.begin(), static_cast<int64_t>(random_.Below(4)));
    const Shape shape{std::span<const int64_t>(dims)};
    view = view.Broadcast(shape);
    model = {shape, [extra, from = model.shape, old = model.element](Index index) {
               if (extra) index.erase(index.begin());
               for (int axis = 0; axis < from.rank(); ++axis) {
                 if (from[axis] == 1) index[axis] = 0;
               }
               return old(index);
             }};
  }

  // Joins two neighbouring axes, splits one, or puts in or takes out an axis of extent 1.
  void Reshape() {
    std::vector<int64_t> dims(model.shape.dims().begin(), model.shape.dims().end());
    const size_t axis = view.rank() == 0 ? 0 : static_cast<size_t>(Axis());
    const uint64_t what = random_.Below(3);
    if (what == 0 && axis + 1 < dims.size()) {
      dims[axis] *= dims[axis + 1];
      dims.erase(dims.begin() + static_cast<int64_t>(axis) + 1);
    } else if (what == 1 && !dims.empty() && dims[axis] % 2 == 0 && dims.size() < 6) {
      dims[axis] /= 2;
      dims.insert(dims.begin() + static_cast<int64_t>(axis), 2);
    } else if (dims.size() < 6) {
      dims.insert(dims.begin() + static_cast<int64_t>(axis), 1);
    }
    const Shape shape{std::span<const int64_t>(dims)};
    if (!view.CanReshape(shape)) {
      EXPECT_FALSE(view.is_contiguous());
      EXPECT_THROW(view.Reshaped(shape), Error);
      return;
    }
    view = view.Reshaped(shape);
    model = {shape, [shape, from = model.shape, old = model.element](const Index& index) {
               return old(IndexOf(from, RowMajor(shape, index)));
             }};
  }

  Random random_;
};

TEST(TensorViews, RandomChainsAgreeWithIndexArithmetic) {
  MemoryPool pool;
  const uint64_t seed = std::random_device()();
  for (uint64_t chain = 0; chain < 2000; ++chain) {
    SCOPED_TRACE("seed " + std::to_string(seed + chain));
    ViewChain views(pool, seed + chain);
    const Tensor base = views.view;
    for (int step = 0; step < 6; ++step) {
      views.Step();
      ExpectAlike(views.view, views.model);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_TRUE(views.view.SharesStorage(base));
  }
  EXPECT_EQ(pool.stats().live_bytes, 0u) << pool.LeakReport();
}

// What can be reshaped without a copy is reshaped: an order of elements that is a sequence of
// equal steps within each new axis.
TEST(TensorViews, ReshapesWheneverStridesExist) {
  MemoryPool pool;
  const Tensor base = Tensor::Empty(pool, {4, 6}, DType::kI32);
  EXPECT_TRUE(base.Transposed(0, 1).CanReshape({2, 3, 4}));
  EXPECT_TRUE(base.Transposed(0, 1).CanReshape({6, 1, 2, 2, 1}));
  EXPECT_FALSE(base.Transposed(0, 1).CanReshape({24}));
  EXPECT_TRUE(base.Sliced(1, 0, 6, 2).CanReshape({12}));  // every second element
  EXPECT_FALSE(base.Sliced(1, 0, 4, 2).CanReshape({8}));
  EXPECT_TRUE(base.Sliced(0, 0, 4, 3).CanReshape({2, 2, 3}));
  EXPECT_TRUE(base.Sliced(0, 2, 2).CanReshape({7, 0}));  // nothing can lie wrong
  const Tensor row = Tensor::Empty(pool, {1}, DType::kI32).Broadcast({3, 4});
  EXPECT_TRUE(row.CanReshape({12}));
  EXPECT_TRUE(row.CanReshape({2, 6}));
}

TEST(TensorViews, RefuseWhatLiesOutside) {
  MemoryPool pool;
  const Tensor base = Tensor::Empty(pool, {4, 6}, DType::kI32);
  for (const auto& view : std::vector<std::function<Tensor()>>{
           [&] { return base.Sliced(0, -1, 2); }, [&] { return base.Sliced(0, 0, 5); },
           [&] { return base.Sliced(0, 3, 2); }, [&] { return base.Sliced(1, 0, 6, 0); },
           [&] { return base.Selected(0, 4); }, [&] { return base.Selected(1, -1); },
           [&] {
             return base.Broadcast({4, 7});
           },
           [&] { return base.Broadcast({6}); },
           [&] {
             return base.Reshaped({5, 5});
           }}) {
    try {
      view();
      ADD_FAILURE() << "a view outside of its base";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find("[4, 6]"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace tern
