// SPDX-License-Identifier: MIT
#include "tern/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tern/base/error.h"
#include "tern/base/random.h"
#include "tern/text/test_tokenizer.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

using Ids = std::vector<int32_t>;
using nlohmann::json;
using testing::HasSubstr;

constexpr uint64_t kSeed = 7411;

Tokenizer Make(const json& document) { return Tokenizer::FromJson(document.dump(), "test.json"); }

json WithSplit() {
  json document = SmallTokenizerJson({"t h", "th e", "Ġ the", "i n", "in g", "Ġ a"});
  const json split = {{"type", "Split"},
                      {"pattern", {{"Regex", " ?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+|[^\\s]"}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  document["pre_tokenizer"] = {{"type", "Sequence"},
                               {"pretokenizers", {split, document["pre_tokenizer"]}}};
  return document;
}

std::string RandomText(Random* random) {
  std::string text;
  const size_t parts = random->Below(12);
  for (size_t i = 0; i < parts; ++i) {
    char32_t c = 0;
    switch (random->Below(6)) {
      case 0:
        c = static_cast<char32_t>(random->Below(0x80));
        break;
      case 1:
        c = static_cast<char32_t>(random->Below(0x800));
        break;
      case 2:
        c = static_cast<char32_t>(random->Below(0xD800));
        break;
      case 3:
        c = static_cast<char32_t>(0xE000 + random->Below(0x102000));
        break;
      case 4:
        c = U" \t\n\r\u00A0\u3000"[random->Below(6)];
        break;
      default:
        text += " the thing";
        continue;
    }
    const size_t run = random->Below(8) == 0 ? random->Below(300) : 1;
    for (size_t k = 0; k < run; ++k) AppendUtf8(c, &text);
  }
  return text;
}

TEST(Tokenizer, EncodesAndDecodes) {
  const Tokenizer tokenizer = Make(WithSplit());
  EXPECT_EQ(tokenizer.vocab_size(), 262);
  EXPECT_EQ(tokenizer.Encode("the the thing"), (Ids{257, 258, ' ', 256, 260}));
  EXPECT_EQ(tokenizer.Encode(""), Ids{});
  EXPECT_EQ(tokenizer.TokenBytes(258), " the");
  EXPECT_EQ(tokenizer.Decode(Ids{257, 258}), "the the");
  EXPECT_EQ(tokenizer.TokenId(" the"), 258);
  EXPECT_EQ(tokenizer.TokenId("nope"), std::nullopt);
  EXPECT_THROW(tokenizer.Decode(Ids{262}), Error);
  EXPECT_THROW(tokenizer.TokenBytes(-1), Error);
}

TEST(Tokenizer, DecodingUndoesEncoding) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  json gpt2 = SmallTokenizerJson({"t h", "th e", "Ġ the", "à ¤"});
  gpt2["pre_tokenizer"]["use_regex"] = true;
  Random random(kSeed);
  for (const json& document : {WithSplit(), gpt2, SmallTokenizerJson()}) {
    const Tokenizer tokenizer = Make(document);
    for (int i = 0; i < 2000; ++i) {
      const std::string text = RandomText(&random);
      ASSERT_EQ(tokenizer.Decode(tokenizer.Encode(text)), text);
    }
    std::string large;  // long enough for the cache of words
    while (large.size() < 50'000) large += RandomText(&random);
    ASSERT_EQ(tokenizer.Decode(tokenizer.Encode(large)), large);
  }
}

TEST(Tokenizer, LongRunsOfOneCharacterClass) {
  const Tokenizer tokenizer = Make(WithSplit());
  for (const char* run : {"the", " ", "\n", "7", "!", "é", " a"}) {
    std::string text;
    while (text.size() < 100'000) text += run;
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text)), text) << run;
  }
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  const Tokenizer tokenizer = Make(WithSplit());
  try {
    tokenizer.Encode("fine \xC0\x80");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("offset 5"));
  }
}

