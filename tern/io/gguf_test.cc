// SPDX-License-Identifier: MIT
#include "tern/io/gguf.h"

#include <gtest/gtest.h>

#include <limits>

#include "tern/io/test_files.h"
#include "tern/io/test_gguf.h"

namespace tern {
namespace {

using testing::Bytes;
using testing::ErrorOf;
using testing::ExpectError;
using testing::GgufImage;
using testing::GgufString;

constexpr const char* kPath = "m.gguf";

GgufContents Parse(const std::string& image) {
  static const std::string path = kPath;
  return ParseGguf(std::as_bytes(std::span(image)), path);
}

void ExpectRefused(const std::string& image, std::initializer_list<std::string_view> texts,
                   ErrorKind kind = ErrorKind::kInvalidFile) {
  ExpectError([&] { Parse(image); }, kind, {kPath});
  ExpectError([&] { Parse(image); }, kind, texts);
}

TEST(Gguf, ReadsEveryMetadataType) {
  GgufImage builder;
  builder.Raw("u8", 0, Bytes<uint8_t>(200)).Raw("i8", 1, Bytes<int8_t>(-3));
  builder.Raw("u16", 2, Bytes<uint16_t>(65535)).Raw("i16", 3, Bytes<int16_t>(-300));
  builder.U32("u32", 4000000000u).Raw("i32", 5, Bytes<int32_t>(-70000));
  builder.F32("f32", 1e-5f).Bool("bool", true).String("string", "a\nb");
  builder.Raw("u64", 10, Bytes<uint64_t>(~uint64_t{0})).Raw("i64", 11, Bytes(int64_t{-5}));
  builder.Raw("f64", 12, Bytes(0.25)).Strings("strings", {"x", "", "zz"}).I32s("ints", {1, -2});
  builder.Raw("floats", 9, Bytes<uint32_t>(6) + Bytes<uint64_t>(2) + Bytes(-0.5f) + Bytes(3.0f));
  builder.Raw("nested", 9,
              Bytes<uint32_t>(9) + Bytes<uint64_t>(2) + Bytes<uint32_t>(0) + Bytes<uint64_t>(3) +
                  "abc" + Bytes<uint32_t>(8) + Bytes<uint64_t>(1) + GgufString("q"));
  const std::string image = builder.Image();
  const GgufContents contents = Parse(image);
  const GgufMetadata& metadata = contents.metadata;
  const auto integer = [&](const char* key) { return metadata.GetInt(key, -100000, 4000000000); };
  EXPECT_EQ(integer("u8"), 200);
  EXPECT_EQ(integer("i8"), -3);
  EXPECT_EQ(integer("u16"), 65535);
  EXPECT_EQ(integer("i16"), -300);
  EXPECT_EQ(integer("u32"), 4000000000);
  EXPECT_EQ(integer("i32"), -70000);
  EXPECT_EQ(integer("i64"), -5);
  EXPECT_EQ(metadata.GetFloat("f32", 0, 1), static_cast<double>(1e-5f));
  EXPECT_EQ(metadata.GetFloat("f64", 0, 1), 0.25);
  EXPECT_EQ(metadata.FindBool("bool"), true);
  EXPECT_EQ(metadata.GetString("string"), "a\nb");
  EXPECT_EQ(metadata.FindStrings("strings"), (std::vector<std::string_view>{"x", "", "zz"}));
  EXPECT_EQ(metadata.FindInts("ints"), (std::vector<int64_t>{1, -2}));
  EXPECT_EQ(metadata.FindFloats("floats"), (std::vector<double>{-0.5, 3}));
  EXPECT_EQ(metadata.FindFloats("none"), std::nullopt);
  EXPECT_EQ(GgufTypeText(metadata.values().at("nested")), "array[2]");
  EXPECT_EQ(metadata.FindInt("none", 0, 1), std::nullopt);

  using Kind = ErrorKind;
  ExpectError([&] { integer("u64"); }, Kind::kInvalidFile, {kPath, "\"u64\"", "must be from"});
  ExpectError([&] { integer("none"); }, Kind::kInvalidFile, {kPath, "\"none\" is missing"});
  ExpectError([&] { integer("f32"); }, Kind::kInvalidFile, {"is f32 where a whole number"});
  ExpectError([&] { integer("ints"); }, Kind::kInvalidFile, {"is i32[2] where a single value"});
  ExpectError([&] { metadata.GetString("u8"); }, Kind::kInvalidFile, {"a string is needed"});
  ExpectError([&] { metadata.FindStrings("ints"); }, Kind::kInvalidFile, {"array of strings"});
  ExpectError([&] { metadata.FindInts("string"); }, Kind::kInvalidFile, {"an array is needed"});
  ExpectError([&] { metadata.FindFloats("ints"); }, Kind::kInvalidFile, {"an array of f32"});
  ExpectError([&] { metadata.GetFloat("u8", 0, 1); }, Kind::kInvalidFile, {"a float is needed"});
  ExpectError([&] { metadata.GetFloat("f64", 0, 0.1); }, Kind::kInvalidFile, {"must be from"});
  ExpectError([&] { metadata.FindBool("u8"); }, Kind::kInvalidFile, {"a bool is needed"});
}

TEST(Gguf, ReadsTensorsOfBothVersions) {
  for (const uint32_t version : {2u, 3u}) {
    GgufImage builder;
    builder.version = version;
    builder.alignment = 64;
    builder.U32("general.alignment", 64);
    builder.Tensor("a", {3, 2}, 0, std::string(24, 'a'));
    builder.Tensor("b", {256, 2}, 35, std::string(132, 'b'));
    builder.Tensor("c", {128}, 36, std::string(32 + 32, 'c'));
    builder.Tensor("d", {64, 3}, 135, std::string(60, 'd'));
    builder.Tensor("e", {5}, 1, std::string(10, 'e'));
    const std::string image = builder.Image();
    const GgufContents contents = Parse(image);
    EXPECT_EQ(contents.version, version);
    ASSERT_EQ(contents.tensors.size(), 5u);
    EXPECT_EQ(contents.tensors[0].info.shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(contents.tensors[0].info.dtype, DType::kF32);
    EXPECT_EQ(contents.tensors[1].type->name, "TQ2_0");
    EXPECT_EQ(contents.tensors[1].rows(), 2);
    EXPECT_EQ(contents.tensors[1].k(), 256);
    for (size_t i = 0; i < 5; ++i) {
      const TensorInfo& info = contents.tensors[i].info;
      const std::string text(reinterpret_cast<const char*>(info.bytes.data()), info.bytes.size());
      EXPECT_EQ(text, std::string(text.size(), static_cast<char>('a' + i)));
    }
    EXPECT_EQ(contents.tensors[4].info.bytes.size(), 10u);
  }
}

// The groups of Q2_0 are told apart by the bytes that the tensor has.
TEST(Gguf, TellsGroupsOfQ20ApartBySize) {
  const auto name = [](size_t bytes, uint64_t k, uint64_t rows) {
    GgufImage builder;
    builder.Tensor("w", {k, rows}, 42, std::string(bytes, 'w')).Tensor("x", {1}, 0, "1234");
    const std::string image = builder.Image();
    return std::string(Parse(image).tensors[0].type->name);
  };
  EXPECT_EQ(name(18 * 32, 128, 16), "Q2_0");
  EXPECT_EQ(name(34 * 16, 128, 16), "Q2_0_G128");
  EXPECT_EQ(name(18 * 3, 64, 3), "Q2_0");
  ExpectError([&] { name(36, 128, 1); }, ErrorKind::kInvalidFile,
              {"groups of 64 and of 128", "TQ2_0"});
  ExpectError([&] { name(500, 128, 16); }, ErrorKind::kInvalidFile, {"neither groups of 64"});
}

TEST(Gguf, RefusesDamagedHeads) {
  GgufImage builder;
  builder.String("k", "v").Tensor("a", {4}, 0, std::string(16, 'a'));
  const std::string image = builder.Image();
  for (size_t bytes = 0; bytes < image.size(); ++bytes) {
    SCOPED_TRACE(bytes);
    ExpectError([&] { Parse(image.substr(0, bytes)); }, ErrorKind::kInvalidFile, {kPath});
  }
  const auto changed = [&](auto change) {
    GgufImage copy = builder;
    change(&copy);
    return copy.Image();
  };
  using Kind = ErrorKind;
  ExpectRefused(changed([](auto* b) { b->magic = "GGML"; }), {"offset 0", "GGUF"});
  ExpectRefused(changed([](auto* b) { b->version = 1; }), {"version 1"}, Kind::kUnsupported);
  ExpectRefused(changed([](auto* b) { b->version = 4; }), {"version 4"}, Kind::kUnsupported);
  ExpectRefused(changed([](auto* b) { b->version = 0x03000000; }), {"big-endian"},
                Kind::kUnsupported);
  ExpectRefused(changed([](auto* b) { b->tensor_count = uint64_t{1} << 60; }), {"tensor count"});
  ExpectRefused(changed([](auto* b) { b->metadata_count = ~uint64_t{0}; }), {"metadata count"});
}

TEST(Gguf, RefusesDamagedMetadata) {
  const auto image = [](uint32_t type, const std::string& value) {
    GgufImage builder;
    builder.Raw("key", type, value);
    return builder.Image();
  };
  constexpr auto kHuge = std::numeric_limits<uint64_t>::max();
  ExpectRefused(image(13, "x"), {"\"key\"", "unknown type 13"});
  ExpectRefused(image(7, "\2"), {"\"key\"", "bool"});
  ExpectRefused(image(8, Bytes(kHuge)), {"\"key\"", "truncated"});
  ExpectRefused(image(9, Bytes<uint32_t>(4) + Bytes(kHuge)), {"\"key\"", "does not fit"});
  ExpectRefused(image(9, Bytes<uint32_t>(8) + Bytes(kHuge)), {"\"key\"", "truncated"});
  ExpectRefused(image(9, Bytes<uint32_t>(99) + Bytes<uint64_t>(1)), {"unknown type 99"});
  std::string deep;
  for (int i = 0; i < 9; ++i) deep += Bytes<uint32_t>(9) + Bytes<uint64_t>(1);
  ExpectRefused(image(9, deep), {"arrays within arrays"});
  GgufImage twice;
  twice.U32("key", 1).U32("key", 2);
  ExpectRefused(twice.Image(), {"\"key\" appears twice"});
  for (const uint32_t alignment : {0u, 24u, 0x80000000u}) {
    GgufImage builder;
    builder.U32("general.alignment", alignment).Tensor("a", {1}, 0, "1234");
    ExpectRefused(builder.Image(), {"general.alignment"});
  }
}

TEST(Gguf, RefusesDamagedTensors) {
  const auto image = [](std::initializer_list<uint64_t> dims, uint32_t type, size_t bytes,
                        uint64_t offset_error = 0) {
    GgufImage builder;
    builder.offset_error = offset_error;
    builder.Tensor("w", dims, type, std::string(bytes, 'w'));
    builder.Tensor("x", {1}, 0, "1234");
    return builder.Image();
  };
  ExpectRefused(image({}, 0, 4), {"\"w\"", "0 dimensions"});
  ExpectRefused(image({1, 1, 1, 1, 1}, 0, 4), {"\"w\"", "5 dimensions"});
  ExpectRefused(image({0}, 0, 4), {"\"w\"", "dimension 0"});
  ExpectRefused(image({~uint64_t{0}}, 0, 4), {"\"w\"", "not positive"});
  ExpectRefused(image({uint64_t{1} << 40, uint64_t{1} << 40}, 0, 4), {"\"w\"", "too large"});
  ExpectRefused(image({uint64_t{1} << 62}, 0, 4), {"\"w\"", "too large"});
  ExpectRefused(image({4}, 12345, 4), {"\"w\"", "12345", "TQ2_0"}, ErrorKind::kUnsupported);
  ExpectRefused(image({4}, 0, 16, 32), {"\"w\"", "offset 32"});
  ExpectRefused(image({4}, 0, 16, ~uint64_t{31}), {"offset"});
  ExpectRefused(image({4}, 0, 64), {"\"w\"", "takes 16 bytes"});
  ExpectRefused(image({100}, 35, 66), {"\"w\"", "blocks of 256"});
  // I2_S is n / 4 bytes and 32 for its scale.
  ExpectRefused(image({128, 4}, 36, 128), {"\"w\"", "I2_S", "takes 160 bytes"});
  GgufImage same;
  same.Tensor("w", {1}, 0, "1234");
  same.offset_error = ~uint64_t{31};
  same.Tensor("x", {1}, 0, "1234");
  ExpectRefused(same.Image(), {"\"x\"", "offset 0"});
}

TEST(GgufFile, OpensSplitFiles) {
  const TestDirectory directory(TestDirectory::FastParent());
  const auto part = [](int number, uint32_t count, std::string_view tensor) {
    GgufImage builder;
    builder.U32("split.no", static_cast<uint32_t>(number)).U32("split.count", count);
    builder.U32("split.tensors.count", 2);
    return builder.Tensor(tensor, {1}, 0, "1234").Image();
  };
  const std::string first = directory.Write("m-00001-of-00002.gguf", part(0, 2, "a"));
  ExpectError([&] { GgufFile file(first); }, ErrorKind::kIo,
              {"m-00002-of-00002.gguf", "is missing"});
  const std::string second = directory.Write("m-00002-of-00002.gguf", part(1, 2, "b"));
  {
    const GgufFile file(first);
    EXPECT_EQ(file.tensors().size(), 2u);
    EXPECT_EQ(file.Get("b").info.file, second);
    EXPECT_EQ(file.Find("c"), nullptr);
    EXPECT_EQ(file.paths(), (std::vector<std::string>{first, second}));
    ExpectError([&] { file.Get("c"); }, ErrorKind::kInvalidFile, {first, "\"c\""});
  }
  ExpectError([&] { GgufFile file(second); }, ErrorKind::kInvalidFile,
              {second, "first part", "-00001-of-00002.gguf"});
  directory.Write("m-00002-of-00002.gguf", part(1, 2, "a"));
  ExpectError([&] { GgufFile file(first); }, ErrorKind::kInvalidFile, {"\"a\" appears twice"});
  directory.Write("m-00002-of-00002.gguf", part(0, 2, "b"));
  ExpectError([&] { GgufFile file(first); }, ErrorKind::kInvalidFile, {second, "part 2 of 2"});
}

TEST(GgufFile, KnowsItsFiles) {
  const TestDirectory directory(TestDirectory::FastParent());
  EXPECT_TRUE(IsGgufFile(directory.Write("x.bin", GgufImage().Image())));
  EXPECT_TRUE(IsGgufFile(directory.Write("x.gguf", "")));
  EXPECT_FALSE(IsGgufFile(directory.Write("x.safetensors", "GGU")));
  EXPECT_FALSE(IsGgufFile(directory.path()));
  EXPECT_FALSE(IsGgufFile(directory.File("none.gguf")));
}

}  // namespace
}  // namespace tern
