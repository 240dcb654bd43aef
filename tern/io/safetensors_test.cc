// SPDX-License-Identifier: MIT
// Reading and writing of well-formed files.
#include "tern/io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "tern/io/safetensors_writer.h"
#include "tern/io/test_files.h"

namespace tern {
namespace {

using testing::Concat;
using testing::ExpectError;
using testing::Image;

std::vector<float> Ramp(size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), -1.5f);
  return values;
}

TEST(Safetensors, RoundTrip) {
  const TestDirectory dir;
  const std::string path = dir.File("t.safetensors");
  const std::vector<float> a = Ramp(6);
  const std::vector<int8_t> b = {-128, 0, 127};
  const std::vector<uint16_t> c = {0x3f80};
  const std::vector<double> d = {0.1, -1e300};
  {
    SafetensorsWriter writer(path, {{"a", DType::kF32, {2, 3}},
                                    {"b", DType::kI8, {3}},
                                    {"void", DType::kF32, {0, 5}},
                                    {"c", DType::kBF16, {}},
                                    {"d", DType::kF64, {2, 1}},
                                    {"tail", DType::kI32, {0}}});
    writer.AppendValues("a", std::span<const float>(a).first(1));
    writer.AppendValues("a", std::span<const float>(a).subspan(1));
    writer.AppendValues("b", std::span<const int8_t>(b));
    writer.AppendValues("c", std::span<const uint16_t>(c));
    writer.AppendValues("d", std::span<const double>(d));
    writer.Commit();
  }
  const SafetensorsFile file(path);
  ASSERT_EQ(file.tensors().size(), 6u);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.Get("a").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file.Get("a").dtype, DType::kF32);
  EXPECT_EQ(file.Get("c").shape, std::vector<int64_t>{});
  EXPECT_EQ(file.Get("c").element_count, 1);
  EXPECT_EQ(file.Get("void").element_count, 0);
  EXPECT_EQ(file.Find("e"), nullptr);

  std::vector<float> read_a(6);
  std::vector<int8_t> read_b(3);
  std::vector<uint16_t> read_c(1);
  std::vector<double> read_d(2);
  CopyTo(file.Get("a"), DType::kF32, std::span(read_a));
  CopyTo(file.Get("b"), DType::kI8, std::span(read_b));
  CopyTo(file.Get("c"), DType::kBF16, std::span(read_c));
  file.Release(file.Get("d"));
  CopyTo(file.Get("d"), DType::kF64, std::span(read_d));
  CopyTo(file.Get("void"), DType::kF32, std::span<float>());
  EXPECT_EQ(read_a, a);
  EXPECT_EQ(read_b, b);
  EXPECT_EQ(read_c, c);
  EXPECT_EQ(read_d, d);
  // d lies behind 24 + 3 + 2 bytes: the reader must not need alignment.
  EXPECT_NE(reinterpret_cast<uintptr_t>(file.Get("d").bytes.data()) % 8, 0u);
}

TEST(Safetensors, DataStartsAlignedWhateverTheHeader) {
  const TestDirectory dir;
  for (size_t length = 1; length < 70; ++length) {
    const std::string path = dir.File(Concat({"t", std::to_string(length)}));
    const std::string name(length, 'n');
    SafetensorsWriter writer(path, {{name, DType::kF32, {1}}});
    const float value = 1.0f;
    writer.AppendValues(name, std::span(&value, 1));
    writer.Commit();
    const SafetensorsFile file(path);
    const size_t data_offset = file.file_bytes() - sizeof(float);
    EXPECT_EQ(data_offset % 64, 0u);
  }
}

TEST(Safetensors, NothingAppearsBeforeCommit) {
  const TestDirectory dir;
  {
    SafetensorsWriter writer(dir.File("t.safetensors"), {{"a", DType::kU8, {2}}});
    const uint8_t values[] = {1, 2};
    writer.AppendValues("a", std::span<const uint8_t>(values));
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(Safetensors, ListsInTheOrderOfTheData) {
  const std::string path = "x";
  const std::string image = Image(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},)"
      R"("b":{"shape":[2],"data_offsets":[0,2],"dtype":"U8"},"c":{"dtype":"BOOL","shape":[1],)"
      R"("data_offsets":[3,4]},"__metadata__":{"k":"v"}}   )",
      "\x01\x02\x03\x01");
  const auto contents = ParseSafetensors(std::as_bytes(std::span(image)), path);
  ASSERT_EQ(contents.tensors.size(), 3u);
  EXPECT_EQ(contents.tensors[0].name, "b");
  EXPECT_EQ(contents.tensors[1].name, "a");
  EXPECT_EQ(static_cast<int>(contents.tensors[1].bytes[0]), 3);
  EXPECT_EQ(contents.metadata.at("k"), "v");
}

