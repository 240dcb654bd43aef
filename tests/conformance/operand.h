// SPDX-License-Identifier: MIT
// Operands of conformance cases: described by dtype, shape, values and layout, and put into memory
// between guard zones, so that a kernel that writes beside its output, into the gaps of a view or
// into an input is caught. Under AddressSanitizer the guard zones may not be touched at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tern/core/memory_pool.h"
#include "tern/core/tensor.h"

namespace tern::conformance {

struct Case;

enum class Fill {
  kNormal,    // standard normal
  kUniform,   // in [low, high)
  kIntegers,  // in low .. high
  kSpecial,   // normal numbers among zeros, infinities, NaN, subnormal and extreme ones
};

enum class Layout {
  kContiguous,
  kStepped,   // every second element of `axis`
  kSwapped,   // the last axis and `axis` change places in memory
  kRepeated,  // one element along `axis`, broadcast; for inputs
};

struct Operand {
  DType dtype = DType::kF32;
  Shape shape = {};
  Fill fill = Fill::kNormal;
  double low = 0;
  double high = 0;
  Layout layout = Layout::kContiguous;
  int axis = 0;
  bool defined = true;  // false: an optional input that is not given
  // The values are instead output `source_output` of this case.
  std::shared_ptr<const Case> source = nullptr;
  int source_output = 0;

  Operand Between(double from, double to) const { return With(Fill::kUniform, from, to); }
  Operand Integers(double from, double to) const { return With(Fill::kIntegers, from, to); }
  Operand Special() const { return With(Fill::kSpecial, 0, 0); }
  Operand Stepped(int of_axis) const { return With(Layout::kStepped, of_axis); }
  Operand Swapped(int of_axis) const { return With(Layout::kSwapped, of_axis); }
  Operand Repeated(int of_axis) const { return With(Layout::kRepeated, of_axis); }
  Operand As(DType other) const;

  std::string ToString() const;

 private:
  Operand With(Fill how, double from, double to) const;
  Operand With(Layout how, int of_axis) const;
};

inline Operand Values(DType dtype, const Shape& shape) { return {.dtype = dtype, .shape = shape}; }
inline Operand F64(const Shape& shape) { return Values(DType::kF64, shape); }
inline Operand F32(const Shape& shape) { return Values(DType::kF32, shape); }
inline Operand BF16(const Shape& shape) { return Values(DType::kBF16, shape); }
inline Operand F16(const Shape& shape) { return Values(DType::kF16, shape); }
inline Operand I32(const Shape& shape) { return Values(DType::kI32, shape).Integers(-100, 100); }
inline Operand I8(const Shape& shape) { return Values(DType::kI8, shape).Integers(-128, 127); }
inline Operand U8(const Shape& shape) { return Values(DType::kU8, shape).Integers(0, 255); }
inline Operand None() { return {.defined = false}; }

// Elements in row-major order, without gaps.
using Elements = std::vector<std::byte>;
Elements DrawElements(const Operand& operand, uint64_t seed);
Elements ElementsOf(const Tensor& tensor);

// An operand in memory.
class Placed {
 public:
  // Contiguous elements begin one element behind a multiple of 64 bytes, as those of a view may.
  Placed(MemoryPool& pool, const Operand& operand, const Elements& elements);
  ~Placed();
  Placed(const Placed&) = delete;
  Placed& operator=(const Placed&) = delete;

  const Tensor& tensor() const { return tensor_; }
  // Whether every byte that is no element is as it was; and every byte, for an input.
  bool OnlyElementsChanged();
  bool Unchanged();

 private:
  std::byte* bytes() const { return static_cast<std::byte*>(memory_.data()); }
  void GuardZones(bool forbid);

  Workspace memory_;
  size_t begin_bytes_ = 0;  // of the elements, in memory_
  size_t element_bytes_ = 0;
  Tensor tensor_;
  std::vector<std::byte> initial_;
};

}  // namespace tern::conformance