TEST(Tokenizer, AddedTokensLeftmostLongestAndOptional) {
  json document = SmallTokenizerJson();
  document["added_tokens"] = {AddedTokenJson(300, "<a>"), AddedTokenJson(301, "<a><b>"),
                              AddedTokenJson(305, "日本")};
  document["added_tokens"][2]["special"] = false;
  const Tokenizer tokenizer = Make(document);
  EXPECT_EQ(tokenizer.vocab_size(), 306);
  EXPECT_EQ(tokenizer.Encode("<a>x<a><b>日本"), (Ids{300, 'x', 301, 305}));
  EXPECT_EQ(tokenizer.Encode("<a>日本", {.special = false}), (Ids{'<', 'a', '>', 305}));
  EXPECT_EQ(tokenizer.Decode(Ids{300, 'x', 305}), "<a>x日本");
  EXPECT_EQ(tokenizer.Decode(Ids{300, 'x', 305}, /*skip_special=*/true), "x日本");
  EXPECT_EQ(tokenizer.TokenId("<a>"), 300);
  EXPECT_FALSE(tokenizer.HasToken(302));
  EXPECT_THROW(tokenizer.Decode(Ids{302}), Error);
}

TEST(Tokenizer, AddedTokensStripAndStandAlone) {
  json document = SmallTokenizerJson();
  document["added_tokens"] = {AddedTokenJson(300, "<l>"), AddedTokenJson(301, "<r>"),
                              AddedTokenJson(302, "word")};
  document["added_tokens"][0]["lstrip"] = true;
  document["added_tokens"][1]["rstrip"] = true;
  document["added_tokens"][2]["single_word"] = true;
  const Tokenizer tokenizer = Make(document);
  EXPECT_EQ(tokenizer.Encode("a \u3000<l> b"), (Ids{'a', 300, ' ', 'b'}));
  EXPECT_EQ(tokenizer.Encode("a <r>\n\tb<r>"), (Ids{'a', ' ', 301, 'b', 301}));
  EXPECT_EQ(tokenizer.Encode("<r> <l>"), (Ids{301, 300}));
  EXPECT_EQ(tokenizer.Encode("word,word"), (Ids{302, ',', 302}));
  EXPECT_EQ(tokenizer.Encode("xword"), (Ids{'x', 'w', 'o', 'r', 'd'}));
  EXPECT_EQ(tokenizer.Encode("word_"), (Ids{'w', 'o', 'r', 'd', '_'}));
}

TEST(Tokenizer, WhiteSpaceThatATokenTookAlongIsNoTokenOfItsOwn) {
  json document = SmallTokenizerJson();
  document["added_tokens"] = json::array({AddedTokenJson(300, "  ")});
  document["added_tokens"][0]["lstrip"] = true;
  document["added_tokens"][0]["rstrip"] = true;
  EXPECT_EQ(Make(document).Encode("a     b  c"), (Ids{'a', 300, 'b', 300, 'c'}));
  EXPECT_EQ(Make(document).Encode(std::string(1'000'000, ' ')), Ids{300});
}

TEST(Tokenizer, NormalizedAddedTokensAreLookedForSecond) {
  json document = SmallTokenizerJson();
  document["added_tokens"] = {AddedTokenJson(300, "abc"), AddedTokenJson(301, "bcd")};
  document["added_tokens"][0]["normalized"] = true;
  EXPECT_EQ(Make(document).Encode("abcd abc"), (Ids{'a', 301, ' ', 300}));
}

TEST(Tokenizer, TemplateIsUsedOnlyWhenAsked) {
  json document = SmallTokenizerJson();
  document["added_tokens"] = {AddedTokenJson(300, "<s>"), AddedTokenJson(301, "</s>")};
  const auto token = [](const char* name) {
    return json{{"SpecialToken", {{"id", name}, {"type_id", 0}}}};
  };
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const auto definition = [](const char* name, int id) {
    return json{{"id", name}, {"ids", json::array({id})}, {"tokens", json::array({name})}};
  };
  document["post_processor"] = {
      {"type", "Sequence"},
      {"processors",
       {{{"type", "ByteLevel"},
         {"add_prefix_space", true},
         {"trim_offsets", false},
         {"use_regex", true}},
        {{"type", "TemplateProcessing"},
         {"single", {token("<s>"), text, token("</s>")}},
         {"pair", json::array({text})},
         {"special_tokens",
          {{"<s>", definition("<s>", 300)}, {"</s>", definition("</s>", 301)}}}}}}};
  const Tokenizer tokenizer = Make(document);
  EXPECT_EQ(tokenizer.Encode("a"), Ids{'a'});
  EXPECT_EQ(tokenizer.Encode("a", {.add_special = true}), (Ids{300, 'a', 301}));
  EXPECT_EQ(tokenizer.Encode("", {.add_special = true}), (Ids{300, 301}));
  const Tokenizer again = Tokenizer::FromJson(tokenizer.ToJson(), "again");
  EXPECT_EQ(again.Encode("a", {.add_special = true}), (Ids{300, 'a', 301}));
  document["post_processor"]["processors"][1]["special_tokens"]["<s>"]["ids"][0] = 999;
  EXPECT_THROW(Make(document), Error);
}

