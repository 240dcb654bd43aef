// SPDX-License-Identifier: MIT
#include "tern/train/token_data.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <set>
#include <string>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/random.h"
#include "tern/base/test_directory.h"
#include "tern/io/json_file.h"
#include "tern/io/test_files.h"
#include "tern/text/gguf_vocabulary.h"
#include "tern/text/tokenizer_trainer.h"

namespace tern {
namespace {

using testing::ExpectError;

constexpr auto kInvalidFile = ErrorKind::kInvalidFile;

// Documents of made-up words, indented lines, blank lines and characters of two bytes.
std::string MakeText(size_t bytes, uint64_t seed, bool documents) {
  Random random(seed);
  std::string text;
  while (text.size() < bytes) {
    const uint64_t kind = random.Below(40);
    if (kind == 0) {
      text += documents ? "\n<|endoftext|>\n" : "\n\n  ";
    } else if (kind < 6) {
      text += kind < 3 ? ".\n" : "\n\n\t";
    } else {
      for (uint64_t i = random.Below(8); i > 0; --i) {
        text += static_cast<char>('a' + random.Below(6));
      }
      text += kind == 7 ? " \u00e9" : " ";
    }
  }
  return text;
}

Tokenizer TrainTokenizer(const std::string& text, int32_t vocab_size = 320) {
  TokenizerTrainer trainer({.vocab_size = vocab_size});
  trainer.Add(text);
  return trainer.Train();
}

std::vector<int32_t> All(const TokenSpan& ids) {
  std::vector<int32_t> all(static_cast<size_t>(ids.size()));
  ids.CopyTo(0, all);
  return all;
}

void ExpectFileHoldsTheEncodedText(const Tokenizer& tokenizer, const std::string& text) {
  const TestDirectory directory;
  const std::vector<std::string> paths = {directory.Write("text", text)};
  std::string first;
  for (const int threads : {1, 3}) {
    const std::string file = directory.File("ids" + std::to_string(threads));
    ThreadPool pool(threads);
    WriteTokenFile(pool, tokenizer, paths, file);
    const TokenFile tokens(file, tokenizer);
    EXPECT_EQ(All(tokens.ids()), tokenizer.Encode(text));
    EXPECT_EQ(TokenBytes(tokenizer).Count(tokens.ids()), static_cast<int64_t>(text.size()));
    const std::string bytes = TestDirectory::Read(file);
    if (first.empty()) first = bytes;
    EXPECT_EQ(bytes, first) << "depends on the number of threads";
  }
}

TEST(TokenFile, HoldsWhatEncodingTheWholeTextGives) {
  for (const bool documents : {true, false}) {
    const std::string text = MakeText(1500000, 7, documents);
    ExpectFileHoldsTheEncodedText(TrainTokenizer(text.substr(0, 20000)), text);
  }
}

// SentencePiece's tokenizers put a space in front of a text, by a normalizer or a pre-tokenizer.
TokenizerSpec SentencePiece() {
  GgufVocabulary vocabulary;
  vocabulary.place = "test";
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>",   "<|endoftext|>",
                       "\u2581",  "a",
                       "b",       "c",
                       "d",       "e",
                       "f",       ".",
                       "\n",      "\t",
                       "\u00e9",  "\u2581a",
                       "ab",      "\u2581b",
                       "\u2581c", "\u2581d"};
  vocabulary.types.assign(vocabulary.tokens.size(), 1);
  vocabulary.types[0] = 2;
  vocabulary.types[1] = 3;
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    vocabulary.scores.push_back(-static_cast<double>(i));
  }
  return ReadGgufVocabulary(vocabulary);
}

MetaspaceSpec Metaspace(MetaspaceSpec::Prepend prepend, bool split) {
  return {.replacement = "\u2581", .prepend = prepend, .split = split};
}

TEST(TokenFile, PutsNoSpaceWhereAPartGoesOn) {
  using Prepend = MetaspaceSpec::Prepend;
  const std::vector<PreTokenizerStep> words = {
      SplitSpec{SplitSpec::Pattern::kWhitespaceSplit, "", SplitBehavior::kRemoved, false},
      Metaspace(Prepend::kAlways, true)};
  std::vector<TokenizerSpec> kinds = {SentencePiece()};  // by Prepend
  for (const auto& steps :
       {std::vector<PreTokenizerStep>{Metaspace(Prepend::kAlways, false)},
        std::vector<PreTokenizerStep>{Metaspace(Prepend::kFirst, true)}, words}) {
    kinds.push_back(SentencePiece());
    NormalizerStep strip;
    strip.kind = NormalizerStep::Kind::kStrip;
    kinds.back().normalizer = {strip};
    kinds.back().pre_tokenizer.steps = steps;
  }
  for (const bool documents : {true, false}) {
    const std::string text = "  " + MakeText(400000, 8, documents) + "\n";
    for (size_t i = 0; i < kinds.size(); ++i) {
      SCOPED_TRACE(::testing::Message() << "kind " << i << ", documents " << documents);
      const TestDirectory directory;
      const std::vector<std::string> paths = {directory.Write("text", text)};
      const Tokenizer tokenizer{TokenizerSpec(kinds[i])};
      ThreadPool pool(2);
      WriteTokenFile(pool, tokenizer, paths, directory.File("ids"));
      const TokenFile tokens(directory.File("ids"), tokenizer);
      EXPECT_TRUE(All(tokens.ids()) == tokenizer.Encode(text));
    }
  }
}

