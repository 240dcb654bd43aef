// SPDX-License-Identifier: MIT
#include "tern/io/tensor_directory.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tern/io/json_file.h"
#include "tern/io/safetensors_writer.h"
#include "tern/io/test_files.h"

namespace tern {
namespace {

using testing::Concat;
using testing::ExpectError;

constexpr auto kInvalidFile = ErrorKind::kInvalidFile;
constexpr const char* kIndexName = "model.safetensors.index.json";

// Writes tensors w0, w1, … of `count` floats; element j of w_i is 100 i + j.
std::vector<std::string> Save(const std::string& directory, size_t tensors, size_t count,
                              uint64_t max_shard_bytes) {
  std::vector<TensorSpec> specs;
  for (size_t i = 0; i < tensors; ++i) {
    specs.push_back({Concat({"w", std::to_string(i)}), DType::kF32, {static_cast<int64_t>(count)}});
  }
  ShardedSafetensorsWriter writer(directory, specs, max_shard_bytes);
  for (size_t i = 0; i < tensors; ++i) {
    std::vector<float> values(count);
    for (size_t j = 0; j < count; ++j) values[j] = static_cast<float>(100 * i + j);
    writer.AppendValues(specs[i].name, std::span<const float>(values));
  }
  writer.Commit();
  return writer.shard_names();
}

float First(const TensorDirectory& directory, std::string_view name) {
  std::vector<float> values(static_cast<size_t>(directory.Get(name).element_count));
  CopyTo(directory.Get(name), DType::kF32, std::span(values));
  return values.at(0);
}

TEST(TensorDirectory, SingleFile) {
  const TestDirectory dir;
  EXPECT_EQ(Save(dir.path(), 3, 4, 1 << 20), std::vector<std::string>{"model.safetensors"});
  EXPECT_FALSE(std::filesystem::exists(dir.File(kIndexName)));
  const TensorDirectory directory(dir.path());
  EXPECT_EQ(directory.tensors().size(), 3u);
  EXPECT_EQ(First(directory, "w2"), 200.0f);
  EXPECT_EQ(First(TensorDirectory(dir.File("model.safetensors")), "w1"), 100.0f);
}

TEST(TensorDirectory, Shards) {
  const TestDirectory dir;
  // 16 bytes each, so two in a shard of 40.
  const std::vector<std::string> shards = Save(dir.path(), 5, 4, 40);
  ASSERT_EQ(shards.size(), 3u);
  EXPECT_EQ(shards[0], "model-00001-of-00003.safetensors");
  const TensorDirectory directory(dir.path());
  EXPECT_EQ(directory.shards().size(), 3u);
  EXPECT_EQ(directory.tensors().size(), 5u);
  EXPECT_EQ(ReadJsonFile(dir.File(kIndexName))["metadata"]["total_size"], 80);
  for (size_t i = 0; i < 5; ++i) {
    const std::string name = Concat({"w", std::to_string(i)});
    EXPECT_EQ(First(directory, name), 100.0f * static_cast<float>(i));
    directory.Release(name);
    EXPECT_EQ(First(directory, name), 100.0f * static_cast<float>(i));
  }
  EXPECT_EQ(directory.Find("w5"), nullptr);
  ExpectError([&] { directory.Get("w5"); }, kInvalidFile, {dir.path(), "\"w5\""});
}

TEST(TensorDirectory, TensorLargerThanAShardGetsItsOwn) {
  const TestDirectory dir;
  EXPECT_EQ(Save(dir.path(), 3, 4, 1).size(), 3u);
  EXPECT_EQ(TensorDirectory(dir.path()).tensors().size(), 3u);
}

TEST(TensorDirectory, ASaveReplacesTheOtherForm) {
  const TestDirectory dir;
  Save(dir.path(), 2, 4, 1 << 20);
  Save(dir.path(), 5, 4, 40);
  EXPECT_EQ(TensorDirectory(dir.path()).tensors().size(), 5u);
  Save(dir.path(), 1, 4, 1 << 20);
  EXPECT_EQ(TensorDirectory(dir.path()).tensors().size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(dir.File(kIndexName)));
}

TEST(TensorDirectory, NothingThere) {
  const TestDirectory dir;
  ExpectError([&] { TensorDirectory directory(dir.path()); }, ErrorKind::kIo,
              {dir.path(), "neither"});
  ExpectError([&] { TensorDirectory directory(dir.File("gone")); }, ErrorKind::kIo, {"gone"});
}

TEST(TensorDirectory, MissingShard) {
  const TestDirectory dir;
  const auto shards = Save(dir.path(), 5, 4, 40);
  std::filesystem::remove(dir.File(shards[1]));
  ExpectError([&] { TensorDirectory directory(dir.path()); }, ErrorKind::kIo,
              {kIndexName, shards[1]});
}

TEST(TensorDirectory, TensorThatItsShardLacks) {
  const TestDirectory dir;
  const auto shards = Save(dir.path(), 4, 4, 40);
  auto index = ReadJsonFile(dir.File(kIndexName));
  index["weight_map"]["extra"] = shards[0];
  dir.Write(kIndexName, index.dump());
  ExpectError([&] { TensorDirectory directory(dir.path()); }, kInvalidFile,
              {kIndexName, "\"extra\"", shards[0]});
  // In another shard than the index says.
  index["weight_map"].erase("extra");
  index["weight_map"]["w0"] = shards[1];
  dir.Write(kIndexName, index.dump());
  ExpectError([&] { TensorDirectory directory(dir.path()); }, kInvalidFile,
              {kIndexName, "\"w0\"", shards[1]});
}

TEST(TensorDirectory, TensorInTwoShards) {
  const TestDirectory dir;
  const auto shards = Save(dir.path(), 4, 4, 40);
  std::filesystem::copy_file(dir.File(shards[0]), dir.File(shards[1]),
                             std::filesystem::copy_options::overwrite_existing);
  ExpectError([&] { TensorDirectory directory(dir.path()); }, kInvalidFile,
              {shards[0], shards[1], "\"w0\""});
}

TEST(TensorDirectory, IndexMustNotLeaveTheDirectory) {
  const TestDirectory dir;
  for (const char* name :
       {"../model.safetensors", "/etc/model.safetensors", "sub/model.safetensors", "..", ".", "",
        ".safetensors", "a\\\\b.safetensors", "x.bin", "a\\u0000.safetensors"}) {
    dir.Write(kIndexName, Concat({R"({"weight_map":{"w0":")", name, "\"}}"}));
    ExpectError([&] { TensorDirectory directory(dir.path()); }, kInvalidFile,
                {kIndexName, "\"w0\"", "same directory"});
  }
}

TEST(TensorDirectory, IndexThatIsNone) {
  const TestDirectory dir;
  const auto expect_invalid = [&](const char* text, std::string_view part) {
    dir.Write(kIndexName, text);
    ExpectError([&] { TensorDirectory directory(dir.path()); }, kInvalidFile, {kIndexName, part});
  };
  expect_invalid("", "line 1");
  expect_invalid("[]", "object");
  expect_invalid("{}", "weight_map");
  expect_invalid(R"({"weight_map":[]})", "weight_map");
  expect_invalid(R"({"weight_map":{"w":1}})", "\"w\"");
  expect_invalid(R"({"weight_map":{"w":"a.safetensors","w":"b.safetensors"}})", "twice");
}

TEST(TensorDirectory, TheTotalSizeIsForInformation) {
  const TestDirectory dir;
  Save(dir.path(), 4, 4, 40);
  auto index = ReadJsonFile(dir.File(kIndexName));
  index["metadata"]["total_size"] = "64 bytes";
  dir.Write(kIndexName, index.dump());
  EXPECT_EQ(TensorDirectory(dir.path()).tensors().size(), 4u);
}

TEST(ShardedSafetensorsWriter, RefusesTwoTensorsOfOneName) {
  const TestDirectory dir;
  ExpectError(
      [&] {
        ShardedSafetensorsWriter writer(dir.path(),
                                        {{"a", DType::kU8, {9}}, {"a", DType::kU8, {9}}}, 4);
      },
      ErrorKind::kInvalidArgument, {dir.path(), "\"a\""});
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace tern
