// SPDX-License-Identifier: MIT
#include "tern/runtime/conversation.h"

#include <gtest/gtest.h>

#include <string>

#include "tern/base/error.h"
#include "tern/runtime/test_model.h"

namespace tern {
namespace {

using Messages = std::vector<ChatMessage>;

constexpr auto GoOn = [](std::string_view) { return true; };

class ConversationTest : public ::testing::Test {
 protected:
  ConversationTest()
      : format_(ChatTemplate("{% for m in messages %}{{ m.role }} {{ m.content }}\n{% endfor %}"
                             "{% if add_generation_prompt %}assistant {% endif %}",
                             "test"),
                {{"eos_token", "<eos>"}}) {
    ModelConfig config = TinyConfig();
    config.max_positions = 600;
    model_ = Model::Create(ctx_, config, 40);
    model_->Pack(ctx_);
    options_.max_tokens = 12;
    options_.sampler = {.temperature = 1, .seed = 3};
  }

  ConversationAnswer Answer(Session& session, const Messages& messages) {
    return AnswerConversation(session, tokenizer_, format_, {messages}, options_, GoOn);
  }

  TestContext ctx_;
  std::unique_ptr<Model> model_;
  const Tokenizer tokenizer_ = ByteTokenizer();
  ChatFormat format_;
  GenerateOptions options_;
};

TEST_F(ConversationTest, AnswersAlikeWhateverTheSessionHeld) {
  Session session(ctx_, *model_);
  Messages messages = {{"system", std::string(200, 's')}, {"user", "Hello"}};
  int64_t held = 0;
  for (int turn = 0; turn < 3; ++turn) {
    const ConversationAnswer kept = Answer(session, messages);
    Session fresh(ctx_, *model_);
    const ConversationAnswer anew = Answer(fresh, messages);
    EXPECT_EQ(kept.result.ids, anew.result.ids);
    EXPECT_EQ(kept.result.text, anew.result.text);
    EXPECT_EQ(anew.reused_tokens, 0);
    EXPECT_EQ(kept.reused_tokens + kept.result.prompt_tokens, anew.result.prompt_tokens);
    // All that the last turn read, but for its answer, whose bytes need not be UTF-8.
    EXPECT_GE(kept.reused_tokens, held);
    held = anew.result.prompt_tokens;
    messages.push_back({"assistant", kept.result.text});
    messages.push_back({"user", "Go on"});
  }
  // The same question again, and one that shares its beginning alone.
  messages.resize(2);
  EXPECT_EQ(Answer(session, messages).result.ids, Answer(session, messages).result.ids);
  messages[1].content = "Help";
  const std::string shared = format_.Render(messages, true, {});
  EXPECT_EQ(Answer(session, messages).reused_tokens, static_cast<int64_t>(shared.find("p\n")));
}

TEST_F(ConversationTest, EndsAtTheFormatsEndOfTurn) {
  Session session(ctx_, *model_);
  // Nothing but the token that ends a turn is likely enough.
  options_.max_tokens = 400;
  options_.sampler = {.temperature = 100, .seed = 1};
  const ConversationAnswer answer = Answer(session, {{"user", "a"}});
  EXPECT_EQ(answer.result.reason, StopReason::kEndToken);
  EXPECT_LT(answer.result.ids.size(), 400U);
}

TEST_F(ConversationTest, StopsWhileItReads) {
  Session session(ctx_, *model_);
  const Messages messages = {{"user", std::string(500, 'a')}};
  int calls = 0;
  const ConversationAnswer answer =
      AnswerConversation(session, tokenizer_, format_, {messages}, options_,
                         [&](std::string_view) { return ++calls < 3; });
  EXPECT_EQ(answer.result.reason, StopReason::kCancelled);
  EXPECT_EQ(answer.result.text, "");
  EXPECT_EQ(session.position(), 256);
  EXPECT_EQ(Answer(session, messages).reused_tokens, 256);
}

TEST_F(ConversationTest, RefusesWhatDoesNotFit) {
  Session session(ctx_, *model_, {.capacity = 32});
  try {
    Answer(session, {{"user", std::string(100, 'a')}});
    ADD_FAILURE() << "answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("116 tokens"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("context of 32"), std::string::npos) << error.what();
  }
  EXPECT_GT(Answer(session, {{"user", "a"}}).result.prompt_tokens, 0);
}

}  // namespace
}  // namespace tern
