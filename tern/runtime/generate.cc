// SPDX-License-Identifier: MIT
#include "tern/runtime/generate.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "tern/base/error.h"
#include "tern/runtime/stop_strings.h"

namespace tern {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool IsEndToken(int32_t id, const ModelConfig& config, const GenerateOptions& options) {
  const auto contains = [id](const std::vector<int32_t>& ids) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  return contains(options.stop_ids) || (!options.ignore_eos && contains(config.eos));
}

// From tokens to the text that is handed out.
class TextStream {
 public:
  TextStream(const Tokenizer& tokenizer, const GenerateOptions& options, std::string* text,
             FunctionRef<bool(std::string_view)> on_text)
      : tokenizer_(tokenizer),
        decoder_(tokenizer),
        stops_(options.stop),
        text_(text),
        on_text_(on_text) {}

  // Why the text ends with this token, if it does.
  std::optional<StopReason> Push(int32_t id) {
    if (!tokenizer_.HasToken(id)) return std::nullopt;
    return PushText(decoder_.Push(id));
  }

  // What was held back, once the text has ended for `reason`; the reason may become a better one.
  StopReason Finish(StopReason reason) {
    if (const auto stop = PushText(decoder_.Finish())) return *stop;
    const size_t before = text_->size();
    stops_.Finish(text_);
    return HandOut(before) ? reason : StopReason::kCancelled;
  }

 private:
  std::optional<StopReason> PushText(std::string_view piece) {
    const size_t before = text_->size();
    const bool stopped = stops_.Push(piece, text_);
    if (!HandOut(before)) return StopReason::kCancelled;
    if (stopped) return StopReason::kStopString;
    return std::nullopt;
  }

  bool HandOut(size_t begin) {
    return begin == text_->size() || on_text_(std::string_view(*text_).substr(begin));
  }

  const Tokenizer& tokenizer_;
  StreamDecoder decoder_;
  StopStrings stops_;
  std::string* text_;
  FunctionRef<bool(std::string_view)> on_text_;
};

}  // namespace

const char* StopReasonName(StopReason reason) {
  constexpr const char* kNames[] = {"max_tokens", "end_token", "stop_string", "context_full",
                                    "cancelled"};
  return kNames[static_cast<int>(reason)];
}

std::vector<int32_t> PromptIds(const Tokenizer& tokenizer, const ModelConfig& config,
                               std::string_view prompt) {
  EncodeOptions encode;
  encode.add_special = true;
  std::vector<int32_t> ids = tokenizer.Encode(prompt, encode);
  if (!ids.empty()) return ids;
  if (config.bos) return {*config.bos};
  if (!config.eos.empty()) return {config.eos.front()};
  Fail(ErrorKind::kInvalidArgument,
       "the model has no token that begins a text; give it a prompt to begin with");
}

GenerateResult Generate(Session& session, const Tokenizer& tokenizer,
                        std::span<const int32_t> prompt, const GenerateOptions& options,
                        FunctionRef<bool(std::string_view text)> on_text) {
  if (options.max_tokens < 0) {
    Fail(ErrorKind::kInvalidArgument, "max tokens is {}; it must be a number from 0",
         options.max_tokens);
  }
  GenerateResult result;
  Sampler sampler(session.context().pool(), options.sampler);
  TextStream stream(tokenizer, options, &result.text, on_text);

  auto start = std::chrono::steady_clock::now();
  std::span<const float> logits = session.Feed(prompt, sampler.needed());
  result.prompt_tokens = static_cast<int64_t>(prompt.size());
  result.prompt_seconds = SecondsSince(start);
  start = std::chrono::steady_clock::now();

  const auto max_tokens = static_cast<size_t>(options.max_tokens);
  const auto step = [&]() -> std::optional<StopReason> {
    if (result.ids.size() == max_tokens) return StopReason::kMaxTokens;
    if (!result.ids.empty()) {
      if (session.position() == session.capacity()) return StopReason::kContextFull;
      logits = session.Feed(result.ids.back(), sampler.needed());
      ++result.steps;
    }
    const int32_t id = sampler.Next(logits, session.ids());
    if (IsEndToken(id, session.model().config(), options)) return StopReason::kEndToken;
    result.ids.push_back(id);
    return stream.Push(id);
  };
  std::optional<StopReason> reason;
  while (!reason) reason = step();
  const bool ended_in_text =
      *reason == StopReason::kStopString || *reason == StopReason::kCancelled;
  result.reason = ended_in_text ? *reason : stream.Finish(*reason);
  result.generate_seconds = SecondsSince(start);
  return result;
}

std::vector<int32_t> Greedy(Session& session, std::span<const int32_t> prompt, int64_t count) {
  const int64_t room = session.capacity() - session.position();
  const auto prompt_tokens = static_cast<int64_t>(prompt.size());
  // The last token is not read.
  if (count < 1 || prompt_tokens > room || count - 1 > room - prompt_tokens) {
    Fail(
        ErrorKind::kInvalidArgument,
        "the context holds {} more, too few for a prompt of {} and {} after it; ask for fewer, and "
        "at least one",
        room, prompt_tokens, count);
  }
  Sampler sampler(session.context().pool(), {.temperature = 0});
  std::vector<int32_t> ids = {sampler.Next(session.Feed(prompt, sampler.needed()), {})};
  while (static_cast<int64_t>(ids.size()) < count) {
    ids.push_back(sampler.Next(session.Feed(ids.back(), sampler.needed()), {}));
  }
  return ids;
}

}  // namespace tern
