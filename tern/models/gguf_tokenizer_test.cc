// SPDX-License-Identifier: MIT
// Tokenizers in a GGUF file's metadata that are no byte-level BPE.
#include <gtest/gtest.h>

#include "tern/io/test_files.h"
#include "tern/io/test_gguf.h"
#include "tern/models/gguf_model.h"
#include "tern/models/test_model.h"
#include "tern/text/gguf_vocabulary.h"

namespace tern {
namespace {

using testing::Bytes;
using testing::ExpectError;
using testing::GgufImage;
using Ids = std::vector<int32_t>;

const std::vector<std::string> kTokens = {"<s>",     "</s>", "<unk>", "\u2581",
                                          "\u2581a", "a",    "b",     "[PAD7]"};
const std::vector<int32_t> kTypes = {3, 3, 2, 1, 1, 1, 1, 5};
const std::vector<float> kScores = {0, 0, 0, -3, -4, -5, -5, -9};

GgufImage Unigram() {
  std::string scores = Bytes<uint32_t>(6) + Bytes<uint64_t>(kScores.size());
  for (const float score : kScores) scores += Bytes(score);
  GgufImage image;
  image.String("tokenizer.ggml.model", "t5");
  image.Strings("tokenizer.ggml.tokens", kTokens);
  image.I32s("tokenizer.ggml.token_type", kTypes);
  image.Raw("tokenizer.ggml.scores", 9, scores);
  image.U32("tokenizer.ggml.bos_token_id", 0);
  image.U32("tokenizer.ggml.eos_token_id", 1);
  return image;
}

Ids Encoded(const GgufImage& image, std::string_view text) {
  const std::string bytes = image.Image();
  const GgufContents contents =
      ParseGguf(std::as_bytes(std::span(bytes.data(), bytes.size())), "m.gguf");
  const std::optional<Tokenizer> tokenizer = ReadGgufTokenizer(contents.metadata);
  return tokenizer ? tokenizer->Encode(text, {.add_special = true}) : Ids();
}

TEST(GgufUnigramTest, ReadsItsKeys) {
  EXPECT_EQ(Encoded(Unigram(), "a  bx"), (Ids{5, 3, 3, 6, 2, 1}));
  GgufImage image = Unigram();
  image.Bool("tokenizer.ggml.add_space_prefix", true);
  image.Bool("tokenizer.ggml.remove_extra_whitespaces", true);
  image.Bool("tokenizer.ggml.add_bos_token", true);
  image.Bool("tokenizer.ggml.add_eos_token", false);
  image.Raw("tokenizer.ggml.precompiled_charsmap", 9, Bytes<uint32_t>(0) + Bytes<uint64_t>(0));
  EXPECT_EQ(Encoded(image, " a  b "), (Ids{0, 4, 3, 6}));
  GgufImage mapped = Unigram();
  mapped.Raw("tokenizer.ggml.precompiled_charsmap", 9,
             Bytes<uint32_t>(0) + Bytes<uint64_t>(2) + "ab");
  ExpectError([&] { Encoded(mapped, "a"); }, ErrorKind::kUnsupported,
              {"m.gguf", "precompiled_charsmap"});
}

TEST(GgufUnigramTest, WritesItsKeys) {
  GgufVocabulary vocabulary;
  vocabulary.place = "test";
  vocabulary.model = "t5";
  vocabulary.tokens.assign(kTokens.begin(), kTokens.end() - 1);
  vocabulary.types.assign(kTypes.begin(), kTypes.end() - 1);
  vocabulary.scores.assign(kScores.begin(), kScores.end() - 1);
  vocabulary.add_space_prefix = false;
  vocabulary.remove_extra_spaces = true;
  vocabulary.eos = 1;
  const Tokenizer tokenizer(ReadGgufVocabulary(vocabulary));
  const auto ctx = CpuContext();
  ModelConfig config = SmallConfig();
  config.hidden_size = 256;
  config.intermediate_size = 256;
  config.head_dim = 64;
  config.layers = 1;
  const auto model = Model::Create(*ctx, config, 7);
  model->Pack(*ctx);
  const TestDirectory directory(TestDirectory::FastParent());
  const std::string path = directory.File("m.gguf");
  SaveGguf(*ctx, *model, path, {.tokenizer = &tokenizer});

  const GgufFile file(path);
  const GgufMetadata& metadata = file.metadata();
  EXPECT_EQ(metadata.GetString("tokenizer.ggml.model"), "t5");
  EXPECT_EQ(metadata.FindStrings("tokenizer.ggml.tokens")->at(4), "\u2581a");
  EXPECT_EQ(metadata.FindStrings("tokenizer.ggml.tokens")->size(), 97u);
  EXPECT_EQ(metadata.FindInts("tokenizer.ggml.token_type")->at(7), 5);
  EXPECT_EQ(metadata.FindFloats("tokenizer.ggml.scores")->at(5), -5);
  EXPECT_EQ(metadata.FindFloats("tokenizer.ggml.scores")->size(), 97u);
  EXPECT_EQ(metadata.FindBool("tokenizer.ggml.add_space_prefix"), false);
  EXPECT_EQ(metadata.FindBool("tokenizer.ggml.remove_extra_whitespaces"), true);
  EXPECT_EQ(metadata.FindBool("tokenizer.ggml.add_bos_token"), false);
  EXPECT_EQ(metadata.FindBool("tokenizer.ggml.add_eos_token"), true);
  EXPECT_EQ(metadata.GetInt("tokenizer.ggml.unknown_token_id", 0, 100), 2);
}

}  // namespace
}  // namespace tern
