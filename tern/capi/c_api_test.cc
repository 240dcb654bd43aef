// SPDX-License-Identifier: MIT
#include "tern/c_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tern/base/test_directory.h"
#include "tern/models/checkpoint.h"
#include "tern/runtime/embed.h"
#include "tern/runtime/generate.h"
#include "tern/runtime/test_model.h"

namespace tern {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kPrompt = "Hello";

int Collect(const char* text, size_t bytes, void* user) {
  static_cast<std::string*>(user)->append(text, bytes);
  return 0;
}

// Writes a language model, and an embedding model, whose tokenizer has a token for every byte.
void WriteModel(const std::string& path, bool embeds) {
  TestContext ctx;
  ModelConfig config = TinyLlamaConfig();
  config.eos = {kTestEos};
  config.weights = nn::WeightKind::kTernary;
  const auto model = Model::Create(ctx, config, 40);
  model->Pack(ctx);
  const Tokenizer tokenizer = ByteTokenizer();
  SaveModel(ctx, *model, path, {.form = CheckpointForm::kPacked, .tokenizer = &tokenizer});
  if (embeds) std::ofstream(path + "/modules.json") << "[]";
}

class CApiTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TestDirectory(TestDirectory::FastParent());
    WriteModel(Path("language"), false);
    WriteModel(Path("embedding"), true);
    WriteModel(Path("chatting"), false);
    std::ofstream(Path("chatting/chat_template.jinja"))
        << "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}"
           "{% endif %}{{ m.role[0] }}{{ m.content }};{% endfor %}"
           "{% if add_generation_prompt %}a{% endif %}";
  }
  static void TearDownTestSuite() { delete directory_; }
  static std::string Path(std::string_view name) { return directory_->File(name); }

  void SetUp() override {
    model_ = Load("language");
    ASSERT_EQ(tern_session_create(model_, 0, &session_), TERN_OK) << tern_last_error();
  }
  void TearDown() override {
    tern_session_free(session_);
    tern_model_free(model_);
  }

  static tern_model* Load(std::string_view name) {
    tern_model_options options = TERN_MODEL_OPTIONS_INIT;
    options.threads = 2;
    tern_model* model = nullptr;
    EXPECT_EQ(tern_model_load(Path(name).c_str(), &options, &model), TERN_OK) << tern_last_error();
    return model;
  }

  static tern_generate_options Greedy(int64_t max_tokens) {
    tern_generate_options options = TERN_GENERATE_OPTIONS_INIT;
    options.max_tokens = max_tokens;
    options.temperature = 0;
    options.ignore_eos = 1;
    options.on_text = Collect;
    return options;
  }

  static std::string Generated(tern_session* session, std::string_view prompt,
                               tern_generate_options options,
                               tern_generate_result* result = nullptr) {
    std::string text;
    options.on_text = Collect;
    options.user = &text;
    EXPECT_EQ(tern_generate(session, prompt.data(), prompt.size(), &options, result), TERN_OK)
        << tern_last_error();
    return text;
  }

  // What the C++ front makes of it.
  static std::string Expected(int64_t max_tokens, const SamplerOptions& sampler) {
    GenerateOptions options;
    options.max_tokens = max_tokens;
    options.sampler = sampler;
    options.ignore_eos = true;
    TestContext ctx;
    const LoadedModel loaded = LoadModel(ctx, Path("language"));
    Session session(ctx, *loaded.model);
    return Generate(session, *loaded.tokenizer, loaded.tokenizer->Encode(kPrompt), options,
                    [](std::string_view) { return true; })
        .text;
  }

  static TestDirectory* directory_;
  tern_model* model_ = nullptr;
  tern_session* session_ = nullptr;
};
TestDirectory* CApiTest::directory_ = nullptr;

#define EXPECT_FAILS(call, status, message)                                   \
  do {                                                                        \
    EXPECT_EQ(call, status);                                                  \
    EXPECT_THAT(std::string(tern_last_error()), HasSubstr(message)) << #call; \
  } while (false)

