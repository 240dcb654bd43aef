// SPDX-License-Identifier: MIT
// How a model is talked to: the chat template of its files, what the template is told of its
// special tokens, and which of them end what the model says. Read apart from the model, which needs
// none of it to continue a text.
#pragma once

#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tern/models/checkpoint.h"
#include "tern/text/chat_template.h"

namespace tern {

struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"; the template knows which
  std::string content;
};

class ChatFormat {
 public:
  // `tokens` is an object: bos_token, eos_token, ... with their texts.
  ChatFormat(ChatTemplate chat, nlohmann::ordered_json tokens)
      : template_(std::move(chat)), tokens_(std::move(tokens)) {}

  // The text of a conversation. With `answer` it ends where the assistant is to go on. Throws what
  // ChatTemplate::Render throws.
  std::string Render(std::span<const ChatMessage> messages, bool answer, const std::tm& now) const;

  // The special tokens behind what an assistant has said: the one that the template puts there, and
  // eos_token. A model's own end-of-sequence may not be among them.
  std::vector<int32_t> EndOfTurn(const Tokenizer& tokenizer) const;

  // As ChatTemplate's.
  bool replaced() const noexcept { return template_.replaced(); }

 private:
  ChatTemplate template_;
  nlohmann::ordered_json tokens_;
};

// A template as a model's files hold it.
struct ChatSource {
  std::string text;
  std::string name;  // the file, for messages
};

// Of a directory: chat_template.jinja, else chat_template of tokenizer_config.json. Of a GGUF file:
// tokenizer.chat_template. nullopt where there is none. Throws Error for files that cannot be read.
std::optional<ChatSource> FindChatSource(const std::string& model_path);

// The model's format, which is told the special tokens of tokenizer_config.json or GGUF metadata.
// `template_path` names a file that goes before the model's own template. nullopt where there is
// none. Throws Error for files that cannot be read and what ChatTemplate refuses.
std::optional<ChatFormat> ReadChatFormat(const LoadedModel& model,
                                         const std::string& template_path = {});

}  // namespace tern
