// SPDX-License-Identifier: MIT
// Files that are hostile, damaged, or ask for what Tern does not have: each is an Error that names
// the file and the place.
#include "tern/text/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tern/base/error.h"
#include "tern/base/random.h"
#include "tern/base/test_directory.h"
#include "tern/text/test_tokenizer.h"
#include "tern/text/tokenizer.h"

namespace tern {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

// The message of the Error that reading `text` throws; "" if none is thrown.
std::string Complaint(const std::string& text) {
  try {
    Tokenizer::FromJson(text, "bad/tokenizer.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

struct BadFile {
  const char* what;
  std::function<void(json*)> change;
  const char* place;
  const char* cause;
};

TEST(TokenizerJson, TheUnchangedFileIsRead) {
  EXPECT_EQ(Complaint(SmallTokenizerJson({"a b"}).dump()), "");
}

TEST(TokenizerJson, BadVocabulariesAndMerges) {
  const std::vector<BadFile> files = {
      {"duplicate id", [](json* d) { (*d)["model"]["vocab"]["zz"] = 7; }, "/model/vocab",
       "the same id 7"},
      {"negative id", [](json* d) { (*d)["model"]["vocab"]["zz"] = -1; }, "/model/vocab", "-1"},
      {"huge id", [](json* d) { (*d)["model"]["vocab"]["zz"] = kMaxVocabSize; }, "/model/vocab",
       "ids are 0 to 2097151"},
      {"overflowing id", [](json* d) { (*d)["model"]["vocab"]["zz"] = UINT64_MAX; }, "/model/vocab",
       "18446744073709551615"},
      {"fractional id", [](json* d) { (*d)["model"]["vocab"]["zz"] = 1.5; }, "/model/vocab", "1.5"},
      {"text id", [](json* d) { (*d)["model"]["vocab"]["zz"] = "7"; }, "/model/vocab", "\"7\""},
      {"vocab array", [](json* d) { (*d)["model"]["vocab"] = json::array(); }, "/model/vocab",
       "an object is needed"},
      {"missing byte", [](json* d) { (*d)["model"]["vocab"].erase("z"); }, "/model/vocab", "0x7a"},
      {"no vocab", [](json* d) { (*d)["model"].erase("vocab"); }, "/model", "\"vocab\" is missing"},
      {"unknown left", [](json* d) { (*d)["model"]["merges"].push_back("qq a"); }, "/model/merges",
       "merge 1: \"qq\" is not in the vocabulary"},
      {"unknown result", [](json* d) { (*d)["model"]["merges"].push_back("a c"); }, "/model/merges",
       "\"ac\" is not in the vocabulary"},
      {"no space", [](json* d) { (*d)["model"]["merges"].push_back("ab"); }, "/model/merges",
       "merge 1"},
      {"two spaces", [](json* d) { (*d)["model"]["merges"].push_back("a b c"); }, "/model/merges",
       "merge 1"},
      {"triple",
       [](json* d) {
         (*d)["model"]["merges"].push_back({"a", "b", "c"});
       },
       "/model/merges", "merge 1"},
      {"number", [](json* d) { (*d)["model"]["merges"].push_back(3); }, "/model/merges", "merge 1"},
      {"merge twice", [](json* d) { (*d)["model"]["merges"].push_back("a b"); }, "/model/merges",
       "appears twice"},
      {"merges object", [](json* d) { (*d)["model"]["merges"] = json::object(); }, "/model/merges",
       "an array is needed"},
  };
  for (const BadFile& file : files) {
    json document = SmallTokenizerJson({"a b"});
    file.change(&document);
    EXPECT_THAT(Complaint(document.dump()), AllOf(HasSubstr("bad/tokenizer.json"),
                                                  HasSubstr(file.place), HasSubstr(file.cause)))
        << file.what;
  }
}

TEST(TokenizerJson, UnsupportedComponentsAreNamed) {
  const auto set = [](const char* pointer, json value) {
    return [=](json* d) { (*d)[json::json_pointer(pointer)] = value; };
  };
  const auto type = [](const char* name) { return json{{"type", name}}; };
  const std::vector<BadFile> files = {
      {"", set("/version", "2.0"), "/version", "2.0"},
      {"", set("/surprise", 1), "/", "surprise"},
      {"", set("/truncation", json::object()), "/truncation", "null"},
      {"", set("/padding", json::object()), "/padding", "null"},
      {"", set("/normalizer", type("Precompiled")), "/normalizer", "Precompiled"},
      {"",
       set("/normalizer",
           {{"type", "Sequence"}, {"normalizers", json::array({type("BertNormalizer")})}}),
       "/normalizer/normalizers/0", "BertNormalizer"},
      {"",
       set("/normalizer", {{"type", "Sequence"}, {"normalizers", std::vector(65, type("Strip"))}}),
       "/normalizer", "65 steps"},
      {"", set("/pre_tokenizer", nullptr), "/decoder", "goes with the pre-tokenizer ByteLevel"},
      {"", set("/pre_tokenizer", type("UnicodeScripts")), "/pre_tokenizer", "UnicodeScripts"},
      {"", set("/pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "ab"}}),
       "/pre_tokenizer/replacement", "one character"},
      {"",
       set("/pre_tokenizer",
           {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "often"}}),
       "/pre_tokenizer/prepend_scheme", "often"},
      {"", set("/pre_tokenizer/extra", 1), "/pre_tokenizer", "extra"},
      {"", set("/decoder", nullptr), "/decoder", "object"},
      {"", set("/decoder", type("WordPiece")), "/decoder", "WordPiece"},
      {"", set("/decoder", type("Fuse")), "/decoder", "goes with the pre-tokenizer ByteLevel"},
      {"", set("/decoder", {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}),
       "/decoder", "behind Fuse"},
      {"",
       set("/decoder", {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "ab"}}),
       "/decoder", "not longer"},
      {"", set("/post_processor", type("BertProcessing")), "/post_processor", "BertProcessing"},
      {"", set("/model/type", "WordPiece"), "/model", "WordPiece"},
      {"", set("/model", {{"type", "Unigram"}, {"vocab", json::array()}}), "/model",
       "Unigram behind"},
      {"", set("/model/dropout", 0.1), "/model/dropout", "dropout"},
      {"", set("/model/byte_fallback", true), "/model/byte_fallback", "byte_fallback"},
      {"", set("/model/end_of_word_suffix", "</w>"), "/model/end_of_word_suffix", "null"},
      {"", set("/model/ignore_merges", 1), "/model/ignore_merges", "true or false"},
      {"", set("/model/novelty", 1), "/model", "novelty"},
  };
  for (const BadFile& file : files) {
    json document = SmallTokenizerJson();
    file.change(&document);
    EXPECT_THAT(Complaint(document.dump()), AllOf(HasSubstr("bad/tokenizer.json"),
                                                  HasSubstr(file.place), HasSubstr(file.cause)));
  }
}

TEST(TokenizerJson, BadSplits) {
  const auto complaint = [](json pattern, const char* behavior) {
    json document = SmallTokenizerJson();
    const json split = {
        {"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", false}};
    document["pre_tokenizer"] = {{"type", "Sequence"},
                                 {"pretokenizers", {split, document["pre_tokenizer"]}}};
    return Complaint(document.dump());
  };
  EXPECT_EQ(complaint({{"Regex", "\\p{L}+"}}, "Isolated"), "");
  EXPECT_THAT(complaint({{"Regex", "(a"}}, "Isolated"),
              AllOf(HasSubstr("bad/tokenizer.json: /pre_tokenizer"), HasSubstr("(a")));
  EXPECT_THAT(complaint({{"String", ""}}, "Isolated"),
              HasSubstr("/pre_tokenizer/pretokenizers/0/pattern"));
  EXPECT_THAT(complaint(json::object(), "Isolated"), HasSubstr("Regex"));
  EXPECT_THAT(complaint({{"String", "a"}}, "Sideways"), HasSubstr("Sideways"));
  json document = SmallTokenizerJson();
  document["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers", {document["pre_tokenizer"], document["pre_tokenizer"]}}};
  EXPECT_THAT(Complaint(document.dump()), HasSubstr("behind ByteLevel"));
}

TEST(TokenizerJson, BadAddedTokens) {
  const auto complaint = [](std::vector<json> tokens) {
    json document = SmallTokenizerJson();
    document["added_tokens"] = tokens;
    return Complaint(document.dump());
  };
  EXPECT_EQ(complaint({AddedTokenJson(97, "a")}), "");
  EXPECT_THAT(complaint({AddedTokenJson(98, "a")}),
              HasSubstr("/added_tokens/0: \"a\" has the id 98"));
  EXPECT_THAT(complaint({AddedTokenJson(97, "zz")}), HasSubstr("the same id 97"));
  EXPECT_THAT(complaint({AddedTokenJson(300, "x1"), AddedTokenJson(300, "x2")}),
              HasSubstr("/added_tokens/1"));
  EXPECT_THAT(complaint({AddedTokenJson(300, "x1"), AddedTokenJson(301, "x1")}),
              HasSubstr("twice"));
  EXPECT_THAT(complaint({AddedTokenJson(300, "")}), HasSubstr("0 bytes"));
  EXPECT_THAT(complaint({AddedTokenJson(300, std::string(1025, 'x'))}), HasSubstr("1025 bytes"));
  EXPECT_EQ(complaint({AddedTokenJson(300, std::string(1024, 'x'))}), "");
  EXPECT_THAT(complaint({AddedTokenJson(-1, "x")}), HasSubstr("/added_tokens/0/id"));
  EXPECT_THAT(complaint({AddedTokenJson(kMaxVocabSize, "x")}), HasSubstr("/added_tokens/0/id"));
  EXPECT_THAT(complaint({json(3)}), HasSubstr("/added_tokens/0"));
}

TEST(TokenizerJson, DamagedJson) {
  const std::string good = SmallTokenizerJson({"a b"}).dump();
  for (size_t size = 0; size < good.size(); size += 1 + size / 20) {
    EXPECT_THAT(Complaint(good.substr(0, size)), HasSubstr("bad/tokenizer.json: line 1, column "));
  }
  EXPECT_THAT(Complaint("[1, 2]"), HasSubstr("an object is needed"));
  EXPECT_THAT(Complaint("{\"model\": {\"vocab\": {\"a\": 1, \"a\": 2}}}"),
              AllOf(HasSubstr("line 1, column "), HasSubstr("\"a\" appears twice")));
  EXPECT_THAT(Complaint(std::string(1 << 20, '[')), HasSubstr("nested more than 32 deep"));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  EXPECT_THAT(Complaint(deep), HasSubstr("nested more than 32 deep"));
  EXPECT_THAT(Complaint("{\"version\": \"\xFF\"}"), HasSubstr("line 1, column 1"));
}

TEST(TokenizerJson, FilesThatCannotBeRead) {
  EXPECT_THROW(Tokenizer::FromFile("/nonexistent/tokenizer.json"), Error);
  const TestDirectory directory;
  EXPECT_THROW(Tokenizer::FromFile(directory.path()), Error);
  const std::string file = directory.Write("tokenizer.json", SmallTokenizerJson().dump());
  EXPECT_EQ(Tokenizer::FromFile(file).vocab_size(), 256);
}

// Replaces random values by values of other types; the reader accepts or throws Error, no more.
TEST(TokenizerJson, RandomDamageNeverDoesWorseThanAnError) {
  constexpr uint64_t kSeed = 99;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Random random(kSeed);
  json good = SmallTokenizerJson({"a b", "ab c"});
  good["added_tokens"] = json::array({AddedTokenJson(300, "<a>")});
  const json flat = good.flatten();
  std::vector<std::string> pointers;
  for (const auto& item : flat.items()) pointers.push_back(item.key());
  const std::vector<json> values = {
      nullptr,    true, -1, 1e300, "x", "", json::array(), json::object(), json::array({1, "a"}),
      3000000000u};
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    json document = good;
    std::string pointer = pointers[random.Below(pointers.size())];
    while (random.Below(3) == 0 && pointer.rfind('/') > 0) pointer.resize(pointer.rfind('/'));
    document[json::json_pointer(pointer)] = values[random.Below(values.size())];
    refused += !Complaint(document.dump()).empty();
  }
  EXPECT_GT(refused, 200);
}

}  // namespace
}  // namespace tern
