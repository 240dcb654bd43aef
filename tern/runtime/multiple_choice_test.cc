// SPDX-License-Identifier: MIT
#include "tern/runtime/multiple_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tern/base/test_error.h"
#include "tern/runtime/scorer.h"
#include "tern/runtime/test_model.h"

namespace tern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename Call>
std::string Message(const Call& call) {
  return testing::ErrorOf(call).what();
}

TEST(ParseChoiceQuestionsTest, ReadsLines) {
  const std::vector<ChoiceQuestion> questions = ParseChoiceQuestions(
      "{\"context\": \"a\\u0000\", \"choices\": [\"b\", \" c\"], \"answer\": 1, \"id\": 7}\r\n"
      "  \n"
      "{\"answer\": 0, \"choices\": [\"\xc3\xa4\", \"x\", \"y\"], \"context\": \"\"}",
      "q.jsonl");
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_EQ(questions[0].context, std::string("a\0", 2));
  EXPECT_THAT(questions[0].choices, ElementsAre("b", " c"));
  EXPECT_EQ(questions[0].answer, 1u);
  EXPECT_EQ(questions[1].context, "");
  EXPECT_THAT(questions[1].choices, ElementsAre("\xc3\xa4", "x", "y"));
  EXPECT_EQ(questions[1].place, "q.jsonl: line 3");
}

TEST(ParseChoiceQuestionsTest, RefusesOtherLines) {
  const auto refused = [](const std::string& line) {
    return Message([&] { ParseChoiceQuestions("\n" + line + "\n", "q.jsonl"); });
  };
  const std::string tail = ", \"answer\": 0}";
  EXPECT_THAT(refused(""), HasSubstr("q.jsonl: holds no questions"));
  EXPECT_THAT(refused("{"), HasSubstr("q.jsonl: line 2"));
  EXPECT_THAT(refused("[]"), HasSubstr("q.jsonl: line 2"));
  EXPECT_THAT(refused("{\"choices\": [\"a\", \"b\"]" + tail), HasSubstr("context"));
  EXPECT_THAT(refused("{\"context\": 1, \"choices\": [\"a\", \"b\"]" + tail), HasSubstr("context"));
  EXPECT_THAT(refused("{\"context\": \"\"" + tail), HasSubstr("choices: has 0 strings"));
  EXPECT_THAT(refused("{\"context\": \"\", \"choices\": [\"a\"]" + tail), HasSubstr("has 1"));
  EXPECT_THAT(refused("{\"context\": \"\", \"choices\": [\"a\", 2]" + tail), HasSubstr("choices"));
  EXPECT_THAT(refused("{\"context\": \"\", \"choices\": [\"a\", \"\"]" + tail),
              HasSubstr("choices: one is empty"));
  for (const char* answer : {"2", "-1", "0.5", "\"0\"", "null"}) {
    EXPECT_THAT(
        refused(std::string("{\"context\": \"\", \"choices\": [\"a\", \"b\"], \"answer\": ") +
                answer + "}"),
        HasSubstr("answer"));
  }
  std::string many = "{\"context\": \"\", \"choices\": [\"a\"";
  for (size_t i = 0; i < kMaxChoices; ++i) many += ", \"a\"";
  EXPECT_THAT(refused(many + "]" + tail), HasSubstr("has 257 strings; there must be 2 to 256"));
}

// Joins "ab" to one token, and may put the end token in front of texts.
Tokenizer JoiningTokenizer(bool leads) {
  TokenizerSpec spec;
  spec.name = "test";
  spec.pre_tokenizer.steps.emplace_back(ByteLevelSpec{});
  for (int32_t byte = 0; byte < 256; ++byte) {
    spec.vocab.push_back({ByteLevelSpell(std::string(1, static_cast<char>(byte))), byte});
  }
  spec.vocab.push_back({"ab", 257});
  spec.merges.push_back({'a', 'b', 257});
  AddedToken eos;
  eos.id = kTestEos;
  eos.content = "<eos>";
  eos.special = true;
  spec.added_tokens.push_back(eos);
  if (leads) {
    TemplatePart part;
    part.name = "<eos>";
    part.ids = {kTestEos};
    part.tokens = {"<eos>"};
    spec.post_processor.single = {part, TemplatePart()};
  }
  return Tokenizer(std::move(spec));
}

class ScoreChoicesTest : public ::testing::Test {
 protected:
  ScoreChoicesTest() {
    ModelConfig config = TinyConfig();
    config.eos = {kTestEos};
    model_ = Model::Create(ctx_, config, 60);
    model_->Pack(ctx_);
  }

  // log P of all ids but the first `given`, by one pass without a cache.
  double LogLikelihood(const std::vector<int32_t>& ids, size_t given) {
    const Tensor logits = LogitsWithoutCache(ctx_, *model_, ids);
    double sum = 0;
    for (size_t i = given; i < ids.size(); ++i) {
      const Tensor row = logits.Selected(0, static_cast<int64_t>(i) - 1);
      double total = 0;
      for (const float logit : row.span<float>()) total += std::exp(double{logit});
      sum += double{row.span<float>()[static_cast<size_t>(ids[i])]} - std::log(total);
    }
    return sum;
  }

