// SPDX-License-Identifier: MIT
#include "tern/json/parse_json.h"

#include <gtest/gtest.h>

#include <string>

#include "tern/base/test_error.h"

namespace tern {
namespace {

using nlohmann::json;
using testing::ExpectError;

constexpr auto kInvalidFile = ErrorKind::kInvalidFile;

TEST(ParseJson, BuildsWhatTheLibraryBuilds) {
  const std::string text = R"({"a": [1, -2, 3.5, true, null, "x\n", [], {}],
    "b": {"c": {"d": 18446744073709551615}}, "e": 1e300, "big": 1000000000000000019884624838656})";
  EXPECT_EQ(ParseJson(text, "x.json"), json::parse(text));
  EXPECT_EQ(ParseJson(" 7 ", "x.json"), json(7));
  EXPECT_EQ(ParseJson("[[1],[2,[3]],{\"k\":[4]}]", "x.json"),
            json::parse("[[1],[2,[3]],{\"k\":[4]}]"));
}

TEST(ParseJson, NamesPlaceAndPositionOfSyntaxErrors) {
  ExpectError([] { ParseJson("{\n  \"a\": ]\n}", "dir/x.json"); }, kInvalidFile,
              {"dir/x.json: line 2, column 8: not JSON"});
  ExpectError([] { ParseJson("", "x.json"); }, kInvalidFile, {"x.json: line 1", "end of input"});
  ExpectError([] { ParseJson("{\"a\": 1} 2", "x.json"); }, kInvalidFile, {"x.json: line 1"});
  ExpectError([] { ParseJson("[NaN]", "x.json"); }, kInvalidFile, {"x.json: line 1"});
  ExpectError([] { ParseJson("[Infinity]", "x.json"); }, kInvalidFile, {"x.json: line 1"});
  ExpectError([] { ParseJson("[1e999]", "x.json"); }, kInvalidFile, {"x.json: line 1"});
  ExpectError([] { ParseJson("[\"\xff\xfe\"]", "x.json"); }, kInvalidFile, {"UTF-8"});
  ExpectError([] { ParseJson("[\"a\nb\"]", "x.json"); }, kInvalidFile, {"control character"});
}

TEST(ParseJson, RefusesDuplicateKeysInOneObjectOnly) {
  ExpectError([] { ParseJson("{\"a\": {\"k\": 1,\n \"k\": 2}}", "x.json"); }, kInvalidFile,
              {"x.json: line 2", "\"k\" appears twice"});
  EXPECT_NO_THROW(ParseJson("[{\"k\": {\"k\": 1}}, {\"k\": 2}]", "x.json"));
}

TEST(ParseJson, BoundsDepthAndSize) {
  const std::string deep = std::string(64, '[') + std::string(64, ']');
  EXPECT_NO_THROW(ParseJson(deep, "x.json"));
  ExpectError([&] { ParseJson("[" + deep + "]", "x.json"); }, kInvalidFile,
              {"x.json: line 1, column 65", "more than 64 deep"});
  const std::string bomb(1 << 20, '[');
  ExpectError([&] { ParseJson(bomb, "x.json"); }, kInvalidFile, {"more than 64 deep"});
  EXPECT_NO_THROW(ParseJson("[1]", "x.json", {.max_bytes = 3}));
  ExpectError([] { ParseJson("[1] ", "x.json", {.max_bytes = 3}); }, kInvalidFile,
              {"x.json", "4 bytes", "limit of 3"});
}

TEST(ParseJson, KeepsMessagesShortAndOnOneLine) {
  const std::string text = "\"" + std::string(100000, 'x') + "\n\"";
  const Error error = testing::ErrorOf([&] { ParseJson(text, "x.json"); });
  EXPECT_LT(std::string(error.what()).size(), 500u);
  EXPECT_EQ(Quoted("a\nb\x80\"", 100), "\"a\\x0ab\\x80\"\"");
  EXPECT_EQ(Quoted("abcdef", 3), "\"abc...\"");
}

}  // namespace
}  // namespace tern
