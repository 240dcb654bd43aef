// SPDX-License-Identifier: MIT
#include "tern/core/tensor.h"

#include <atomic>
#include <new>

#include "tern/base/error.h"

namespace tern {

// At the front of the elements' block, or alone for external elements.
struct Tensor::Storage {
  std::atomic<int32_t> references = 1;
  Device device;
  MemoryPool* pool = nullptr;
  std::shared_ptr<const void> owner;
};

namespace {

constexpr size_t kHeaderBytes = 64;

Tensor::Strides ContiguousStrides(const Shape& shape) {
  Tensor::Strides strides = {};
  int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

}  // namespace

Tensor::Tensor(const Tensor& other) noexcept
    : storage_(other.storage_),
      data_(other.data_),
      shape_(other.shape_),
      strides_(other.strides_),
      link_(other.link_),
      dtype_(other.dtype_) {
  if (storage_ != nullptr) storage_->references.fetch_add(1, std::memory_order_relaxed);
}

Tensor::Tensor(Tensor&& other) noexcept
    : storage_(std::exchange(other.storage_, nullptr)),
      data_(other.data_),
      shape_(other.shape_),
      strides_(other.strides_),
      link_(other.link_),
      dtype_(other.dtype_) {}

Tensor& Tensor::operator=(const Tensor& other) noexcept {
  if (this != &other) *this = Tensor(other);
  return *this;
}

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  if (this == &other) return *this;
  Drop();
  storage_ = std::exchange(other.storage_, nullptr);
  data_ = other.data_;
  shape_ = other.shape_;
  strides_ = other.strides_;
  link_ = other.link_;
  dtype_ = other.dtype_;
  return *this;
}

void Tensor::Drop() noexcept {
  if (storage_ == nullptr) return;
  if (storage_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    MemoryPool* pool = storage_->pool;
    storage_->~Storage();
    pool->Release(storage_);
  }
  storage_ = nullptr;
}

Tensor Tensor::Empty(MemoryPool& pool, const Shape& shape, DType dtype, MemoryTag tag,
                     Device device) {
  static_assert(sizeof(Storage) <= kHeaderBytes);
  size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<size_t>(shape.elements()), ElementBytes(dtype), &bytes) ||
      __builtin_add_overflow(bytes, kHeaderBytes, &bytes)) {
    Fail(ErrorKind::kOutOfMemory, "a tensor {} of {} overflows the address space", shape.ToString(),
         DTypeName(dtype));
  }
  void* block = pool.Allocate(bytes, tag);
  Tensor tensor;
  tensor.storage_ = new (block) Storage;
  tensor.storage_->pool = &pool;
  tensor.storage_->device = device;
  tensor.data_ = static_cast<std::byte*>(block) + kHeaderBytes;
  tensor.shape_ = shape;
  tensor.strides_ = ContiguousStrides(shape);
  tensor.dtype_ = dtype;
  return tensor;
}

Tensor Tensor::FromExternal(MemoryPool& pool, const void* data, const Shape& shape, DType dtype,
                            std::shared_ptr<const void> owner) {
  TERN_CHECK(reinterpret_cast<uintptr_t>(data) % ElementBytes(dtype) == 0);
  Tensor tensor;
  tensor.storage_ = new (pool.Allocate(sizeof(Storage), MemoryTag::kTensor)) Storage;
  tensor.storage_->pool = &pool;
  tensor.storage_->owner = std::move(owner);
  tensor.data_ = const_cast<void*>(data);
  tensor.shape_ = shape;
  tensor.strides_ = ContiguousStrides(shape);
  tensor.dtype_ = dtype;
  return tensor;
}

Device Tensor::device() const {
  TERN_CHECK(defined());
  return storage_->device;
}

int Tensor::use_count() const {
  TERN_CHECK(defined());
  return storage_->references.load(std::memory_order_acquire);
}

bool Tensor::is_contiguous() const {
  int64_t expected = 1;
  for (int axis = rank() - 1; axis >= 0; --axis) {
    if (shape_[axis] != 1 && strides_[axis] != expected) return elements() == 0;
    expected *= shape_[axis];
  }
  return true;
}

Tensor Tensor::View(const Shape& shape, const Strides& strides, int64_t offset_elements) const {
  TERN_CHECK(defined() && link_.tape == nullptr);
  Tensor view = *this;
  view.shape_ = shape;
  view.strides_ = strides;
  view.data_ =
      static_cast<std::byte*>(data_) + offset_elements * static_cast<int64_t>(ElementBytes(dtype_));
  return view;
}

