// SPDX-License-Identifier: MIT
#include "tern/core/shape.h"

#include <algorithm>

#include "tern/base/check.h"
#include "tern/base/error.h"

namespace tern {

Shape::Shape(std::span<const int64_t> dims) {
  if (dims.size() > kMaxRank) {
    Fail(ErrorKind::kInvalidArgument, "a shape of rank {} is above the largest rank {}",
         dims.size(), kMaxRank);
  }
  for (int64_t dim : dims) {
    if (dim < 0) Fail(ErrorKind::kInvalidArgument, "a shape has the negative extent {}", dim);
    if (__builtin_mul_overflow(elements_, dim, &elements_)) {
      Fail(ErrorKind::kInvalidArgument, "the number of elements of a shape overflows 64 bits");
    }
    dims_[rank_++] = dim;
  }
}

int Shape::NormalizeAxis(int axis) const {
  const int normal = axis < 0 ? axis + rank_ : axis;
  TERN_CHECK(normal >= 0 && normal < rank_);
  return normal;
}

Shape Shape::With(int axis, int64_t extent) const {
  std::array<int64_t, kMaxRank> dims = dims_;
  dims[NormalizeAxis(axis)] = extent;
  return Shape(std::span<const int64_t>(dims.data(), rank_));
}

Shape Shape::Without(int axis) const {
  std::array<int64_t, kMaxRank> dims = dims_;
  const int at = NormalizeAxis(axis);
  std::copy(dims_.begin() + at + 1, dims_.begin() + rank_, dims.begin() + at);
  return Shape(std::span<const int64_t>(dims.data(), rank_ - 1));
}

Shape Shape::Inserted(int axis, int64_t extent) const {
  TERN_CHECK(axis >= 0 && axis <= rank_ && rank_ < kMaxRank);
  std::array<int64_t, kMaxRank> dims = dims_;
  std::copy(dims_.begin() + axis, dims_.begin() + rank_, dims.begin() + axis + 1);
  dims[axis] = extent;
  return Shape(std::span<const int64_t>(dims.data(), rank_ + 1));
}

bool Shape::operator==(const Shape& other) const {
  return std::ranges::equal(dims(), other.dims());
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(dims_[axis]);
  }
  return text + "]";
}

Shape BroadcastShapes(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::array<int64_t, Shape::kMaxRank> dims = {};
  for (int i = 1; i <= rank; ++i) {
    const int64_t x = i <= a.rank() ? a[-i] : 1;
    const int64_t y = i <= b.rank() ? b[-i] : 1;
    if (x != y && x != 1 && y != 1) {
      Fail(ErrorKind::kInvalidArgument,
           "shapes {} and {} do not broadcast: extents {} and {} differ and neither is 1",
           a.ToString(), b.ToString(), x, y);
    }
    dims[rank - i] = x == 1 ? y : x;
  }
  return Shape(std::span<const int64_t>(dims.data(), rank));
}

}  // namespace tern