TEST(Tokenizer, WritingAndReadingGivesTheSameTokenizer) {
  json document = WithSplit();
  document["pre_tokenizer"]["pretokenizers"].insert(
      document["pre_tokenizer"]["pretokenizers"].begin(),
      json{{"type", "Digits"}, {"individual_digits", true}});
  document["added_tokens"] = {AddedTokenJson(300, "<|end|>"), AddedTokenJson(400, " two words")};
  document["model"]["vocab"]["<|raw token 日|>"] = 350;
  const Tokenizer first = Make(document);
  const std::string written = first.ToJson();
  const Tokenizer second = Tokenizer::FromJson(written, "written");
  EXPECT_EQ(second.ToJson(), written);
  EXPECT_EQ(second.TokenBytes(350), "<|raw token 日|>");
  Random random(kSeed);
  for (int i = 0; i < 200; ++i) {
    const std::string text = RandomText(&random) + "<|end|>";
    ASSERT_EQ(first.Encode(text), second.Encode(text));
  }
}

TEST(Tokenizer, ManyThreadsEncodeWithOneTokenizer) {
  const Tokenizer tokenizer = Make(WithSplit());
  std::vector<std::string> texts;
  Random random(kSeed);
  for (int i = 0; i < 50; ++i) texts.push_back(RandomText(&random));
  std::vector<Ids> expected;
  for (const std::string& text : texts) expected.push_back(tokenizer.Encode(text));
  std::vector<int> wrong(8, 0);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        for (size_t i = 0; i < texts.size(); ++i) {
          count += tokenizer.Encode(texts[i]) != expected[i];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

TEST(StreamDecoder, NeverCutsACharacter) {
  const Tokenizer tokenizer = Make(SmallTokenizerJson());
  const std::string text = "aé日😀\n";
  StreamDecoder decoder(tokenizer);
  std::string streamed;
  for (const int32_t id : tokenizer.Encode(text)) {
    const std::string part = decoder.Push(id);
    ASSERT_EQ(ValidUtf8Prefix(part), part.size());
    streamed += part;
  }
  EXPECT_EQ(streamed, text);
  EXPECT_EQ(decoder.Finish(), "");
}

TEST(StreamDecoder, RepairsAnythingThatAModelMaySay) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const Tokenizer tokenizer = Make(SmallTokenizerJson({"ð Ł", "é £"}));
  Random random(kSeed);
  for (int round = 0; round < 500; ++round) {
    StreamDecoder decoder(tokenizer);
    std::string bytes;
    std::string streamed;
    for (int i = 0; i < 12; ++i) {
      const auto id = static_cast<int32_t>(random.Below(3) == 0 ? random.Below(258)
                                                                : 0x80 + random.Below(0x80));
      bytes += tokenizer.TokenBytes(id);
      const std::string part = decoder.Push(id);
      ASSERT_EQ(ValidUtf8Prefix(part), part.size());
      streamed += part;
    }
    streamed += decoder.Finish();
    std::string whole;
    AppendRepairedUtf8(bytes, true, &whole);
    ASSERT_EQ(streamed, whole);
  }
}

TEST(StreamDecoder, SkipsSpecialTokensWithinACharacter) {
  json document = SmallTokenizerJson();
  document["added_tokens"] = json::array({AddedTokenJson(300, "<|end|>")});
  const Tokenizer tokenizer = Make(document);
  StreamDecoder skipping(tokenizer);
  EXPECT_EQ(skipping.Push(0xC3), "");
  EXPECT_EQ(skipping.Push(300), "");
  EXPECT_EQ(skipping.Push(0xA9), "é");
  StreamDecoder showing(tokenizer, /*skip_special=*/false);
  EXPECT_EQ(showing.Push(300), "<|end|>");
}

json SentencePieceJson() {
  json document = SmallTokenizerJson();
  json vocab = {{"<unk>", 0}, {"\u2581", 1}, {"a", 2}, {"b", 3}, {"\u2581a", 4}, {"<0x0A>", 5}};
  document["model"]["vocab"] = vocab;
  document["model"]["merges"] = {"\u2581 a"};
  document["model"]["unk_token"] = "<unk>";
  document["model"]["byte_fallback"] = true;
  document["normalizer"] = {
      {"type", "Sequence"},
      {"normalizers",
       {{{"type", "Prepend"}, {"prepend", "\u2581"}},
        {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}}}};
  document["pre_tokenizer"] = nullptr;
  document["decoder"] = {
      {"type", "Sequence"},
      {"decoders",
       {{{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}},
        {{"type", "ByteFallback"}},
        {{"type", "Fuse"}},
        {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
  document["added_tokens"] = json::array({AddedTokenJson(6, "<s>")});
  return document;
}

TEST(Tokenizer, SentencePieceThereAndBack) {
  const Tokenizer tokenizer = Make(SentencePieceJson());
  EXPECT_EQ(tokenizer.Encode("a a\n"), (Ids{4, 4, 5}));
  EXPECT_EQ(tokenizer.Encode(" a"), (Ids{1, 4}));
  EXPECT_EQ(tokenizer.Encode("<s>a<s>b"), (Ids{6, 4, 6, 1, 3}));
  for (const char* text : {"a a\n", " a", "", "\n a  b"}) {
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text)), text);
  }
  EXPECT_EQ(tokenizer.Decode(Ids{6, 4}), "<s> a");
  EXPECT_EQ(tokenizer.Decode(Ids{6, 4}, /*skip_special=*/true), "a");
  EXPECT_EQ(tokenizer.TokenBytes(4), " a");
  EXPECT_EQ(tokenizer.TokenId("\u2581a"), 4);
  StreamDecoder stream(tokenizer);
  EXPECT_EQ(stream.Push(4), " a");  // goes on behind a prompt
}

// "First" means the start of the whole text, not what stands behind an added token.
TEST(Tokenizer, MetaspaceSchemes) {
  json document = SentencePieceJson();
  document["normalizer"] = nullptr;
  const auto encode = [&](const char* scheme, bool split, const char* text) {
    document["decoder"] = {{"type", "Metaspace"},
                           {"replacement", "\u2581"},
                           {"prepend_scheme", scheme},
                           {"split", split}};
    document["pre_tokenizer"] = document["decoder"];
    return Make(document).Encode(text);
  };
  EXPECT_EQ(encode("always", true, "a<s>a"), (Ids{4, 6, 4}));
  EXPECT_EQ(encode("first", true, "a<s>a"), (Ids{4, 6, 2}));
  EXPECT_EQ(encode("first", false, "<s>a a"), (Ids{6, 2, 4}));
  EXPECT_EQ(encode("never", true, "a a b"), (Ids{2, 4, 1, 3}));
  EXPECT_EQ(encode("always", false, " a"), (Ids{4}));
}

// Both the text and the token that is looked for in it are normalized.
TEST(Tokenizer, NormalizedAddedTokens) {
  json document = SmallTokenizerJson();
  document["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", "A"}}}, {"content", "a"}};
  json token = AddedTokenJson(300, "<A>");
  token["normalized"] = true;
  document["added_tokens"] = {token, AddedTokenJson(301, "<AA>")};
  const Tokenizer tokenizer = Make(document);
  EXPECT_EQ(tokenizer.Encode("A<A><a><AA>"), (Ids{'a', 300, 300, 301}));
  EXPECT_EQ(tokenizer.Encode("<aa>").size(), 4u);
}

}  // namespace
}  // namespace tern
