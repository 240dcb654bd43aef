// SPDX-License-Identifier: MIT
// Shape: the extents of a tensor, outermost first, rank 0 (a scalar) to kMaxRank, held inline.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace tern {

class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;
  // Throws Error(kInvalidArgument) for a negative extent, a rank above kMaxRank, or a number of
  // elements that overflows int64.
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const int64_t> dims);

  int rank() const { return rank_; }
  // axis may be negative: -1 is the last. Out of range is a programmer's mistake.
  int64_t operator[](int axis) const { return dims_[NormalizeAxis(axis)]; }
  int64_t elements() const { return elements_; }
  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }

  // This shape with one extent replaced, removed or inserted before `axis`.
  Shape With(int axis, int64_t extent) const;
  Shape Without(int axis) const;
  Shape Inserted(int axis, int64_t extent) const;

  int NormalizeAxis(int axis) const;

  bool operator==(const Shape& other) const;
  std::string ToString() const;  // "[2, 3, 4]"

 private:
  std::array<int64_t, kMaxRank> dims_ = {};
  int64_t elements_ = 1;
  int rank_ = 0;
};

// The shape that both broadcast to by NumPy's rule; Error(kInvalidArgument) naming both if none.
Shape BroadcastShapes(const Shape& a, const Shape& b);

}  // namespace tern
