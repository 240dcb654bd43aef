// SPDX-License-Identifier: MIT
// The embedding of a text: the last token's state behind the last norm, of length 1.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tern/core/context.h"
#include "tern/models/model.h"

namespace tern {

// [hidden_size]. Error(kInvalidArgument) for no ids, for ids outside the vocabulary, for more than
// the model has positions, and for a language model, whose states nobody trained to be compared.
std::vector<float> EmbedText(Context& ctx, const Model& model, std::span<const int32_t> ids);

}  // namespace tern