TEST_F(CApiTest, NullIsAnErrorAndNotACrash) {
  constexpr auto kBad = TERN_INVALID_ARGUMENT;
  tern_model* model = nullptr;
  tern_session* session = nullptr;
  int32_t id = 0;
  char byte = 0;
  float value = 0;
  size_t count = 0;
  EXPECT_FAILS(tern_model_load(nullptr, nullptr, &model), kBad, "path is null");
  EXPECT_FAILS(tern_model_load("x", nullptr, nullptr), kBad, "model is null");
  EXPECT_FAILS(tern_model_vocab_size(nullptr), -1, "model is null");
  EXPECT_FAILS(tern_model_context(nullptr), -1, "model is null");
  EXPECT_FAILS(tern_model_embedding_size(nullptr), -1, "model is null");
  EXPECT_FAILS(tern_tokenize(nullptr, "x", 1, &id, 1, &count), kBad, "model is null");
  EXPECT_FAILS(tern_tokenize(model_, nullptr, 1, &id, 1, &count), kBad, "text is null");
  EXPECT_FAILS(tern_tokenize(model_, "x", 1, nullptr, 1, &count), kBad, "buffer is null");
  EXPECT_FAILS(tern_tokenize(model_, "x", 1, &id, 1, nullptr), kBad, "count is null");
  EXPECT_FAILS(tern_detokenize(nullptr, &id, 1, &byte, 1, &count), kBad, "model is null");
  EXPECT_FAILS(tern_detokenize(model_, nullptr, 1, &byte, 1, &count), kBad, "ids is null");
  EXPECT_FAILS(tern_detokenize(model_, &id, 1, nullptr, 1, &count), kBad, "buffer is null");
  EXPECT_FAILS(tern_detokenize(model_, &id, 1, &byte, 1, nullptr), kBad, "text_bytes is null");
  EXPECT_FAILS(tern_embed(nullptr, "x", 1, &value, 1), kBad, "model is null");
  EXPECT_FAILS(tern_embed(model_, nullptr, 1, &value, 1), kBad, "text is null");
  EXPECT_FAILS(tern_embed(model_, "x", 1, nullptr, 1), kBad, "embedding is null");
  EXPECT_FAILS(tern_session_create(nullptr, 0, &session), kBad, "model is null");
  EXPECT_FAILS(tern_session_create(model_, 0, nullptr), kBad, "session is null");
  EXPECT_FAILS(tern_session_position(nullptr), -1, "session is null");
  EXPECT_FAILS(tern_session_rewind(nullptr, 0), kBad, "session is null");
  tern_generate_options options = TERN_GENERATE_OPTIONS_INIT;
  EXPECT_FAILS(tern_generate(session_, "x", 1, &options, nullptr), kBad, "on_text is null");
  options.on_text = Collect;
  EXPECT_FAILS(tern_generate(nullptr, "x", 1, &options, nullptr), kBad, "session is null");
  EXPECT_FAILS(tern_generate(session_, nullptr, 0, &options, nullptr), kBad, "prompt is null");
  EXPECT_FAILS(tern_generate(session_, "x", 1, nullptr, nullptr), kBad, "options is null");
  options.stop_count = 1;
  EXPECT_FAILS(tern_generate(session_, "x", 1, &options, nullptr), kBad, "stop is null");
  const char* stops[] = {nullptr};
  options.stop = stops;
  EXPECT_FAILS(tern_generate(session_, "x", 1, &options, nullptr), kBad,
               "a string of stop is null");
  tern_message message = {"user", "x", 1};
  options.stop_count = 0;
  EXPECT_FAILS(tern_chat(nullptr, &message, 1, &options, nullptr), kBad, "session is null");
  EXPECT_FAILS(tern_chat(session_, nullptr, 1, &options, nullptr), kBad, "messages is null");
  EXPECT_FAILS(tern_chat(session_, &message, 1, nullptr, nullptr), kBad, "options is null");
  message.role = nullptr;
  EXPECT_FAILS(tern_chat(session_, &message, 1, &options, nullptr), kBad, "role is null");
  message = {"user", nullptr, 1};
  EXPECT_FAILS(tern_chat(session_, &message, 1, &options, nullptr), kBad, "content is null");
  tern_model_free(nullptr);
  tern_session_free(nullptr);
  EXPECT_EQ(tern_session_position(session_), 0);
}

