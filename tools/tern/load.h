// SPDX-License-Identifier: MIT
// Loading models for the commands, and hashes of their logits that show two of them equal.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tern/core/context.h"
#include "tern/models/checkpoint.h"

namespace tern::cli {

// LoadModel of what `model` names (model_path.h).
LoadedModel Load(Context& ctx, const std::string& model, const LoadOptions& options = {});

// The same for a command that reads or writes text: Error when there is no tokenizer.
LoadedModel LoadWithTokenizer(Context& ctx, const std::string& model);

// A fixed prompt for a model without regard to its tokenizer: tokens all over the vocabulary.
std::vector<int32_t> ProbeIds(const ModelConfig& config);

// ids as the tensor [batch, ids] with equal rows.
Tensor IdsTensor(Context& ctx, std::span<const int32_t> ids, int64_t batch = 1);

// Hash of the logits at every position of the ids.
uint64_t LogitsHash(Context& ctx, const Model& model, std::span<const int32_t> ids);

// 16 hexadecimal digits.
std::string HashText(uint64_t hash);

}  // namespace tern::cli
