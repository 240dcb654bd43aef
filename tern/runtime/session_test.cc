// SPDX-License-Identifier: MIT
#include "tern/runtime/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "tern/base/error.h"
#include "tern/models/logits_hash.h"
#include "tern/runtime/generate.h"
#include "tern/runtime/test_model.h"

namespace tern {
namespace {

using ::testing::HasSubstr;

uint64_t HashRow(const Tensor& logits, int64_t row) {
  return HashLogits(logits.Selected(0, row).span<float>());
}

// Feeds `ids` in random pieces and expects the hash of the row that ends each piece.
void ExpectRows(Session* session, std::span<const int32_t> ids, const Tensor& logits,
                Random* random) {
  while (session->position() < static_cast<int64_t>(ids.size())) {
    const auto begin = static_cast<size_t>(session->position());
    const size_t count = 1 + random->Below(std::min<uint64_t>(ids.size() - begin, 9));
    const std::span<const float> last = session->Feed(ids.subspan(begin, count));
    ASSERT_EQ(HashLogits(last), HashRow(logits, session->position() - 1))
        << "after " << count << " tokens at " << begin;
  }
}

TEST(SessionTest, AnySplitWithAnyThreadsGivesTheBitsOfOnePass) {
  constexpr uint64_t kSeed = 30;
  SCOPED_TRACE(kSeed);
  for (const ModelConfig& config : {TinyConfig(), TinyLlamaConfig()}) {
    for (const DType kv_dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kI8}) {
      SCOPED_TRACE(config.family + " with keys and values in " + DTypeName(kv_dtype));
      TestContext one(1);
      const auto model = Model::Create(one, config, kSeed);
      model->Pack(one);
      const std::vector<int32_t> ids = RandomIds(kSeed, 60, config.vocab_size);
      const Tensor logits = LogitsWithoutCache(one, *model, ids, kv_dtype);
      Random random(kSeed);
      for (const int threads : {1, 3}) {
        TestContext ctx(threads);
        const auto copy = Model::Create(ctx, config, kSeed);
        copy->Pack(ctx);
        for (int round = 0; round < 5; ++round) {
          Session session(ctx, *copy, {.kv_dtype = kv_dtype});
          ExpectRows(&session, ids, logits, &random);
        }
      }
    }
  }
}

TEST(SessionTest, MastersGiveTheBitsOfTheirTrits) {
  TestContext ctx;
  const auto masters = Model::Create(ctx, TinyConfig(), 31);
  const auto packed = Model::Create(ctx, TinyConfig(), 31);
  packed->Pack(ctx);
  const std::vector<int32_t> ids = RandomIds(31, 20, TinyConfig().vocab_size);
  Session a(ctx, *masters);
  Session b(ctx, *packed);
  EXPECT_EQ(HashLogits(a.Feed(ids)), HashLogits(b.Feed(ids)));
}

TEST(SessionTest, ALongPromptIsReadInPieces) {
  TestContext ctx(2);
  ModelConfig config = TinyConfig();
  config.max_positions = 1200;
  const auto model = Model::Create(ctx, config, 32);
  model->Pack(ctx);
  const std::vector<int32_t> ids = RandomIds(32, 1030, config.vocab_size);
  Session session(ctx, *model);
  EXPECT_EQ(HashLogits(session.Feed(ids)), HashRow(LogitsWithoutCache(ctx, *model, ids), 1029));
  EXPECT_EQ(session.position(), 1030);
}

TEST(SessionTest, AnErrorInALaterPieceForgetsTheEarlierOnes) {
  TestContext ctx;
  ModelConfig config = TinyConfig();
  config.max_positions = 1200;
  const auto model = Model::Create(ctx, config, 36);
  model->Pack(ctx);
  Session session(ctx, *model);
  std::vector<int32_t> ids = RandomIds(36, 1100, config.vocab_size);
  const uint64_t hash = HashLogits(session.Feed(std::span(ids).first(40)));
  ids[1090] = 260;
  EXPECT_THROW(session.Feed(ids), Error);
  EXPECT_EQ(session.position(), 40);
  EXPECT_EQ(session.ids().size(), 40u);
  session.Rewind(39);
  EXPECT_EQ(HashLogits(session.Feed(ids[39])), hash);
}

TEST(SessionTest, RewindForgetsAndGoesOnAnotherWay) {
  constexpr uint64_t kSeed = 33;
  SCOPED_TRACE(kSeed);
  TestContext ctx;
  const auto model = Model::Create(ctx, TinyConfig(), kSeed);
  model->Pack(ctx);
  const std::vector<int32_t> ids = RandomIds(kSeed, 40, TinyConfig().vocab_size);
  const Tensor logits = LogitsWithoutCache(ctx, *model, ids);
  Session session(ctx, *model, {.capacity = 50});
  Random random(kSeed);
  for (const size_t position : {0u, 17u, 39u, 1u}) {
    session.Rewind(0);
    if (position > 0) session.Feed(std::span(ids).first(position));
    session.Feed(RandomIds(kSeed + 1, 50 - position, 260));
    session.Rewind(static_cast<int64_t>(position));
    EXPECT_EQ(session.ids().size(), position);
    ExpectRows(&session, ids, logits, &random);
    EXPECT_TRUE(std::equal(ids.begin(), ids.end(), session.ids().begin(), session.ids().end()));
  }
}

TEST(SessionTest, ErrorsNameTheNumbersAndChangeNothing) {
  TestContext ctx;
  const auto model = Model::Create(ctx, TinyConfig(), 34);
  model->Pack(ctx);
  Session session(ctx, *model, {.capacity = 10});
  const auto message = [&](const auto& action) -> std::string {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  const auto feed = [&](std::vector<int32_t> ids) { return message([&] { session.Feed(ids); }); };
  EXPECT_THAT(feed(std::vector<int32_t>(11)),
              HasSubstr("the prompt has 11 tokens, but the context holds 10"));
  EXPECT_THAT(feed({}), HasSubstr("no tokens to read"));
  EXPECT_EQ(session.position(), 0);
  const uint64_t hash = HashLogits(session.Feed(std::vector<int32_t>{1, 2, 3}));
  EXPECT_THAT(feed(std::vector<int32_t>(8)),
              HasSubstr("context of 10 is too small for 8 more after the 3 that were read"));
  EXPECT_NE(feed({4, 260}), "no error");
  EXPECT_NE(feed({-1}), "no error");
  EXPECT_EQ(session.position(), 3);
  EXPECT_THAT(message([&] { session.Rewind(4); }), HasSubstr("token 4 of a text of 3"));
  EXPECT_THAT(message([&] { session.Rewind(-1); }), HasSubstr("token -1"));
  session.Rewind(2);
  EXPECT_EQ(HashLogits(session.Feed(3)), hash);
  for (const int64_t capacity : {int64_t{-1}, int64_t{65}}) {
    EXPECT_THAT(message([&] { Session(ctx, *model, {.capacity = capacity}); }),
                HasSubstr("this model takes 1 to 64"));
  }
}

TEST(SessionTest, EightThreadsShareAModel) {
  TestContext ctx(2);
  const auto model = Model::Create(ctx, TinyConfig(), 35);
  model->Pack(ctx);
  constexpr int kSessions = 8;
  const auto tokens_of = [&](int i) {
    Session session(ctx, *model);
    return Greedy(session, RandomIds(static_cast<uint64_t>(i), 5, 260), 16);
  };
  std::vector<std::vector<int32_t>> expected(kSessions);
  for (int i = 0; i < kSessions; ++i) expected[static_cast<size_t>(i)] = tokens_of(i);
  std::vector<std::vector<int32_t>> together(kSessions);
  std::vector<std::thread> threads;
  for (int i = 0; i < kSessions; ++i) {
    threads.emplace_back([&, i] { together[static_cast<size_t>(i)] = tokens_of(i); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, expected);
}

}  // namespace
}  // namespace tern
