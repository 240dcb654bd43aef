// SPDX-License-Identifier: MIT
// Tensor: a handle of an n-dimensional, strided array. Copying a handle shares the elements; views
// (transpose, slice, broadcast, reshape where the strides allow) share them too and never copy.
//
// The elements come from a MemoryPool, in one block with their reference count, or belong to
// somebody else (a mapped file) whom the tensor keeps alive. The pool must outlive its tensors.
// Handles may be copied and dropped by any thread; elements are not synchronized.
//
// The functions here do no arithmetic and record nothing for gradients; tern/ops has the recorded
// forms. A view of a tensor that is linked to a tape is refused (Detached() first), so that a
// gradient cannot get lost unseen.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "tern/base/check.h"
#include "tern/core/device.h"
#include "tern/core/dtype.h"
#include "tern/core/memory_pool.h"
#include "tern/core/shape.h"

namespace tern {

class Tape;

// A tensor's place on a tape; set and read by tern/autograd alone.
struct TapeLink {
  Tape* tape = nullptr;
  int32_t variable = -1;
  uint32_t pass = 0;  // between which two calls of Clear() it was recorded
};

template <typename T>
constexpr DType DTypeOf();
template <>
constexpr DType DTypeOf<double>() {
  return DType::kF64;
}
template <>
constexpr DType DTypeOf<float>() {
  return DType::kF32;
}
template <>
constexpr DType DTypeOf<int8_t>() {
  return DType::kI8;
}
template <>
constexpr DType DTypeOf<uint8_t>() {
  return DType::kU8;
}
template <>
constexpr DType DTypeOf<int32_t>() {
  return DType::kI32;
}

class Tensor {
 public:
  using Strides = std::array<int64_t, Shape::kMaxRank>;  // in elements; 0 where broadcast

  // An undefined tensor: defined() is false, and nothing else may be called.
  Tensor() = default;
  Tensor(const Tensor& other) noexcept;
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(const Tensor& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor() { Drop(); }

  // Uninitialized elements, contiguous, 64-byte aligned. Throws Error(kOutOfMemory).
  static Tensor Empty(MemoryPool& pool, const Shape& shape, DType dtype,
                      MemoryTag tag = MemoryTag::kTensor, Device device = {});
  // Elements that `owner` keeps alive; data must be aligned for dtype. They must not be written
  // unless the owner says so.
  static Tensor FromExternal(MemoryPool& pool, const void* data, const Shape& shape, DType dtype,
                             std::shared_ptr<const void> owner);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  int64_t dim(int axis) const { return shape_[axis]; }
  int64_t elements() const { return shape_.elements(); }
  int64_t stride(int axis) const { return strides_[shape_.NormalizeAxis(axis)]; }
  const Strides& strides() const { return strides_; }
  DType dtype() const { return dtype_; }
  Device device() const;
  size_t bytes() const { return static_cast<size_t>(elements()) * ElementBytes(dtype_); }
  bool is_contiguous() const;

  void* raw() const { return data_; }
  // The first element; T must be the dtype (bf16 and f16 are read as uint16_t).
  template <typename T>
  T* data() const {
    if constexpr (std::is_same_v<T, uint16_t>) {
      TERN_CHECK(dtype_ == DType::kBF16 || dtype_ == DType::kF16);
    } else {
      TERN_CHECK(dtype_ == DTypeOf<T>());
    }
    return static_cast<T*>(data_);
  }
  // All elements of a contiguous tensor.
  template <typename T>
  std::span<T> span() const {
    TERN_CHECK(is_contiguous());
    return {data<T>(), static_cast<size_t>(elements())};
  }
  // The element of a tensor that has exactly one.
  template <typename T>
  T item() const {
    TERN_CHECK(elements() == 1);
    return *data<T>();
  }

  // How many handles share the elements; 1: nobody else sees a change.
  int use_count() const;
  bool unique() const { return use_count() == 1; }
  // Whether both share one block of elements.
  bool SharesStorage(const Tensor& other) const { return storage_ == other.storage_; }

  // Views. Wrong arguments are Error(kInvalidArgument) with the shapes.
  Tensor Reshaped(const Shape& shape) const;  // Error if the strides do not allow it without a copy
  bool CanReshape(const Shape& shape) const;
  Tensor Transposed(int axis_a, int axis_b) const;
  Tensor Sliced(int axis, int64_t begin, int64_t end, int64_t step = 1) const;
  Tensor Selected(int axis, int64_t index) const;  // removes the axis
  Tensor Broadcast(const Shape& shape) const;

  TapeLink link() const { return link_; }
  void set_link(TapeLink link) { link_ = link; }
  Tensor Detached() const;

 private:
  struct Storage;

  void Drop() noexcept;
  // Strides of `shape` over the same elements; false if there are none.
  bool ReshapedStrides(const Shape& shape, Strides* strides) const;
  Tensor View(const Shape& shape, const Strides& strides, int64_t offset_elements) const;

  Storage* storage_ = nullptr;
  void* data_ = nullptr;
  Shape shape_;
  Strides strides_ = {};
  TapeLink link_;
  DType dtype_ = DType::kF32;
};

}  // namespace tern