TEST_F(CApiTest, WhatCannotBeLoadedSaysWhy) {
  tern_model* model = model_;
  const auto load = [&](const tern_model_options& options) {
    return tern_model_load(Path("language").c_str(), &options, &model);
  };
  EXPECT_FAILS(tern_model_load(Path("none").c_str(), nullptr, &model), TERN_IO, Path("none"));
  EXPECT_FAILS(tern_model_load(std::string(5000, 'x').c_str(), nullptr, &model),
               TERN_INVALID_ARGUMENT, "path is longer than 4096 bytes");
  directory_->Write("not_a_model.gguf", "GGUF");
  EXPECT_FAILS(tern_model_load(Path("not_a_model.gguf").c_str(), nullptr, &model),
               TERN_INVALID_FILE, "not_a_model.gguf");
  tern_model_options options = TERN_MODEL_OPTIONS_INIT;
  options.cpu = "abacus";
  EXPECT_FAILS(load(options), TERN_UNSUPPORTED, "abacus");
  options = TERN_MODEL_OPTIONS_INIT;
  options.memory_limit = 1 << 16;
  EXPECT_FAILS(load(options), TERN_OUT_OF_MEMORY, "");
  for (const int64_t threads : {int64_t{-1}, int64_t{1025}, int64_t{1} << 32}) {
    options = TERN_MODEL_OPTIONS_INIT;
    options.threads = threads;
    EXPECT_FAILS(load(options), TERN_INVALID_ARGUMENT, "threads is");
  }
  for (const size_t size : {size_t{0}, size_t{9}, sizeof(options) + sizeof(size_t)}) {
    options = TERN_MODEL_OPTIONS_INIT;
    options.struct_size = size;
    EXPECT_FAILS(load(options), TERN_INVALID_ARGUMENT, "struct_size of tern_model_options");
  }
  EXPECT_EQ(model, model_) << "a failed call changed its output";
}

TEST_F(CApiTest, TokenizesThereAndBack) {
  size_t count = 0;
  ASSERT_EQ(tern_tokenize(model_, "a\0b<eos>", 8, nullptr, 0, &count), TERN_OK);
  ASSERT_EQ(count, 4u);
  std::vector<int32_t> ids(count, -7);
  EXPECT_FAILS(tern_tokenize(model_, "a\0b<eos>", 8, ids.data(), 3, &count), TERN_BUFFER_TOO_SMALL,
               "room for 3 elements, not 4");
  EXPECT_EQ(ids, std::vector<int32_t>(4, -7));
  ASSERT_EQ(tern_tokenize(model_, "a\0b<eos>", 8, ids.data(), 4, &count), TERN_OK);
  EXPECT_EQ(ids, (std::vector<int32_t>{'a', 0, 'b', kTestEos}));

  size_t bytes = 0;
  ASSERT_EQ(tern_detokenize(model_, ids.data(), 3, nullptr, 0, &bytes), TERN_OK);
  std::string text(bytes, '?');
  ASSERT_EQ(tern_detokenize(model_, ids.data(), 3, text.data(), bytes, &bytes), TERN_OK);
  EXPECT_EQ(text, std::string("a\0b", 3));
  ids[1] = -1;
  EXPECT_FAILS(tern_detokenize(model_, ids.data(), 3, text.data(), bytes, &bytes),
               TERN_INVALID_ARGUMENT, "-1");
  EXPECT_FAILS(tern_tokenize(model_, "\xff", 1, nullptr, 0, &count), TERN_INVALID_ARGUMENT,
               "UTF-8");
  EXPECT_FAILS(tern_tokenize(model_, "x", TERN_MAX_TEXT_BYTES + 1, nullptr, 0, &count),
               TERN_INVALID_ARGUMENT, "text has 1073741825 bytes");
}

TEST_F(CApiTest, GeneratesWhatTheCppFrontDoes) {
  tern_generate_result result = TERN_GENERATE_RESULT_INIT;
  EXPECT_EQ(Generated(session_, kPrompt, Greedy(30), &result), Expected(30, {.temperature = 0}));
  EXPECT_EQ(result.stop_reason, TERN_STOP_MAX_TOKENS);
  EXPECT_EQ(result.prompt_tokens, 5);
  EXPECT_EQ(result.tokens, 30);

  ASSERT_EQ(tern_session_rewind(session_, 0), TERN_OK);
  tern_generate_options options = TERN_GENERATE_OPTIONS_INIT;
  options.max_tokens = 40;
  options.temperature = 1;
  options.seed = 9;
  options.top_k = 50;
  options.ignore_eos = 1;
  EXPECT_EQ(Generated(session_, kPrompt, options),
            Expected(40, {.temperature = 1, .top_k = 50, .seed = 9}));
}

