// SPDX-License-Identifier: MIT
#include "tern/runtime/conversation.h"

#include <algorithm>
#include <chrono>

#include "tern/base/error.h"

namespace tern {

ConversationAnswer AnswerConversation(Session& session, const Tokenizer& tokenizer,
                                      const ChatFormat& format, const Conversation& conversation,
                                      const GenerateOptions& options,
                                      FunctionRef<bool(std::string_view text)> on_text) {
  // Between two calls of on_text; a part of a prompt is read in one go.
  constexpr size_t kPartTokens = 128;
  const std::vector<int32_t> ids =
      tokenizer.Encode(format.Render(conversation.messages, /*answer=*/true, conversation.now));
  if (static_cast<int64_t>(ids.size()) >= session.capacity()) {
    Fail(ErrorKind::kInvalidArgument,
         "the conversation has {} tokens, which leaves no room for an answer in a context of {}",
         ids.size(), session.capacity());
  }
  if (ids.empty()) Fail(ErrorKind::kInvalidArgument, "the conversation has no text");

  const std::span<const int32_t> held = session.ids();
  auto same = static_cast<size_t>(
      std::mismatch(held.begin(), held.end(), ids.begin(), ids.end()).first - held.begin());
  same = std::min(same, ids.size() - 1);  // the logits behind the last one are needed
  session.Rewind(static_cast<int64_t>(same));

  ConversationAnswer answer;
  answer.reused_tokens = static_cast<int64_t>(same);
  GenerateOptions generate = options;
  const std::vector<int32_t> ends = format.EndOfTurn(tokenizer);
  generate.stop_ids.insert(generate.stop_ids.end(), ends.begin(), ends.end());

  std::span<const int32_t> rest = std::span(ids).subspan(same);
  const auto start = std::chrono::steady_clock::now();
  for (; rest.size() > kPartTokens; rest = rest.subspan(kPartTokens)) {
    if (!on_text("")) {
      answer.result.reason = StopReason::kCancelled;
      return answer;
    }
    session.Feed(rest.first(kPartTokens), /*top=*/1);
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  answer.result = Generate(session, tokenizer, rest, generate, on_text);
  answer.result.prompt_tokens = static_cast<int64_t>(ids.size() - same);
  answer.result.prompt_seconds += seconds;
  return answer;
}

}  // namespace tern
