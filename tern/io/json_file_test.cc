// SPDX-License-Identifier: MIT
#include "tern/io/json_file.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tern/io/test_files.h"

namespace tern {
namespace {

using nlohmann::json;
using testing::ExpectError;

constexpr auto kInvalidFile = ErrorKind::kInvalidFile;

TEST(JsonFile, WritesAndReadsBack) {
  const TestDirectory dir;
  const std::string path = dir.File("c.json");
  WriteJsonFile(path, {{"z", 1}, {"a", {1, 2}}});
  EXPECT_EQ(ReadJsonFile(path), json::parse(R"({"z": 1, "a": [1, 2]})"));
  const std::string text = TestDirectory::Read(path);
  EXPECT_LT(text.find("\"z\""), text.find("\"a\"")) << "keys keep their order";
  ExpectError([&] { WriteJsonFile(path, {{"k", "\xff"}}); }, ErrorKind::kInvalidArgument, {path});
  EXPECT_EQ(TestDirectory::Read(path), text) << "a refused write must not touch the file";
  ExpectError([&] { ReadJsonFile(dir.File("none.json")); }, ErrorKind::kIo, {"none.json"});
  ExpectError([&] { ReadJsonFile(dir.Write("empty.json", "")); }, kInvalidFile, {"empty.json"});
}

class JsonObjectTest : public ::testing::Test {
 protected:
  const json document_ = ParseJson(R"({"hidden": 64, "neg": -3, "eps": 1e-5, "act": "silu",
      "tied": true, "none": null, "huge": 18446744073709551615, "half": 0.5,
      "rope": {"theta": 10000.0, "inner": {"x": "y"}}, "eos": [1, 2], "lone": 7,
      "names": ["a", "b"], "mixed": ["a", 1]})",
                                   "c.json");
  const JsonObject object_{document_, "c.json"};
};

TEST_F(JsonObjectTest, ReadsEachType) {
  EXPECT_EQ(object_.GetInt("hidden", 1, 64), 64);
  EXPECT_EQ(object_.GetInt("neg", -3, -3), -3);
  EXPECT_EQ(object_.GetFloat("eps", 0, 1), 1e-5);
  EXPECT_EQ(object_.GetFloat("hidden", 0, 100), 64.0);
  EXPECT_EQ(object_.GetString("act"), "silu");
  EXPECT_TRUE(object_.GetBool("tied"));
  EXPECT_EQ(object_.GetObject("rope").GetFloat("theta", 1, 1e9), 10000.0);
  EXPECT_EQ(*object_.FindInts("eos", 0, 9), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(*object_.FindInts("lone", 0, 9), (std::vector<int64_t>{7}));
  EXPECT_EQ(*object_.FindStrings("names"), (std::vector<std::string>{"a", "b"}));
}

TEST_F(JsonObjectTest, TakesNullForAbsent) {
  for (const char* key : {"none", "absent"}) {
    EXPECT_FALSE(object_.Has(key));
    EXPECT_FALSE(object_.FindInt(key, 0, 1));
    EXPECT_FALSE(object_.FindFloat(key, 0, 1));
    EXPECT_FALSE(object_.FindBool(key));
    EXPECT_FALSE(object_.FindString(key));
    EXPECT_FALSE(object_.FindObject(key));
    EXPECT_FALSE(object_.FindInts(key, 0, 1));
    EXPECT_FALSE(object_.FindStrings(key));
    ExpectError([&] { object_.GetInt(key, 0, 1); }, kInvalidFile, {"c.json", key, "missing"});
    ExpectError([&] { object_.GetFloat(key, 0, 1); }, kInvalidFile, {"c.json", key, "missing"});
    ExpectError([&] { object_.GetBool(key); }, kInvalidFile, {"c.json", key, "missing"});
    ExpectError([&] { object_.GetString(key); }, kInvalidFile, {"c.json", key, "missing"});
    ExpectError([&] { object_.GetObject(key); }, kInvalidFile, {"c.json", key, "missing"});
  }
}

TEST_F(JsonObjectTest, RefusesWrongTypes) {
  ExpectError([&] { object_.GetInt("half", 0, 9); }, kInvalidFile, {"\"half\"", "integer", "0.5"});
  ExpectError([&] { object_.GetInt("act", 0, 9); }, kInvalidFile, {"\"act\"", "found string"});
  ExpectError([&] { object_.GetInt("tied", 0, 9); }, kInvalidFile, {"\"tied\"", "integer"});
  ExpectError([&] { object_.GetFloat("act", 0, 9); }, kInvalidFile, {"\"act\"", "number"});
  ExpectError([&] { object_.GetBool("hidden"); }, kInvalidFile, {"\"hidden\"", "true or false"});
  ExpectError([&] { object_.GetString("hidden"); }, kInvalidFile, {"\"hidden\"", "string"});
  ExpectError([&] { object_.GetObject("eos"); }, kInvalidFile, {"\"eos\"", "an object"});
  ExpectError([&] { object_.FindInt("act", 0, 9); }, kInvalidFile, {"\"act\""});
  ExpectError([&] { object_.FindInts("mixed", 0, 9); }, kInvalidFile, {"\"mixed\""});
  ExpectError([&] { object_.FindStrings("mixed"); }, kInvalidFile, {"\"mixed\""});
  ExpectError([&] { object_.FindStrings("act"); }, kInvalidFile, {"\"act\"", "list"});
  ExpectError([&] { JsonObject(document_["eos"], "c.json"); }, kInvalidFile, {"c.json", "array"});
}

TEST_F(JsonObjectTest, RefusesValuesOutOfRange) {
  ExpectError([&] { object_.GetInt("hidden", 65, 99); }, kInvalidFile, {"64", "from 65 to 99"});
  ExpectError([&] { object_.GetInt("neg", 0, 9); }, kInvalidFile, {"\"neg\" is -3", "from 0"});
  ExpectError([&] { object_.GetInt("huge", INT64_MIN, INT64_MAX); }, kInvalidFile,
              {"18446744073709551615"});
  ExpectError([&] { object_.GetFloat("eps", 1e-4, 1); }, kInvalidFile, {"\"eps\""});
  ExpectError([&] { object_.FindInts("eos", 0, 1); }, kInvalidFile, {"\"eos\" is 2"});
}

TEST_F(JsonObjectTest, NamesTheWayToNestedKeys) {
  ExpectError([&] { object_.GetObject("rope").GetObject("inner").GetInt("x", 0, 1); }, kInvalidFile,
              {"c.json: rope.inner: \"x\""});
  ExpectError([&] { object_.GetObject("rope").RefuseOtherKeys({"theta"}); }, kInvalidFile,
              {"c.json: rope", "\"inner\"", "theta"});
  EXPECT_NO_THROW(object_.GetObject("rope").RefuseOtherKeys({"inner", "theta"}));
}

TEST(JsonObject, KeysFromTheFileKeepMessagesOnOneLine) {
  const json document = ParseJson("{\"a\\nb\": {\"c\\nd\": 1}}", "c.json");
  const JsonObject object(document, "c.json");
  ExpectError([&] { object.GetInt("a\nb", 0, 1); }, kInvalidFile, {"a\\x0ab"});
  ExpectError([&] { object.GetObject("a\nb").GetString("c\nd"); }, kInvalidFile,
              {"c.json: a\\x0ab: \"c\\x0ad\""});
}

}  // namespace
}  // namespace tern
