// SPDX-License-Identifier: MIT
// Answers within a conversation: renders it, keeps what the session has read already of these
// tokens, reads the rest and generates. The answer depends on messages and options alone, not on
// what the session held before.
#pragma once

#include <ctime>
#include <string_view>
#include <vector>

#include "tern/base/function_ref.h"
#include "tern/models/chat_format.h"
#include "tern/runtime/generate.h"

namespace tern {

struct Conversation {
  std::vector<ChatMessage> messages;
  std::tm now = {};  // what its template takes for the time; one for all turns keeps what was read
};

struct ConversationAnswer {
  GenerateResult result;      // prompt_tokens: those that were read now
  int64_t reused_tokens = 0;  // those at the beginning that the session held
};

// Continues the conversation as the assistant. Ends at the format's end of turn too. on_text gets
// the text as Generate hands it out, and an empty one now and then while a long prompt is read; it
// returns whether to go on. Throws Error for a conversation that the template refuses, or that
// leaves no room for an answer; the session stays usable.
ConversationAnswer AnswerConversation(Session& session, const Tokenizer& tokenizer,
                                      const ChatFormat& format, const Conversation& conversation,
                                      const GenerateOptions& options,
                                      FunctionRef<bool(std::string_view text)> on_text);

}  // namespace tern
