// SPDX-License-Identifier: MIT
#include "tests/conformance/operand.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tern/base/check.h"
#include "tern/base/float16.h"
#include "tern/base/random.h"
#include "tern/core/poison.h"

namespace tern::conformance {
namespace {

constexpr size_t kGuardBytes = 256;
constexpr std::byte kGuardByte{0xc7};

template <typename F>
void ForEachOffset(const Tensor& tensor, F f, int axis = 0, int64_t offset = 0) {
  if (axis == tensor.rank()) return f(offset);
  for (int64_t i = 0; i < tensor.dim(axis); ++i) {
    ForEachOffset(tensor, f, axis + 1, offset + i * tensor.stride(axis));
  }
}

std::byte* ElementAt(const Tensor& tensor, int64_t offset) {
  return static_cast<std::byte*>(tensor.raw()) +
         offset * static_cast<int64_t>(ElementBytes(tensor.dtype()));
}

template <typename T>
void Store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

void StoreAs(DType dtype, std::byte* to, double value) {
  const auto single = static_cast<float>(value);
  switch (dtype) {
    case DType::kF64:
      return Store(to, value);
    case DType::kF32:
      return Store(to, single);
    case DType::kBF16:
      return Store(to, RoundToBF16(single).bits);
    case DType::kF16:
      return Store(to, RoundToF16(single).bits);
    case DType::kI8:
      return Store(to, static_cast<int8_t>(std::clamp(value, -128.0, 127.0)));
    case DType::kU8:
      return Store(to, static_cast<uint8_t>(std::clamp(value, 0.0, 255.0)));
    case DType::kI32:
      return Store(to, static_cast<int32_t>(value));
  }
}

double Draw(const Operand& operand, Random& random) {
  using Limits = std::numeric_limits<float>;
  constexpr double kSpecial[] = {0.0,
                                 -0.0,
                                 Limits::denorm_min(),
                                 -3.0 * Limits::denorm_min(),
                                 Limits::min(),
                                 Limits::max(),
                                 -Limits::max(),
                                 Limits::infinity(),
                                 -Limits::infinity(),
                                 Limits::quiet_NaN(),
                                 Limits::epsilon(),
                                 1e-30,
                                 -1e-20,
                                 1e10,
                                 88.7,
                                 -87.4,
                                 -103.5,
                                 0.5};
  switch (operand.fill) {
    case Fill::kNormal:
      return random.Normal();
    case Fill::kUniform:
      return operand.low + (operand.high - operand.low) * random.Uniform();
    case Fill::kIntegers: {
      const auto count = static_cast<uint64_t>(operand.high - operand.low) + 1;
      return operand.low + static_cast<double>(random.Below(count));
    }
    case Fill::kSpecial: {
      const uint64_t which = random.Below(2 * std::size(kSpecial));
      return which < std::size(kSpecial) ? kSpecial[which] : 10 * random.Normal();
    }
  }
  TERN_CHECK(false);
}

// The extents that the elements and their gaps take in memory.
Shape BaseShape(const Operand& operand) {
  const int axis = operand.axis;
  const Shape& shape = operand.shape;
  switch (operand.layout) {
    case Layout::kContiguous:
      return shape;
    case Layout::kStepped:
      return shape.With(axis, 2 * shape[axis] + 1);
    case Layout::kSwapped:
      return shape.With(axis, shape[-1]).With(-1, shape[axis]);
    case Layout::kRepeated:
      return shape.With(axis, 1);
  }
  TERN_CHECK(false);
}

Tensor ViewOf(const Tensor& base, const Operand& operand) {
  switch (operand.layout) {
    case Layout::kContiguous:
      return base;
    case Layout::kStepped: {
      const int64_t extent = base.dim(operand.axis);
      return base.Sliced(operand.axis, 1, extent, 2);
    }
    case Layout::kSwapped:
      return base.Transposed(operand.axis, -1);
    case Layout::kRepeated:
      return base.Broadcast(operand.shape);
  }
  TERN_CHECK(false);
}

}  // namespace

Operand Operand::With(Fill how, double from, double to) const {
  Operand other = *this;
  other.fill = how;
  other.low = from;
  other.high = to;
  return other;
}

Operand Operand::With(Layout how, int of_axis) const {
  Operand other = *this;
  other.layout = how;
  other.axis = of_axis;
  return other;
}

Operand Operand::As(DType other_dtype) const {
  Operand other = *this;
  other.dtype = other_dtype;
  return other;
}

std::string Operand::ToString() const {
  if (!defined) return "-";
  constexpr const char* kLayouts[] = {"", " stepped in ", " swapped with ", " repeated in "};
  std::string text = DTypeName(dtype) + shape.ToString();
  if (layout != Layout::kContiguous) {
    text += kLayouts[static_cast<int>(layout)] + std::to_string(axis);
  }
  return text;
}

Elements DrawElements(const Operand& operand, uint64_t seed) {
  Random random(seed);
  const size_t element_bytes = ElementBytes(operand.dtype);
  Elements elements(static_cast<size_t>(operand.shape.elements()) * element_bytes);
  for (size_t at = 0; at < elements.size(); at += element_bytes) {
    StoreAs(operand.dtype, elements.data() + at, Draw(operand, random));
  }
  return elements;
}

Elements ElementsOf(const Tensor& tensor) {
  const size_t element_bytes = ElementBytes(tensor.dtype());
  Elements elements(tensor.bytes());
  std::byte* to = elements.data();
  ForEachOffset(tensor, [&](int64_t offset) {
    std::memcpy(to, ElementAt(tensor, offset), element_bytes);
    to += element_bytes;
  });
  return elements;
}

Placed::Placed(MemoryPool& pool, const Operand& operand, const Elements& elements) {
  if (!operand.defined) return;
  const Shape base_shape = BaseShape(operand);
  element_bytes_ = ElementBytes(operand.dtype);
  begin_bytes_ = kGuardBytes + element_bytes_;
  const size_t base_bytes = static_cast<size_t>(base_shape.elements()) * element_bytes_;
  memory_ = Workspace(pool, begin_bytes_ + base_bytes + kGuardBytes);
  std::memset(memory_.data(), static_cast<int>(kGuardByte), memory_.size_bytes());
  tensor_ =
      ViewOf(Tensor::FromExternal(pool, bytes() + begin_bytes_, base_shape, operand.dtype, nullptr),
             operand);
  TERN_CHECK(tensor_.shape() == operand.shape);
  TERN_CHECK(elements.size() == tensor_.bytes());
  const std::byte* from = elements.data();
  ForEachOffset(tensor_, [&](int64_t offset) {
    std::memcpy(ElementAt(tensor_, offset), from, element_bytes_);
    from += element_bytes_;
  });
  initial_.assign(bytes(), bytes() + memory_.size_bytes());
  GuardZones(true);
}

Placed::~Placed() { GuardZones(false); }

// The pool poisons on release what it unpoisoned, and expects what it handed out to be accessible.
void Placed::GuardZones(bool forbid) {
  if (memory_.data() == nullptr) return;
  const auto set = forbid ? internal::PoisonMemory : internal::UnpoisonMemory;
  set(bytes(), kGuardBytes);
  set(bytes() + memory_.size_bytes() - kGuardBytes, kGuardBytes);
}

bool Placed::OnlyElementsChanged() {
  if (memory_.data() == nullptr) return true;
  GuardZones(false);
  ForEachOffset(tensor_, [&](int64_t offset) {
    const std::byte* element = ElementAt(tensor_, offset);
    std::memcpy(initial_.data() + (element - bytes()), element, element_bytes_);
  });
  return Unchanged();
}

bool Placed::Unchanged() {
  if (memory_.data() == nullptr) return true;
  GuardZones(false);
  return std::memcmp(bytes(), initial_.data(), initial_.size()) == 0;
}

}  // namespace tern::conformance