// Texts are compared behind a border: a character may lie across it.
TEST_F(CApiTest, GoesOnWithTheSameText) {
  Generated(session_, kPrompt, Greedy(30));
  const int64_t position = tern_session_position(session_);
  EXPECT_EQ(position, 5 + 30 - 1) << "the last token drawn is not read";
  const std::string next = Generated(session_, "", Greedy(20));
  ASSERT_EQ(tern_session_rewind(session_, 0), TERN_OK);
  Generated(session_, kPrompt, Greedy(11));
  Generated(session_, "", Greedy(19));
  EXPECT_EQ(tern_session_position(session_), position);
  EXPECT_EQ(Generated(session_, "", Greedy(20)), next);
  EXPECT_FAILS(tern_session_rewind(session_, 100), TERN_INVALID_ARGUMENT, "cannot go back");
}

TEST_F(CApiTest, EndsWhereItIsTold) {
  const std::string whole = Generated(session_, kPrompt, Greedy(40));
  tern_generate_result result = TERN_GENERATE_RESULT_INIT;
  ASSERT_EQ(tern_session_rewind(session_, 0), TERN_OK);
  tern_generate_options options = Greedy(40);
  options.on_text = [](const char*, size_t, void*) { return 1; };
  ASSERT_EQ(tern_generate(session_, "Hello", 5, &options, &result), TERN_OK);
  EXPECT_EQ(result.stop_reason, TERN_STOP_CALLBACK);
  EXPECT_LT(result.tokens, 40);

  ASSERT_EQ(tern_session_rewind(session_, 0), TERN_OK);
  ASSERT_GT(whole.size(), 4u);
  size_t cut = 3;
  while (cut < whole.size() && (static_cast<unsigned char>(whole[cut]) & 0xc0) == 0x80) ++cut;
  size_t end = cut + 1;
  while (end < whole.size() && (static_cast<unsigned char>(whole[end]) & 0xc0) == 0x80) ++end;
  const std::string stop = whole.substr(cut, end - cut);
  const char* stops[] = {"never comes", stop.c_str()};
  tern_generate_options stopping = Greedy(40);
  stopping.stop = stops;
  stopping.stop_count = 2;
  EXPECT_EQ(Generated(session_, kPrompt, stopping, &result), whole.substr(0, whole.find(stop)));
  EXPECT_EQ(result.stop_reason, TERN_STOP_STRING);
  stopping.stop_count = TERN_MAX_STOPS + 1;
  EXPECT_FAILS(tern_generate(session_, "x", 1, &stopping, nullptr), TERN_INVALID_ARGUMENT,
               "stop_count is 65");

  tern_session* small = nullptr;
  ASSERT_EQ(tern_session_create(model_, 8, &small), TERN_OK);
  Generated(small, kPrompt, Greedy(40), &result);
  EXPECT_EQ(result.stop_reason, TERN_STOP_CONTEXT);
  stopping.stop_count = 0;
  EXPECT_FAILS(tern_generate(small, "x", 1, &stopping, nullptr), TERN_INVALID_ARGUMENT,
               "the context of 8 is too small");
  tern_session_free(small);
  EXPECT_FAILS(tern_session_create(model_, -1, &small), TERN_INVALID_ARGUMENT, "context of -1");
  EXPECT_FAILS(tern_session_create(model_, 65, &small), TERN_INVALID_ARGUMENT, "takes 1 to 64");
}

// A program that was built when max_tokens was the last option.
TEST_F(CApiTest, TakesShorterStructures) {
  std::string text;
  struct {
    size_t struct_size;
    tern_text_callback on_text;
    void* user;
    int64_t max_tokens;
    double behind;
  } options = {4 * sizeof(size_t), Collect, &text, 3, std::nan("")};
  tern_generate_result result = TERN_GENERATE_RESULT_INIT;
  result.struct_size = 2 * sizeof(size_t);
  result.tokens = -5;
  const void* shorter = &options;
  ASSERT_EQ(tern_generate(session_, "Hello", 5, static_cast<const tern_generate_options*>(shorter),
                          &result),
            TERN_OK)
      << tern_last_error();
  EXPECT_EQ(result.tokens, -5);
  EXPECT_LE(tern_session_position(session_), 5 + 3);
}

