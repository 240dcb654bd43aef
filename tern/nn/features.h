// SPDX-License-Identifier: MIT
// What layers hand each other: rows in the form that the next layer multiplies.
#pragma once

#include <cstdint>

#include "tern/core/tensor.h"
#include "tern/pack/quant_rows.h"

namespace tern::nn {

enum class ActivationKind : uint8_t { kInt8, kFloat };

// Rows [rows, k] of one kind: quantized, or f32.
struct Features {
  QuantRows quantized;
  Tensor plain;
};

}  // namespace tern::nn
