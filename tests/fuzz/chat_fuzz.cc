// SPDX-License-Identifier: MIT
// A chat template from a stranger: up to the first zero byte the input is the template, behind it
// what the user says. Both render, or give an Error of one line, and do so the same way twice.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tern/base/error.h"
#include "tern/text/chat_template.h"
#include "tern/text/utf8.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// The text, or the message of the Error.
std::string Rendered(const tern::ChatTemplate& chat, const nlohmann::ordered_json& variables) {
  try {
    std::string text = chat.Render(variables, {});
    Require(tern::ValidUtf8Prefix(text) == text.size());
    return text;
  } catch (const tern::Error& error) {
    Require(std::string_view(error.what()).find('\n') == std::string_view::npos);
    return error.what();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = std::min(input.find('\0'), size);
  const nlohmann::ordered_json variables = {
      {"messages",
       {{{"role", "system"}, {"content", "Be brief."}},
        {{"role", "user"}, {"content", input.substr(std::min(zero + 1, size))}},
        {{"role", "assistant"}, {"content", "<think>\n</think> 4"}, {"tool_calls", {1, 2.5}}}}},
      {"tools", nullptr},
      {"add_generation_prompt", true},
      {"bos_token", "<s>"}};
  try {
    const tern::ChatTemplate chat(input.substr(0, zero), "fuzz");
    Require(Rendered(chat, variables) == Rendered(chat, variables));
  } catch (const tern::Error& error) {
    Require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