class ChatTest : public CApiTest {
 protected:
  void SetUp() override {
    model_ = Load("chatting");
    ASSERT_EQ(tern_session_create(model_, 0, &session_), TERN_OK) << tern_last_error();
  }

  using Said = std::vector<std::pair<std::string, std::string>>;

  static tern_status Chat(tern_session* session, const Said& said,
                          const tern_generate_options& options,
                          tern_generate_result* result = nullptr) {
    std::vector<tern_message> messages;
    for (const auto& [role, content] : said) {
      messages.push_back({role.c_str(), content.data(), content.size()});
    }
    return tern_chat(session, messages.data(), messages.size(), &options, result);
  }

  static std::string Answer(tern_session* session, const Said& said, int64_t max_tokens,
                            tern_generate_result* result = nullptr) {
    std::string text;
    tern_generate_options options = Greedy(max_tokens);
    options.user = &text;
    EXPECT_EQ(Chat(session, said, options, result), TERN_OK) << tern_last_error();
    return text;
  }
};

TEST_F(ChatTest, AnswersAsTheTextOfItsTemplateGoesOn) {
  tern_generate_result result = TERN_GENERATE_RESULT_INIT;
  const Said said = {{"system", "s"}, {"user", "Hi"}};
  const std::string answer = Answer(session_, said, 5, &result);
  EXPECT_EQ(result.prompt_tokens, 8);
  EXPECT_EQ(result.tokens, 5);
  EXPECT_EQ(result.stop_reason, TERN_STOP_MAX_TOKENS);
  tern_session* plain = nullptr;
  ASSERT_EQ(tern_session_create(model_, 0, &plain), TERN_OK);
  EXPECT_EQ(Generated(plain, "ss;uHi;a", Greedy(5)), answer);
  // Either goes on with what it said.
  EXPECT_EQ(Generated(session_, "", Greedy(4)), Generated(plain, "", Greedy(4)));

  // A message more: what was read is kept, and the answer is that of a new session.
  const Said more = {{"system", "s"}, {"user", "Hi"}, {"assistant", "x"}, {"user", "y"}};
  const std::string next = Answer(session_, more, 5, &result);
  EXPECT_EQ(result.prompt_tokens, 14 - 8);
  ASSERT_EQ(tern_session_rewind(plain, 0), TERN_OK);
  EXPECT_EQ(Answer(plain, more, 5), next);
  tern_session_free(plain);
}

TEST_F(ChatTest, RefusesWhatCannotBeAnswered) {
  const Said said = {{"user", "Hi"}};
  const std::string answer = Answer(session_, said, 3);
  const int64_t position = tern_session_position(session_);
  const tern_generate_options options = Greedy(3);
  EXPECT_FAILS(Chat(session_, {{"tool", "x"}}, options), TERN_INVALID_ARGUMENT, "no tools");
  EXPECT_FAILS(Chat(session_, {{"user", std::string(70, 'x')}}, options), TERN_INVALID_ARGUMENT,
               "leaves no room");
  EXPECT_FAILS(Chat(session_, {{std::string(300, 'x'), "x"}}, options), TERN_INVALID_ARGUMENT,
               "role is longer than 256 bytes");
  EXPECT_FAILS(Chat(session_, {{"user", "\xff"}}, options), TERN_INVALID_ARGUMENT, "UTF-8");
  const tern_message message = {"user", "x", 1};
  EXPECT_FAILS(tern_chat(session_, &message, TERN_MAX_MESSAGES + 1, &options, nullptr),
               TERN_INVALID_ARGUMENT, "count is 65537");
  EXPECT_EQ(tern_session_position(session_), position) << "a call that read nothing forgot";

  tern_generate_options throwing = options;
  throwing.on_text = [](const char*, size_t, void*) -> int { throw std::runtime_error("thrown"); };
  EXPECT_FAILS(Chat(session_, {{"user", "Ho"}}, throwing), TERN_INTERNAL, "thrown");
  EXPECT_EQ(Answer(session_, said, 3), answer);

  tern_model* mute = Load("language");
  tern_session* session = nullptr;
  ASSERT_EQ(tern_session_create(mute, 0, &session), TERN_OK);
  EXPECT_FAILS(Chat(session, said, options), TERN_INVALID_ARGUMENT, "has no chat template");
  tern_session_free(session);
  tern_model_free(mute);
}

