// SPDX-License-Identifier: MIT
#include "tern/runtime/embed.h"

#include <algorithm>
#include <cmath>

#include "tern/base/error.h"

namespace tern {

std::vector<float> EmbedText(Context& ctx, const Model& model, std::span<const int32_t> ids) {
  if (!model.config().embeds) {
    Fail(ErrorKind::kInvalidArgument,
         "the model is a language model, not one that embeds texts (its architecture has a head, "
         "and it comes without modules.json)");
  }
  if (ids.empty()) Fail(ErrorKind::kInvalidArgument, "an empty text has no embedding");
  CheckTokenIds(ids, model.config());
  const Tensor tensor = ctx.Empty({1, static_cast<int64_t>(ids.size())}, DType::kI32);
  std::copy(ids.begin(), ids.end(), tensor.data<int32_t>());
  const Tensor state = model.Hidden(ctx, tensor, {.last = 1});
  std::vector<float> embedding(state.span<float>().begin(), state.span<float>().end());
  constexpr double kLeast = 1e-12;  // as PyTorch's normalize has it
  double squares = 0;
  for (const float x : embedding) squares += static_cast<double>(x) * x;
  const double length = std::max(std::sqrt(squares), kLeast);
  for (float& x : embedding) x = static_cast<float>(x / length);
  return embedding;
}

}  // namespace tern
