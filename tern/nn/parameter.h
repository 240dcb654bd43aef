// SPDX-License-Identifier: MIT
// A layer's float tensor. The value is f32; a model that is trained in a narrower type rounds it to
// that type before each use, so that the forward pass sees the numbers that a file of that type
// will hold. The gradient passes the rounding unchanged.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "tern/core/context.h"
#include "tern/core/tensor.h"

namespace tern::nn {

enum class ParameterKind : uint8_t {
  kTernaryMaster,  // latent weights of a BitLinear
  kEmbedding,
  kNorm,
  kMatrix,  // of a Linear: the head, and every projection of a plain model
  kBias,
};

// A trainable tensor under its Hugging Face name. *value may be replaced by a watched handle of the
// same elements, and must be given back detached before the tape goes.
struct Parameter {
  std::string name;
  ParameterKind kind;
  Tensor* value;
};

class Weight {
 public:
  Weight() = default;
  // Rounded to `dtype` (f32, bf16 or f16) before each use. A value that is bf16 or f16 itself is
  // used as it is, and takes no gradient.
  explicit Weight(Tensor value, DType dtype = DType::kF32)
      : value_(std::move(value)), dtype_(dtype) {}

  bool defined() const { return value_.defined(); }
  const Tensor& value() const { return value_; }
  Tensor* mutable_value() { return &value_; }
  DType dtype() const { return dtype_; }

  // The value as the forward pass uses it; undefined when this is.
  Tensor Get(Context& ctx) const;
  // The same elements, off any tape.
  Weight Detached() const { return defined() ? Weight(value_.Detached(), dtype_) : Weight(); }
  // Rounds once for all, for a model that only runs.
  void Freeze(Context& ctx);

 private:
  Tensor value_;
  DType dtype_ = DType::kF32;
};

}  // namespace tern::nn
