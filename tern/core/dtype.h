// SPDX-License-Identifier: MIT
// Element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tern {

enum class DType : uint8_t { kF64, kF32, kBF16, kF16, kI8, kU8, kI32 };

inline constexpr int kDTypeCount = 7;

constexpr size_t ElementBytes(DType dtype) {
  constexpr size_t kBytes[kDTypeCount] = {8, 4, 2, 2, 1, 1, 4};
  return kBytes[static_cast<int>(dtype)];
}

// "f32", "bf16", ...
constexpr const char* DTypeName(DType dtype) {
  constexpr const char* kNames[kDTypeCount] = {"f64", "f32", "bf16", "f16", "i8", "u8", "i32"};
  return kNames[static_cast<int>(dtype)];
}

constexpr bool IsFloat(DType dtype) { return dtype <= DType::kF16; }

}  // namespace tern
