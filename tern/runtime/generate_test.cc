// SPDX-License-Identifier: MIT
#include "tern/runtime/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tern/base/error.h"
#include "tern/runtime/test_model.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

using ::testing::HasSubstr;

constexpr auto GoOn = [](std::string_view) { return true; };

class GenerateTest : public ::testing::Test {
 protected:
  GenerateTest() {
    ModelConfig config = TinyConfig();
    config.eos = {kTestEos};
    model_ = Model::Create(ctx_, config, 40);
    model_->Pack(ctx_);
  }

  GenerateResult Run(const GenerateOptions& options, int64_t capacity = 0) {
    Session session(ctx_, *model_, {.capacity = capacity});
    return Generate(session, tokenizer_, prompt_, options, GoOn);
  }

  // Options whose text is long enough to find stop strings in.
  static GenerateOptions Sampled(uint64_t seed = 1) {
    GenerateOptions options;
    options.max_tokens = 40;
    options.sampler = {.temperature = 1, .seed = seed};
    options.ignore_eos = true;
    return options;
  }

  std::string Text(const std::vector<int32_t>& ids) const {
    std::vector<int32_t> known;
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(known),
                 [&](int32_t id) { return tokenizer_.HasToken(id); });
    std::string text;
    AppendRepairedUtf8(tokenizer_.Decode(known, /*skip_special=*/true), /*final=*/true, &text);
    return text;
  }

  TestContext ctx_;
  std::unique_ptr<Model> model_;
  const Tokenizer tokenizer_ = ByteTokenizer();
  const std::vector<int32_t> prompt_ = {72, 101, 108, 108, 111};
};

TEST_F(GenerateTest, StreamsWholeCharactersThatMakeUpTheText) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Session session(ctx_, *model_);
    std::string streamed;
    const GenerateResult result =
        Generate(session, tokenizer_, prompt_, Sampled(seed), [&](std::string_view piece) {
          EXPECT_FALSE(piece.empty());
          EXPECT_EQ(ValidUtf8Prefix(piece), piece.size());
          streamed += piece;
          return true;
        });
    EXPECT_EQ(result.ids.size(), 40u);
    EXPECT_EQ(result.reason, StopReason::kMaxTokens);
    EXPECT_EQ(streamed, result.text);
    EXPECT_EQ(result.text, Text(result.ids));
  }
}

TEST_F(GenerateTest, ASeedNamesOneText) {
  const GenerateResult a = Run(Sampled(5));
  EXPECT_EQ(Run(Sampled(5)).ids, a.ids);
  EXPECT_NE(Run(Sampled(6)).ids, a.ids);
}