// Runs of old axes whose strides chain (stride[i] == stride[i+1] * dim[i+1]) behave as one axis;
// the new axes must cut at the same places.
bool Tensor::ReshapedStrides(const Shape& shape, Strides* strides) const {
  *strides = ContiguousStrides(shape);
  if (elements() == 0 || is_contiguous()) return true;
  int old_axis = 0;
  int new_axis = 0;
  while (old_axis < rank() && new_axis < shape.rank()) {
    int64_t old_run = shape_[old_axis];
    int64_t new_run = shape[new_axis];
    const int old_begin = old_axis++;
    const int new_begin = new_axis++;
    while (old_run != new_run) {
      if (old_run < new_run) {
        old_run *= shape_[old_axis++];
      } else {
        new_run *= shape[new_axis++];
      }
    }
    int64_t stride = 0;  // of the run's innermost axis that is not 1
    int64_t expected = -1;
    for (int axis = old_axis - 1; axis >= old_begin; --axis) {
      if (shape_[axis] == 1) continue;
      if (expected < 0) {
        stride = strides_[axis];
      } else if (strides_[axis] != expected) {
        return false;
      }
      expected = strides_[axis] * shape_[axis];
    }
    for (int axis = new_axis - 1; axis >= new_begin; --axis) {
      (*strides)[axis] = stride;
      stride *= shape[axis];
    }
  }
  return true;
}

bool Tensor::CanReshape(const Shape& shape) const {
  Strides strides;
  return shape.elements() == elements() && ReshapedStrides(shape, &strides);
}

Tensor Tensor::Reshaped(const Shape& shape) const {
  Strides strides;
  if (shape.elements() != elements()) {
    Fail(ErrorKind::kInvalidArgument, "reshape of {} to {}: {} elements are not {}",
         shape_.ToString(), shape.ToString(), elements(), shape.elements());
  }
  if (!ReshapedStrides(shape, &strides)) {
    Fail(ErrorKind::kInvalidArgument,
         "reshape of {} to {}: the strides of this view do not allow it; make it contiguous first",
         shape_.ToString(), shape.ToString());
  }
  return View(shape, strides, 0);
}

Tensor Tensor::Transposed(int axis_a, int axis_b) const {
  const int a = shape_.NormalizeAxis(axis_a);
  const int b = shape_.NormalizeAxis(axis_b);
  Strides strides = strides_;
  std::swap(strides[a], strides[b]);
  return View(shape_.With(a, shape_[b]).With(b, shape_[a]), strides, 0);
}

Tensor Tensor::Sliced(int axis, int64_t begin, int64_t end, int64_t step) const {
  const int at = shape_.NormalizeAxis(axis);
  if (begin < 0 || end < begin || end > shape_[at] || step < 1) {
    Fail(ErrorKind::kInvalidArgument, "slice [{}, {}) step {} of axis {} of {} is out of range",
         begin, end, step, at, shape_.ToString());
  }
  Strides strides = strides_;
  strides[at] *= step;
  return View(shape_.With(at, (end - begin + step - 1) / step), strides, begin * strides_[at]);
}

Tensor Tensor::Selected(int axis, int64_t index) const {
  const int at = shape_.NormalizeAxis(axis);
  if (index < 0 || index >= shape_[at]) {
    Fail(ErrorKind::kInvalidArgument, "index {} of axis {} of {} is out of range", index, at,
         shape_.ToString());
  }
  Strides strides = {};
  for (int from = 0, to = 0; from < rank(); ++from) {
    if (from != at) strides[to++] = strides_[from];
  }
  return View(shape_.Without(at), strides, index * strides_[at]);
}

Tensor Tensor::Broadcast(const Shape& shape) const {
  Strides strides = {};
  const int extra = shape.rank() - rank();
  bool fits = extra >= 0;
  for (int axis = 0; fits && axis < rank(); ++axis) {
    const int64_t to = shape[axis + extra];
    fits = shape_[axis] == to || shape_[axis] == 1;
    strides[axis + extra] = shape_[axis] == 1 && to != 1 ? 0 : strides_[axis];
  }
  if (!fits) {
    Fail(ErrorKind::kInvalidArgument, "{} does not broadcast to {}", shape_.ToString(),
         shape.ToString());
  }
  return View(shape, strides, 0);
}

Tensor Tensor::Detached() const {
  Tensor detached = *this;
  detached.link_ = {};
  return detached;
}

}  // namespace tern
