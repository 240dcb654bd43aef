// SPDX-License-Identifier: MIT
// The generation loop: reads a prompt, then draws tokens and reads them in turn, until something
// ends the text. Text is handed out as it comes, never cut within a character, and held back while
// it may be the beginning of a stop string. Chat templates are not its matter.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/function_ref.h"
#include "tern/runtime/sampler.h"
#include "tern/runtime/session.h"
#include "tern/text/tokenizer.h"

namespace tern {

struct GenerateOptions {
  int64_t max_tokens = 256;
  SamplerOptions sampler;
  std::vector<std::string> stop;  // strings that end the text, and are not part of it
  std::vector<int32_t> stop_ids;  // the same for tokens, beside the model's end-of-sequence
  bool ignore_eos = false;        // end-of-sequence does not end the text
};

enum class StopReason : uint8_t {
  kMaxTokens,
  kEndToken,  // end-of-sequence, or one of stop_ids
  kStopString,
  kContextFull,  // the session holds no further token
  kCancelled,    // on_text said so
};
const char* StopReasonName(StopReason reason);  // "max_tokens", "end_token", ...

struct GenerateResult {
  std::vector<int32_t> ids;  // drawn, without the token that ended the text
  std::string text;          // everything that on_text was given
  StopReason reason = StopReason::kMaxTokens;
  int64_t prompt_tokens = 0;
  double prompt_seconds = 0;    // until the logits after the prompt were there
  double generate_seconds = 0;  // from then on
  int64_t steps = 0;            // tokens read in generate_seconds; often one less than were drawn
};

// The tokens of a new text that begins with the prompt, those included that the tokenizer puts
// around a text. Without any: the token that begins a text, or else the one that separates those
// that a model was trained on. Error(kInvalidArgument) where the model has neither.
std::vector<int32_t> PromptIds(const Tokenizer& tokenizer, const ModelConfig& config,
                               std::string_view prompt);

// Continues the session's text with `prompt` and what the model makes of it. on_text gets the text
// piece by piece and returns whether to go on. Special tokens, and ids that the tokenizer does not
// know, have no text. The last token drawn is not read: session.ids() tells what was.
// Throws Error for wrong options and for what Session::Feed and Sampler::Next refuse.
GenerateResult Generate(Session& session, const Tokenizer& tokenizer,
                        std::span<const int32_t> prompt, const GenerateOptions& options,
                        FunctionRef<bool(std::string_view text)> on_text);

// The `count` likeliest tokens one after the other, end-of-sequence ignored. Throws Error if prompt
// and tokens do not fit the session together.
std::vector<int32_t> Greedy(Session& session, std::span<const int32_t> prompt, int64_t count);

}  // namespace tern