TEST_F(GenerateTest, GreedyTakesTheLargestLogitOfAPassWithoutCache) {
  std::vector<int32_t> text = prompt_;
  for (int i = 0; i < 12; ++i) {
    const Tensor logits = LogitsWithoutCache(ctx_, *model_, text);
    const auto row = logits.Selected(0, static_cast<int64_t>(text.size()) - 1).span<float>();
    text.push_back(static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  const std::vector<int32_t> expected(text.begin() + 5, text.end());
  Session session(ctx_, *model_);
  EXPECT_EQ(Greedy(session, prompt_, 12), expected);
  GenerateOptions options;
  options.max_tokens = 12;
  options.sampler.temperature = 0;
  options.ignore_eos = true;
  EXPECT_EQ(Run(options).ids, expected);
}

TEST_F(GenerateTest, GreedyNeedsRoom) {
  Session session(ctx_, *model_, {.capacity = 10});
  EXPECT_THROW(Greedy(session, prompt_, 7), Error);
  EXPECT_THROW(Greedy(session, prompt_, 0), Error);
  EXPECT_EQ(session.position(), 0);
  EXPECT_EQ(Greedy(session, prompt_, 6).size(), 6u);
  EXPECT_EQ(session.position(), 10);
}

TEST_F(GenerateTest, MaxTokens) {
  GenerateOptions options = Sampled();
  options.max_tokens = 7;
  GenerateResult result = Run(options);
  EXPECT_EQ(result.ids.size(), 7u);
  EXPECT_EQ(result.steps, 6);
  EXPECT_EQ(result.prompt_tokens, 5);
  EXPECT_GT(result.prompt_seconds, 0);
  EXPECT_GT(result.generate_seconds, 0);
  options.max_tokens = 0;
  result = Run(options);
  EXPECT_TRUE(result.ids.empty());
  EXPECT_EQ(result.text, "");
  options.max_tokens = -1;
  EXPECT_THROW(Run(options), Error);
}

TEST_F(GenerateTest, EndTokensEndTheTextAndAreNotInIt) {
  const GenerateResult whole = Run(Sampled());
  const int32_t end = whole.ids[9];
  const auto first = std::find(whole.ids.begin(), whole.ids.end(), end);
  const std::vector<int32_t> expected(whole.ids.begin(), first);
  GenerateOptions options = Sampled();
  options.stop_ids = {3000, end};
  GenerateResult result = Run(options);
  EXPECT_EQ(result.reason, StopReason::kEndToken);
  EXPECT_EQ(result.ids, expected);
  EXPECT_EQ(result.text, Text(expected));

  // The same as the model's end-of-sequence, unless that is ignored.
  ModelConfig config = model_->config();
  config.eos = {kTestEos, end};
  const auto model = Model::Create(ctx_, config, 40);
  model->Pack(ctx_);
  options = Sampled();
  Session ignoring(ctx_, *model);
  EXPECT_EQ(Generate(ignoring, tokenizer_, prompt_, options, GoOn).ids, whole.ids);
  options.ignore_eos = false;
  Session session(ctx_, *model);
  result = Generate(session, tokenizer_, prompt_, options, GoOn);
  EXPECT_EQ(result.reason, StopReason::kEndToken);
  EXPECT_EQ(result.ids, expected);
}

TEST_F(GenerateTest, StopStringsEndTheTextBeforeThem) {
  const GenerateResult whole = Run(Sampled());
  ASSERT_GT(whole.text.size(), 20u);
  // Ends with a whole character, so that it is UTF-8; begins at one too.
  std::string_view tail = std::string_view(whole.text).substr(10);
  while ((tail.front() & 0xC0) == 0x80) tail.remove_prefix(1);
  std::string stop;
  for (int i = 0; i < 3; ++i) {
    const size_t size = FirstUtf8(tail).size_bytes;
    stop += tail.substr(0, size);
    tail.remove_prefix(size);
  }
  GenerateOptions options = Sampled();
  options.stop = {"not in the text at all", stop};
  Session session(ctx_, *model_);
  std::string streamed;
  const GenerateResult result =
      Generate(session, tokenizer_, prompt_, options, [&](std::string_view piece) {
        streamed += piece;
        EXPECT_EQ(streamed.find(stop), std::string::npos);
        return true;
      });
  EXPECT_EQ(result.reason, StopReason::kStopString);
  EXPECT_EQ(result.text, whole.text.substr(0, whole.text.find(stop)));
  EXPECT_EQ(streamed, result.text);
  EXPECT_LT(result.ids.size(), whole.ids.size());
}

TEST_F(GenerateTest, HeldBackTextComesWhenTheTextEnds) {
  const GenerateResult whole = Run(Sampled());
  GenerateOptions options = Sampled();
  // All of the text may be the beginning of this, to the very end.
  options.stop = {whole.text + "!"};
  Session session(ctx_, *model_);
  int pieces = 0;
  const GenerateResult result = Generate(session, tokenizer_, prompt_, options, [&](auto) {
    ++pieces;
    return true;
  });
  EXPECT_EQ(result.text, whole.text);
  EXPECT_EQ(result.reason, StopReason::kMaxTokens);
  EXPECT_EQ(pieces, 1);
}

TEST_F(GenerateTest, AFullContextEndsTheText) {
  const GenerateResult result = Run(Sampled(), 12);
  EXPECT_EQ(result.reason, StopReason::kContextFull);
  EXPECT_EQ(result.ids.size(), 8u);  // after 5, 6, ..., 12 tokens
  try {
    Run(Sampled(), 4);
    FAIL() << "a prompt longer than the context was taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the prompt has 5 tokens, but the context holds 4"));
  }
}

TEST_F(GenerateTest, TheCallerCancels) {
  Session session(ctx_, *model_);
  int pieces = 0;
  const GenerateResult result =
      Generate(session, tokenizer_, prompt_, Sampled(), [&](auto) { return ++pieces < 3; });
  EXPECT_EQ(result.reason, StopReason::kCancelled);
  EXPECT_EQ(pieces, 3);
  EXPECT_LT(result.ids.size(), 40u);
}

TEST_F(GenerateTest, ThePenaltySeesPromptAndText) {
  GenerateOptions options;
  options.max_tokens = 12;
  options.sampler = {.temperature = 0, .repetition_penalty = 1.5, .repetition_window = 0};
  options.ignore_eos = true;
  std::vector<int32_t> text = prompt_;
  for (int i = 0; i < 12; ++i) {
    const Tensor logits = LogitsWithoutCache(ctx_, *model_, text);
    const auto row = logits.Selected(0, static_cast<int64_t>(text.size()) - 1).span<float>();
    std::vector<double> penalized(row.begin(), row.end());
    for (const int32_t id : text) {
      const double logit = row[static_cast<size_t>(id)];
      penalized[static_cast<size_t>(id)] = logit > 0 ? logit / 1.5 : logit * 1.5;
    }
    const auto best = std::max_element(penalized.begin(), penalized.end());
    text.push_back(static_cast<int32_t>(best - penalized.begin()));
  }
  EXPECT_EQ(Run(options).ids, std::vector<int32_t>(text.begin() + 5, text.end()));
  Session session(ctx_, *model_);
  EXPECT_NE(Greedy(session, prompt_, 12), Run(options).ids);
}

}  // namespace
}  // namespace tern
