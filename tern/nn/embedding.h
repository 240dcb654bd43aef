// SPDX-License-Identifier: MIT
// Token embedding: the rows of a table [vocab, hidden] by token id. A tied head multiplies by the
// same table.
#pragma once

#include <utility>

#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/nn/parameter.h"

namespace tern::nn {

class Embedding {
 public:
  explicit Embedding(Weight table) : table_(std::move(table)) {}

  // ids i32 [...] -> f32 [..., hidden]. An id outside the table is an Error.
  Tensor Forward(Context& ctx, const Tensor& ids) const;

  const Weight& table() const { return table_; }
  void Freeze(Context& ctx) { table_.Freeze(ctx); }

 private:
  Weight table_;
};

}  // namespace tern::nn