TEST(TokenFile, TakesTextWithoutAnyLineEnd) {
  const std::string text(900000, 'x');
  const TestDirectory directory;
  const std::vector<std::string> paths = {directory.Write("text", text)};
  const Tokenizer tokenizer = TrainTokenizer("some words");
  ThreadPool pool(2);
  WriteTokenFile(pool, tokenizer, paths, directory.File("ids"));
  const TokenFile tokens(directory.File("ids"), tokenizer);
  EXPECT_EQ(tokenizer.Decode(All(tokens.ids())), text);
}

TEST(TokenFile, TakesFourBytesForLargeVocabularies) {
  const std::string text = MakeText(30000, 3, false) + "<|far|>" + MakeText(3000, 4, false);
  nlohmann::json json = nlohmann::json::parse(TrainTokenizer(text).ToJson());
  nlohmann::json token = json["added_tokens"][0];
  token["id"] = 70000;
  token["content"] = "<|far|>";
  json["added_tokens"].push_back(token);
  const Tokenizer tokenizer = Tokenizer::FromJson(json.dump(), "tokenizer.json");
  ASSERT_EQ(tokenizer.vocab_size(), 70001);
  ExpectFileHoldsTheEncodedText(tokenizer, text);
}

TEST(TokenFile, JoinsSeveralTexts) {
  const TestDirectory directory;
  const Tokenizer tokenizer = TrainTokenizer("one two three");
  const std::vector<std::string> paths = {
      directory.Write("a", "one\n"), directory.Write("empty", ""), directory.Write("b", "two")};
  ThreadPool pool(1);
  WriteTokenFile(pool, tokenizer, paths, directory.File("ids"));
  const TokenFile tokens(directory.File("ids"), tokenizer);
  EXPECT_EQ(tokenizer.Decode(All(tokens.ids())), "one\ntwo");
}

