// SPDX-License-Identifier: MIT
// Where a model under construction gets its tensors: random initialisation, or a checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "tern/core/shape.h"
#include "tern/nn/linear.h"
#include "tern/nn/parameter.h"

namespace tern {

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // The tensor under its Hugging Face name. An Error where there is none of this shape.
  virtual nn::Weight Float(const std::string& name, const Shape& shape, nn::ParameterKind kind) = 0;
  // The matrix [n, k] of a BitLinear, as a master or packed.
  virtual nn::BitLinear Ternary(const std::string& name, int64_t n, int64_t k, nn::Weight bias) = 0;
  // The matrix [n, k] of a plain model's projection, whose input is float. A source that knows the
  // weights to be trits may give a BitLinear of float activations, with the same result.
  virtual nn::Projection Plain(const std::string& name, int64_t n, int64_t k, nn::Weight bias) {
    return nn::Projection(
        nn::Linear(Float(name, {n, k}, nn::ParameterKind::kMatrix), std::move(bias)));
  }
};

}  // namespace tern