  ChoiceScore Score(const Tokenizer& tokenizer, const std::string& context,
                    const std::vector<std::string>& choices) {
    return ScoreChoices(
        ctx_, *model_, tokenizer,
        {.context = context, .choices = choices, .answer = 0, .place = "q: line 4"});
  }

  // As in perplexity_test.cc, for each of a choice's tokens.
  static constexpr double kTolerance = 8 * 64 * 8 * 0x1p-24;

  TestContext ctx_;
  std::unique_ptr<Model> model_;
};

TEST_F(ScoreChoicesTest, GivesLogLikelihoodsBehindTheContext) {
  const ChoiceScore score = Score(JoiningTokenizer(false), "xyz", {"q", "rstu", "ab"});
  ASSERT_EQ(score.log_likelihoods.size(), 3u);
  EXPECT_NEAR(score.log_likelihoods[0], LogLikelihood({'x', 'y', 'z', 'q'}, 3), kTolerance);
  EXPECT_NEAR(score.log_likelihoods[1], LogLikelihood({'x', 'y', 'z', 'r', 's', 't', 'u'}, 3),
              kTolerance);
  EXPECT_NEAR(score.log_likelihoods[2], LogLikelihood({'x', 'y', 'z', 257}, 3), kTolerance);

  const auto best = [](std::vector<double> values) {
    return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
  };
  const std::vector<double>& found = score.log_likelihoods;
  EXPECT_EQ(score.likeliest, best(found));
  EXPECT_EQ(score.likeliest_per_byte, best({found[0], found[1] / 4, found[2] / 2}));
  // Four tokens cost this model about four times one, so length decides without the bytes.
  EXPECT_NE(score.likeliest, 1u);
}

TEST_F(ScoreChoicesTest, ASpaceInFrontIsNotAByteOfTheChoice) {
  const Tokenizer tokenizer = JoiningTokenizer(false);
  int other = 0;  // letters beside which the number of bytes decides
  int alone = 0;  // letters less likely than a space, which is a byte where nothing follows it
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    const std::string text(1, letter);
    const ChoiceScore score = Score(tokenizer, "x", {" q", text});
    const double q = score.log_likelihoods[0], one = score.log_likelihoods[1];
    EXPECT_EQ(score.likeliest_per_byte, q >= one ? 0u : 1u) << letter;
    other += q < one && q / 2 > one ? 1 : 0;
    const ChoiceScore bare = Score(tokenizer, "x", {" ", text});
    EXPECT_EQ(bare.likeliest_per_byte, bare.likeliest) << letter;
    alone += bare.likeliest == 0 ? 1 : 0;
  }
  EXPECT_GT(other, 0);
  EXPECT_GT(alone, 0);
}

TEST_F(ScoreChoicesTest, CountsATokenThatJoinsContextAndChoiceForAll) {
  const ChoiceScore score = Score(JoiningTokenizer(false), "xa", {"b", "c"});
  EXPECT_NEAR(score.log_likelihoods[0], LogLikelihood({'x', 257}, 1), kTolerance);
  EXPECT_NEAR(score.log_likelihoods[1], LogLikelihood({'x', 'a', 'c'}, 1), kTolerance);
}

TEST_F(ScoreChoicesTest, BeginsWithATokenWhereItNeedsOne) {
  for (const bool leads : {false, true}) {
    const ChoiceScore score = Score(JoiningTokenizer(leads), "", {"b", "cd"});
    EXPECT_NEAR(score.log_likelihoods[0], LogLikelihood({kTestEos, 'b'}, 1), kTolerance);
    EXPECT_NEAR(score.log_likelihoods[1], LogLikelihood({kTestEos, 'c', 'd'}, 1), kTolerance);
  }
  const ChoiceScore score = Score(JoiningTokenizer(true), "x", {"b", "cd"});
  EXPECT_NEAR(score.log_likelihoods[0], LogLikelihood({kTestEos, 'x', 'b'}, 2), kTolerance);
  EXPECT_EQ(LeadingToken(JoiningTokenizer(true)), kTestEos);
  EXPECT_EQ(LeadingToken(JoiningTokenizer(false)), std::nullopt);
}

TEST_F(ScoreChoicesTest, RefusesWhatTheModelCannotRead) {
  const Tokenizer tokenizer = ByteTokenizer();
  EXPECT_THAT(Message([&] {
                Score(tokenizer, std::string(60, 'x'), {"abcd", "abcde"});
              }),
              HasSubstr("q: line 4: the context with choice 1 has 65 tokens; the model takes 64"));
  ModelConfig config = TinyConfig();
  model_ = Model::Create(ctx_, config, 60);
  EXPECT_THAT(Message([&] {
                Score(tokenizer, "", {"a", "b"});
              }),
              HasSubstr("q: line 4: no token stands before the choices"));
}

TEST(ChoiceAccuracyTest, Figures) {
  ChoiceAccuracy accuracy;
  accuracy.Add(true);
  EXPECT_EQ(accuracy.StandardError(), 0);
  for (const bool right : {false, true, true, true}) accuracy.Add(right);
  EXPECT_DOUBLE_EQ(accuracy.Share(), 0.8);
  EXPECT_DOUBLE_EQ(accuracy.StandardError(), std::sqrt(0.8 * 0.2 / 4));
}

}  // namespace
}  // namespace tern