TEST(TokenFile, NamesFileAndOffsetOfTextThatIsNotUtf8) {
  const TestDirectory directory;
  std::string text = MakeText(700000, 5, true);
  text += "\xff";
  const size_t offset = text.size() - 1;
  text += " and more\n";
  const std::vector<std::string> paths = {directory.Write("latin", text)};
  const Tokenizer tokenizer = TrainTokenizer("some words");
  ThreadPool pool(2);
  const std::string file = directory.File("ids");
  ExpectError([&] { WriteTokenFile(pool, tokenizer, paths, file); }, kInvalidFile,
              {paths[0], "byte " + std::to_string(offset), "UTF-8"});
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(TokenFile, LooksAtALongTextInParts) {
  const TestDirectory directory;
  // A character lies across the end of the first part.
  std::string text = std::string((size_t{1} << 24) - 1, 'a') + "\u00e9" + std::string(100, 'b');
  int polls = 0;
  const auto poll = [&] { ++polls; };
  RequireUtf8(MappedFile(directory.Write("good", text)), poll);
  EXPECT_EQ(polls, 2);
  const size_t offset = text.size();
  text += "\xff and more";
  ExpectError([&] { RequireUtf8(MappedFile(directory.Write("bad", text)), poll); }, kInvalidFile,
              {"bad", "byte " + std::to_string(offset)});
  // One that the end of the text cuts.
  ExpectError([&] { RequireUtf8(MappedFile(directory.Write("cut", "ab\xc3")), poll); },
              kInvalidFile, {"byte 2"});
}

TEST(TokenFile, RefusesOtherTokenizersAndDamage) {
  const TestDirectory directory;
  const Tokenizer tokenizer = TrainTokenizer("one two three one two");
  const Tokenizer other = TrainTokenizer("four five six four five");
  const std::vector<std::string> paths = {directory.Write("text", "one two")};
  const std::string file = directory.File("ids");
  ThreadPool pool(1);
  WriteTokenFile(pool, tokenizer, paths, file);
  EXPECT_NO_THROW(TokenFile(file, tokenizer));
  ExpectError([&] { TokenFile(file, other); }, kInvalidFile, {file, "another tokenizer"});

  std::string bytes = TestDirectory::Read(file);
  const std::string cut = directory.Write("cut", bytes.substr(2));
  ExpectError([&] { TokenFile(cut, tokenizer); }, kInvalidFile, {cut});
  const std::string text = directory.Write("text", "not a token file at all, by its looks");
  ExpectError([&] { TokenFile(text, tokenizer); }, kInvalidFile, {text, "not a token file"});
  bytes[0] = bytes[1] = '\xff';
  const std::string wild = directory.Write("wild", bytes);
  ExpectError([&] { TokenFile(wild, tokenizer); }, kInvalidFile, {wild, "65535"});
}

class WindowSamplerTest : public ::testing::Test {
 protected:
  WindowSamplerTest() : ctx_({}) { ctx_.AddBackend(std::make_unique<CpuBackend>()); }

  // The ids 0, 1, 2, ... of a text of that length.
  TokenSpan Counting(int64_t size) {
    ids_.resize(static_cast<size_t>(size));
    std::iota(ids_.begin(), ids_.end(), uint16_t{0});
    return {reinterpret_cast<const std::byte*>(ids_.data()), size, 2};
  }

  Context ctx_;
  std::vector<uint16_t> ids_;
};

TEST_F(WindowSamplerTest, TakesEveryWindowOncePerEpochAndTargetsAreTheNextTokens) {
  constexpr int64_t kLength = 10;
  WindowSampler sampler(Counting(1004), kLength, 11);
  ASSERT_EQ(sampler.windows_per_epoch(), 99);
  const TokenBatch batch = TokenBatch::Empty(ctx_, 3, kLength);
  std::vector<int32_t> order[2];
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::set<int32_t> begins;
    for (int64_t step = 0; step < 33; ++step) {
      sampler.Fill(33 * epoch + step, batch);
      for (int64_t i = 0; i < 3; ++i) {
        const int32_t begin = batch.inputs.span<int32_t>()[i * kLength];
        order[epoch].push_back(begin);
        begins.insert(begin);
        for (int64_t j = 0; j < kLength; ++j) {
          EXPECT_EQ(batch.inputs.span<int32_t>()[i * kLength + j], begin + j);
          EXPECT_EQ(batch.targets.span<int32_t>()[i * kLength + j], begin + j + 1);
        }
      }
    }
    EXPECT_EQ(begins.size(), 99u);
    EXPECT_LT(*begins.begin(), kLength);
    EXPECT_EQ(*begins.rbegin() - *begins.begin(), 98 * kLength);
    EXPECT_FALSE(std::is_sorted(order[epoch].begin(), order[epoch].end()));
  }
  EXPECT_NE(order[0], order[1]);
}

TEST_F(WindowSamplerTest, GivesAStepTheSameBatchWhateverWasDrawnBefore) {
  const TokenSpan ids = Counting(500);
  WindowSampler in_order(ids, 7, 3);
  WindowSampler resumed(ids, 7, 3);
  WindowSampler other_seed(ids, 7, 4);
  const TokenBatch a = TokenBatch::Empty(ctx_, 4, 7);
  const TokenBatch b = TokenBatch::Empty(ctx_, 4, 7);
  for (int64_t step = 0; step < 60; ++step) in_order.Fill(step, a);
  resumed.Fill(59, b);
  const auto values = [](const Tensor& t) {
    return std::vector<int32_t>(t.span<int32_t>().begin(), t.span<int32_t>().end());
  };
  EXPECT_EQ(values(a.inputs), values(b.inputs));
  EXPECT_EQ(values(a.targets), values(b.targets));
  other_seed.Fill(59, b);
  EXPECT_NE(values(a.inputs), values(b.inputs));
}

TEST_F(WindowSamplerTest, PartsOfABatchShareItsElements) {
  WindowSampler sampler(Counting(100), 5, 1);
  const TokenBatch batch = TokenBatch::Empty(ctx_, 4, 5);
  sampler.Fill(0, batch);
  const TokenBatch part = batch.Part(2, 4);
  EXPECT_EQ(part.inputs.data<int32_t>(), batch.inputs.data<int32_t>() + 10);
  EXPECT_EQ(part.targets.data<int32_t>(), batch.targets.data<int32_t>() + 10);
  EXPECT_EQ(part.targets.elements(), 10);
}

TEST_F(WindowSamplerTest, TakesTheShortestTextAndRefusesAShorterOne) {
  WindowSampler sampler(Counting(6), 5, 1);
  const TokenBatch batch = TokenBatch::Empty(ctx_, 2, 5);
  sampler.Fill(3, batch);
  EXPECT_EQ(batch.inputs.span<int32_t>()[5], 0);
  EXPECT_EQ(batch.targets.span<int32_t>()[9], 5);
  ExpectError([&] { WindowSampler(Counting(5), 5, 1); }, ErrorKind::kInvalidArgument,
              {"takes 6 tokens", "it has 5", "sequence_length"});
}

}  // namespace
}  // namespace tern
