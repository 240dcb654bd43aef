// SPDX-License-Identifier: MIT
// Chat templates: from a conversation to the text that a model was trained to continue. A template
// is Jinja, as tokenizer_config.json, chat_template.jinja and GGUF files carry it; Tern runs the
// subset that chat templates use, with the settings and additions of transformers (trim_blocks,
// lstrip_blocks, loop controls, tojson, raise_exception, strftime_now, generation blocks). The text
// is what Jinja gives, but for generators, which are lists here, and for letters whose other case
// has several characters (ß aside). A construct outside the subset is an Error that names it and
// its line; running time, nesting and output are bounded by the size of template and conversation.
#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tern {

class ChatTemplate {
 public:
  // `name` stands for the source in messages. Throws Error(kInvalidFile) for what Jinja refuses
  // too, and Error(kUnsupported) for what the subset lacks. Templates that are known to be wrong
  // are replaced by the right one: see replaced().
  ChatTemplate(std::string_view source, std::string name);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&& other) noexcept;
  ChatTemplate& operator=(ChatTemplate&& other) noexcept;

  // `variables`: an object with messages, add_generation_prompt, bos_token, eos_token, tools, ...
  // `now` is the time of strftime_now. Throws Error(kInvalidArgument) for what the template itself
  // refuses (raise_exception) or cannot do with these values. May run in any number of threads.
  std::string Render(const nlohmann::ordered_json& variables, const std::tm& now) const;

  // Whether the source was the template that converted files of bitnet-b1.58-2B-4T carry by
  // mistake ("Human: ... BITNETAssistant: "), under which the model answers nonsense.
  bool replaced() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace tern