TEST_F(CApiTest, NeitherExceptionsNorASecondCallComeThroughACallback) {
  tern_generate_options options = Greedy(20);
  options.on_text = [](const char*, size_t, void*) -> int { throw std::runtime_error("thrown"); };
  EXPECT_FAILS(tern_generate(session_, "Hello", 5, &options, nullptr), TERN_INTERNAL, "thrown");
  EXPECT_EQ(tern_session_position(session_), 0);
  options.on_text = [](const char*, size_t, void*) -> int { throw 1; };
  EXPECT_FAILS(tern_generate(session_, "Hello", 5, &options, nullptr), TERN_INTERNAL,
               "no std::exception");

  options.user = session_;
  options.on_text = [](const char*, size_t, void* user) {
    auto* session = static_cast<tern_session*>(user);
    const tern_generate_options inner = Greedy(1);
    EXPECT_FAILS(tern_session_rewind(session, 0), TERN_INVALID_ARGUMENT, "at work in another call");
    EXPECT_FAILS(tern_generate(session, "x", 1, &inner, nullptr), TERN_INVALID_ARGUMENT,
                 "at work in another call");
    EXPECT_EQ(tern_session_position(session), -1);
    return 1;
  };
  EXPECT_EQ(tern_generate(session_, "Hello", 5, &options, nullptr), TERN_OK);
}

TEST_F(CApiTest, ThreadsShareAModelAndHaveErrorsOfTheirOwn) {
  constexpr int kThreads = 4;
  const std::string expected = Generated(session_, kPrompt, Greedy(20));
  EXPECT_EQ(tern_model_load("mine", nullptr, nullptr), TERN_INVALID_ARGUMENT);
  std::array<std::string, kThreads> texts;
  std::array<std::string, kThreads> errors;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      EXPECT_STREQ(tern_last_error(), "");
      tern_session* session = nullptr;
      EXPECT_EQ(tern_session_create(model_, 0, &session), TERN_OK);
      texts[i] = Generated(session, kPrompt, Greedy(20));
      EXPECT_EQ(tern_session_rewind(session, 100 + static_cast<int64_t>(i)), TERN_INVALID_ARGUMENT);
      tern_session_free(session);
      errors[i] = tern_last_error();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < kThreads; ++i) {
    EXPECT_EQ(texts[i], expected);
    EXPECT_THAT(errors[i], HasSubstr("token " + std::to_string(100 + i)));
  }
  EXPECT_STREQ(tern_last_error(), "model is null");
}

TEST_F(CApiTest, ASessionOutlivesItsModel) {
  tern_model_free(model_);
  model_ = nullptr;
  EXPECT_FALSE(Generated(session_, kPrompt, Greedy(10)).empty());
}

TEST_F(CApiTest, Embeds) {
  EXPECT_EQ(tern_model_embedding_size(model_), 0);
  EXPECT_EQ(tern_model_vocab_size(model_), 260);
  EXPECT_EQ(tern_model_context(model_), 64);
  float value = 0;
  EXPECT_FAILS(tern_embed(model_, "x", 1, &value, 1), TERN_INVALID_ARGUMENT,
               "the model is a language model");

  tern_model* model = Load("embedding");
  ASSERT_EQ(tern_model_embedding_size(model), 64);
  std::vector<float> embedding(64);
  EXPECT_FAILS(tern_embed(model, "Hello", 5, embedding.data(), 63), TERN_BUFFER_TOO_SMALL,
               "room for 63 elements, not 64");
  ASSERT_EQ(tern_embed(model, "Hello", 5, embedding.data(), 64), TERN_OK) << tern_last_error();
  TestContext ctx;
  const LoadedModel loaded = LoadModel(ctx, Path("embedding"));
  EXPECT_EQ(embedding, EmbedText(ctx, *loaded.model, loaded.tokenizer->Encode(kPrompt)));
  tern_session* session = nullptr;
  EXPECT_FAILS(tern_session_create(model, 0, &session), TERN_INVALID_ARGUMENT,
               "is an embedding model");
  tern_model_free(model);
}

}  // namespace
}  // namespace tern
