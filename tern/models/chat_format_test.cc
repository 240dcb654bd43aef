// SPDX-License-Identifier: MIT
#include "tern/models/chat_format.h"

#include <gtest/gtest.h>

#include "tern/io/test_files.h"
#include "tern/models/gguf_model.h"
#include "tern/models/test_model.h"
#include "tern/text/byte_level.h"

namespace tern {
namespace {

using testing::ExpectError;

constexpr const char* kTurns =
    "{% for m in messages %}{{ bos_token if loop.first }}{{ m.role }}: {{ m.content }}<eot>{% "
    "endfor "
    "%}{% if add_generation_prompt %}assistant: {% endif %}";

// A token for every byte, then the special ones <s>, </s> and <eot>.
Tokenizer ChatTokenizer() {
  TokenizerSpec spec;
  spec.name = "test";
  spec.pre_tokenizer.steps.emplace_back(ByteLevelSpec{});
  spec.decoder.emplace_back();
  for (int32_t byte = 0; byte < 256; ++byte) {
    spec.vocab.push_back({ByteLevelSpell(std::string(1, static_cast<char>(byte))), byte});
  }
  for (const char* text : {"<s>", "</s>", "<eot>"}) {
    AddedToken token;
    token.id = static_cast<int32_t>(256 + spec.added_tokens.size());
    token.content = text;
    token.special = true;
    spec.added_tokens.push_back(token);
  }
  return Tokenizer(std::move(spec));
}

class ChatFormatTest : public ::testing::Test {
 protected:
  ChatFormatTest() : ctx_(CpuContext()) {
    ModelConfig config = SmallConfig();
    config.vocab_size = 260;
    config.hidden_size = 256;
    config.intermediate_size = 256;
    config.layers = 1;
    config.head_dim = 64;
    config.bos = 256;
    config.eos = {257};
    loaded_.model = Model::Create(*ctx_, config, 3);
    loaded_.model->Pack(*ctx_);
    loaded_.tokenizer = ChatTokenizer();
    loaded_.path = directory_.path();
  }

  std::string Render(bool answer = true) {
    const std::optional<ChatFormat> format = ReadChatFormat(loaded_);
    if (!format) return "none";
    return format->Render(std::vector<ChatMessage>{{"system", "s"}, {"user", "u"}}, answer, {});
  }

  TestDirectory directory_;
  std::unique_ptr<Context> ctx_;
  LoadedModel loaded_;
};

TEST_F(ChatFormatTest, FindsTheTemplateOfADirectory) {
  EXPECT_EQ(Render(), "none");
  directory_.Write("tokenizer_config.json", R"({"bos_token": "<s>", "chat_template": null})");
  EXPECT_EQ(Render(), "none");
  directory_.Write("tokenizer_config.json",
                   R"({"chat_template": "{{ bos_token }}|{{ eos_token }}|{{ pad_token }}",
                       "bos_token": "<eot>", "pad_token": {"content": "<pad>", "special": true}})");
  // What the file does not say the model knows.
  EXPECT_EQ(Render(), "<eot>|</s>|<pad>");
  directory_.Write("tokenizer_config.json", R"({"chat_template": [
      {"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"}]})");
  EXPECT_EQ(Render(), "plain");
  directory_.Write("chat_template.jinja", kTurns);
  EXPECT_EQ(Render(), "<s>system: s<eot>user: u<eot>assistant: ");
  EXPECT_EQ(Render(false), "<s>system: s<eot>user: u<eot>");
  const std::string other = directory_.Write("other.jinja", "{{ messages | length }}");
  EXPECT_EQ(ReadChatFormat(loaded_, other)->Render({}, true, {}), "0");
}

TEST_F(ChatFormatTest, FindsTheTemplateOfAGgufFile) {
  loaded_.path = directory_.File("model.gguf");
  GgufOptions options{.trits = "tq2_0", .tokenizer = &*loaded_.tokenizer, .replace = true};
  SaveGguf(*ctx_, *loaded_.model, loaded_.path, options);
  EXPECT_EQ(Render(), "none");
  options.chat_template = kTurns;
  SaveGguf(*ctx_, *loaded_.model, loaded_.path, options);
  EXPECT_EQ(FindChatSource(loaded_.path)->text, kTurns);
  const LoadedModel read = LoadModel(*ctx_, loaded_.path);
  EXPECT_EQ(ReadChatFormat(read)->Render(std::vector<ChatMessage>{{"user", "u"}}, true, {}),
            "<s>user: u<eot>assistant: ");
}

TEST_F(ChatFormatTest, RefusesBrokenFiles) {
  directory_.Write("tokenizer_config.json", R"({"chat_template": 5})");
  ExpectError([&] { Render(); }, ErrorKind::kInvalidFile,
              {"tokenizer_config.json", "chat_template"});
  directory_.Write("tokenizer_config.json", R"({"chat_template": [5]})");
  ExpectError([&] { Render(); }, ErrorKind::kInvalidFile,
              {"tokenizer_config.json", "chat_template"});
  directory_.Write("tokenizer_config.json", R"({"chat_template": "{% if %}"})");
  ExpectError([&] { Render(); }, ErrorKind::kInvalidFile, {"tokenizer_config.json: chat_template"});
  directory_.Write("chat_template.jinja", "{% include 'x' %}");
  ExpectError([&] { Render(); }, ErrorKind::kUnsupported, {"chat_template.jinja", "include"});
}

TEST_F(ChatFormatTest, KnowsWhatEndsATurn) {
  using Ids = std::vector<int32_t>;
  const auto ends = [&](const char* text) {
    directory_.Write("chat_template.jinja", text);
    return ReadChatFormat(loaded_)->EndOfTurn(*loaded_.tokenizer);
  };
  EXPECT_EQ(ends(kTurns), Ids({257, 258}));
  EXPECT_EQ(ends("{% for m in messages %}{{ m.content }}\n<eot>{% endfor %}"), Ids({257, 258}));
  EXPECT_EQ(ends("{% for m in messages %}{{ m.content + eos_token }}{% endfor %}"), Ids({257}));
  // Nothing special, nothing at all, and a template that takes no such conversation.
  EXPECT_EQ(ends("{% for m in messages %}{{ m.content }}\n###{% endfor %}"), Ids({257}));
  EXPECT_EQ(ends("{{ messages[1].content }}"), Ids({257}));
  EXPECT_EQ(ends("none"), Ids({257}));
  EXPECT_EQ(ends("{{ raise_exception('no') }}"), Ids({257}));
}

}  // namespace
}  // namespace tern