TEST(Safetensors, ListsTypesThatItCannotRead) {
  const std::string path = "m.safetensors";
  for (const auto& [type, bytes] :
       {std::pair("I64", 8), std::pair("BOOL", 1), std::pair("U16", 2), std::pair("F8_E4M3", 1)}) {
    const std::string image =
        Image(Concat({R"({"idx":{"dtype":")", type, R"(","shape":[1],"data_offsets":[0,)",
                      std::to_string(bytes), "]}}"}),
              std::string(static_cast<size_t>(bytes), '\1'));
    const auto contents = ParseSafetensors(std::as_bytes(std::span(image)), path);
    EXPECT_FALSE(contents.tensors[0].dtype);
    EXPECT_EQ(contents.tensors[0].type_name, type);
    ExpectError([&] { RequireDType(contents.tensors[0]); }, ErrorKind::kUnsupported,
                {"m.safetensors", "\"idx\"", type});
    uint8_t out[8];
    ExpectError([&] { CopyTo(contents.tensors[0], DType::kU8, std::span(out)); },
                ErrorKind::kUnsupported, {"\"idx\""});
  }
}

TEST(Safetensors, RefusesOtherTypesAndShapesThanAskedFor) {
  const TestDirectory dir;
  const std::string path = dir.File("t.safetensors");
  SafetensorsWriter writer(path, {{"w", DType::kF16, {1, 2}}});
  const uint16_t values[] = {1, 2};
  writer.AppendValues("w", std::span<const uint16_t>(values));
  writer.Commit();
  const SafetensorsFile file(path);
  float out[2];
  ExpectError([&] { CopyTo(file.Get("w"), DType::kF32, std::span(out)); }, ErrorKind::kInvalidFile,
              {path, "\"w\"", "f16", "expected f32"});
  const std::vector<int64_t> wanted = {2, 1};
  ExpectError([&] { RequireShape(file.Get("w"), wanted); }, ErrorKind::kInvalidFile,
              {path, "\"w\"", "[1, 2]", "[2, 1]"});
  EXPECT_NO_THROW(RequireShape(file.Get("w"), std::vector<int64_t>{1, 2}));
  ExpectError([&] { file.Get("v"); }, ErrorKind::kInvalidFile, {path, "no tensor \"v\""});
}

TEST(SafetensorsWriter, RefusesWhatTheFormatCannotHold) {
  const TestDirectory dir;
  const std::string path = dir.File("t.safetensors");
  const auto write = [&](std::vector<TensorSpec> tensors) {
    SafetensorsWriter writer(path, std::move(tensors));
  };
  constexpr auto kInvalidArgument = ErrorKind::kInvalidArgument;
  ExpectError(
      [&] {
        write({{"a", DType::kU8, {1}}, {"a", DType::kU8, {1}}});
      },
      kInvalidArgument, {path, "\"a\""});
  ExpectError(
      [&] {
        write({{"__metadata__", DType::kU8, {1}}});
      },
      kInvalidArgument, {"__metadata__"});
  ExpectError([&] { write({{"a\xff", DType::kU8, {1}}}); }, kInvalidArgument, {path, "UTF-8"});
  ExpectError([&] { write({{"a", DType::kU8, {-1}}}); }, kInvalidArgument, {"\"a\"", "[-1]"});
  ExpectError(
      [&] {
        write({{"a", DType::kF64, {int64_t{1} << 40, int64_t{1} << 40}}});
      },
      kInvalidArgument, {"\"a\"", "overflow"});
  ExpectError([&] { SafetensorsWriter writer(dir.File("no/such/t"), {}); }, ErrorKind::kIo,
              {"no/such"});
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(SafetensorsWriter, SortForAlignmentKeepsOrderWithinASize) {
  std::vector<TensorSpec> tensors = {{"s", DType::kBF16, {1}}, {"a", DType::kF32, {1}},
                                     {"w", DType::kU8, {3}},   {"b", DType::kI32, {1}},
                                     {"d", DType::kF64, {1}},  {"t", DType::kF16, {1}}};
  SortForAlignment(&tensors);
  std::string order;
  for (const auto& tensor : tensors) order += tensor.name;
  EXPECT_EQ(order, "dabstw");
}

}  // namespace
}  // namespace tern
