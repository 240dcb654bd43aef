// SPDX-License-Identifier: MIT
// Models for `tern bench` that need no checkpoint: the shape of a known model, with random trits.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/core/context.h"
#include "tern/models/model.h"

namespace tern::cli {

// "bitnet-2b-4t", ... in the order of the help.
std::vector<std::string> ShapeNames();

// The configuration of a shape of ShapeNames().
ModelConfig ShapeConfig(std::string_view name);

// A model that only runs: packed random trits, a third of each, and small floats in bf16. The same
// numbers on every machine.
std::unique_ptr<Model> MakeRandomModel(Context& ctx, const ModelConfig& config,
                                       std::optional<TernaryLayout> layout = {});

// What a token that is drawn greedily (or, with all_logits, from all logits) reads: bytes of
// ternary weights, of the head, and their multiplications.
struct TokenWork {
  int64_t ternary_bytes = 0;
  int64_t ternary_products = 0;
  int64_t other_bytes = 0;  // head, norms and plain matrices
  std::string layout;       // of the ternary weights; empty: there are none
};

TokenWork MeasureTokenWork(Context& ctx, const Model& model, bool all_logits);

}  // namespace tern::cli
