// SPDX-License-Identifier: MIT
// Files that lie. Each must give an Error that names the file and the tensor or the place, and no
// mutation of a good file may do worse than that.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

#include "tern/io/safetensors.h"
#include "tern/io/test_files.h"

namespace tern {
namespace {

using testing::Concat;
using testing::ExpectError;
using testing::Image;

constexpr auto kInvalidFile = ErrorKind::kInvalidFile;

void Parse(std::string_view image) {
  static const std::string path = "dir/m.safetensors";
  ParseSafetensors(std::as_bytes(std::span(image)), path);
}

void ExpectInvalid(const std::string& image, std::initializer_list<std::string_view> texts) {
  ExpectError([&] { Parse(image); }, kInvalidFile, {"dir/m.safetensors"});
  ExpectError([&] { Parse(image); }, kInvalidFile, texts);
}

// A file with the tensor "w" made of these fields and four bytes of data.
std::string OneTensor(std::string_view dtype, std::string_view shape, std::string_view offsets,
                      std::string_view data = "abcd") {
  std::string header = R"({"w":{"dtype":)";
  header.append(dtype).append(R"(,"shape":)").append(shape);
  header.append(R"(,"data_offsets":)").append(offsets).append("}}");
  return Image(header, data);
}

constexpr std::string_view kTwo =
    R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
    R"("b":{"dtype":"BF16","shape":[1,2],"data_offsets":[2,6]},"__metadata__":{"format":"pt"}})";

TEST(SafetensorsHostile, TruncatedAnywhere) {
  const std::string image = Image(kTwo, "ABcdef");
  EXPECT_NO_THROW(Parse(image));
  for (size_t bytes = 0; bytes < image.size(); ++bytes) {
    ExpectInvalid(image.substr(0, bytes), {"dir/m.safetensors"});
  }
  ExpectInvalid("", {"truncated"});
  ExpectInvalid(image.substr(0, 7), {"truncated"});
  ExpectInvalid(image.substr(0, 20), {"offset 0", "header length", "truncated"});
  ExpectInvalid(image.substr(0, image.size() - 1), {"\"b\"", "[2, 6]", "truncated"});
}

TEST(SafetensorsHostile, HeaderLengthThatDoesNotFit) {
  ExpectInvalid(Image(kTwo, "ABcdef", kTwo.size() + 7), {"offset 0", "exceeds the"});
  ExpectInvalid(Image(kTwo, "ABcdef", UINT64_MAX), {"offset 0", "limit"});
  ExpectInvalid(Image(kTwo, "ABcdef", UINT64_MAX - 7), {"offset 0", "limit"});
  ExpectInvalid(Image(kTwo, "ABcdef", (100u << 20) + 1), {"offset 0", "limit"});
  ExpectInvalid(Image(kTwo, "ABcdef", 0), {"offset 8"});
  ExpectInvalid(Image(kTwo, "ABcdef", kTwo.size() - 1), {"header: line 1"});
  ExpectInvalid(Image(kTwo, "ABcdef", kTwo.size() + 1), {"header: line 1"});
}

TEST(SafetensorsHostile, HeaderThatIsNoHeader) {
  ExpectInvalid(Image("[]", ""), {"offset 8"});
  ExpectInvalid(Image(" {}", ""), {"offset 8"});
  ExpectInvalid(Image("{}{}", ""), {"header: line 1"});
  ExpectInvalid(Image("{\"w\":3}", ""), {"\"w\"", "not an object"});
  ExpectInvalid(Image("{\"w\":[[[[[]]]]]}", ""), {"header", "deep"});
  ExpectInvalid(Image(Concat({"{\"w\":", std::string(100000, '[')}), ""), {"header", "deep"});
  ExpectInvalid(Image("{\"__metadata__\":[]}", ""), {"__metadata__"});
  ExpectInvalid(Image("{\"__metadata__\":{\"k\":1}}", ""), {"__metadata__", "\"k\""});
  ExpectInvalid(Image("{\"w\xff\":{}}", ""), {"header: line 1", "UTF-8"});
}

TEST(SafetensorsHostile, DuplicateNames) {
  ExpectInvalid(Image(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                      R"("w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                      "ab"),
                {"header: line 1, column", "\"w\" appears twice"});
  ExpectInvalid(Image(R"({"__metadata__":{},"__metadata__":{}})", ""), {"appears twice"});
  ExpectInvalid(Image(R"({"w":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", "a"),
                {"\"dtype\" appears twice"});
}

TEST(SafetensorsHostile, Offsets) {
  ExpectInvalid(OneTensor("\"U8\"", "[5]", "[0,5]"), {"\"w\"", "[0, 5]", "past the 4 bytes"});
  ExpectInvalid(OneTensor("\"U8\"", "[4]", "[4,8]"), {"\"w\"", "past"});
  ExpectInvalid(OneTensor("\"U8\"", "[4]", "[4,0]"), {"\"w\"", "reversed"});
  ExpectInvalid(OneTensor("\"U8\"", "[1]", "[18446744073709551615,0]"), {"\"w\"", "reversed"});
  ExpectInvalid(OneTensor("\"U8\"", "[4]", "[0,18446744073709551615]"), {"\"w\"", "past"});
  for (const char* offsets : {"[-4,0]", "[0]", "[0,4,8]", "[0,4.0]", "\"0,4\"", "{}", "null",
                              "[null,4]", "[0,18446744073709551616]"}) {
    ExpectInvalid(OneTensor("\"U8\"", "[4]", offsets), {"\"w\"", "data_offsets"});
  }
}

TEST(SafetensorsHostile, OverlapsAndHoles) {
  const auto two = [](const char* first, const char* second, const char* data) {
    return Image(Concat({R"({"one":{"dtype":"U8","shape":[2],"data_offsets":)", first,
                         R"(},"two":{"dtype":"U8","shape":[2],"data_offsets":)", second, "}}"}),
                 data);
  };
  EXPECT_NO_THROW(Parse(two("[2,4]", "[0,2]", "abcd")));
  ExpectInvalid(two("[0,2]", "[1,3]", "abc"), {"\"two\"", "overlap", "\"one\""});
  ExpectInvalid(two("[0,2]", "[0,2]", "ab"), {"\"two\"", "overlap", "\"one\""});
  ExpectInvalid(two("[0,2]", "[3,5]", "abcde"), {"\"two\"", "1 bytes", "no tensor"});
  ExpectInvalid(two("[1,3]", "[3,5]", "abcde"), {"\"one\"", "1 bytes", "no tensor"});
  ExpectInvalid(two("[0,2]", "[2,4]", "abcde"), {"last 1 of 5 bytes"});
  ExpectInvalid(Image("{}", "abcd"), {"last 4 of 4 bytes"});
}

TEST(SafetensorsHostile, ByteCountThatDoesNotFitTheShape) {
  ExpectInvalid(OneTensor("\"U8\"", "[3]", "[0,4]"), {"\"w\"", "4 bytes", "[3]", "takes 3"});
  ExpectInvalid(OneTensor("\"F32\"", "[1,2]", "[0,4]"), {"\"w\"", "4 bytes", "takes 8"});
  ExpectInvalid(OneTensor("\"F32\"", "[0]", "[0,4]"), {"\"w\"", "4 bytes", "takes 0"});
  ExpectInvalid(OneTensor("\"F32\"", "[1]", "[0,0]", ""), {"\"w\"", "0 bytes", "takes 4"});
  ExpectInvalid(OneTensor("\"F64\"", "[]", "[0,4]"), {"\"w\"", "takes 8"});
}

TEST(SafetensorsHostile, DimensionsThatOverflowOrAreNone) {
  for (const char* shape :
       {"[4611686018427387904,4]", "[4294967296,4294967296]", "[9223372036854775807,2]",
        "[2305843009213693952]", "[0,4611686018427387904,4611686018427387904]",
        "[65536,65536,65536,65536]"}) {
    ExpectInvalid(OneTensor("\"F32\"", shape, "[0,4]"), {"\"w\"", "overflow"});
  }
  for (const char* shape : {"[-1]", "[1.0]", "[\"1\"]", "[null]", "[9223372036854775808]",
                            "[18446744073709551616]", "[true]"}) {
    ExpectInvalid(OneTensor("\"F32\"", shape, "[0,4]"), {"\"w\"", "shape"});
  }
  ExpectInvalid(OneTensor("\"F32\"", "1", "[0,4]"), {"\"w\"", "shape"});
  ExpectInvalid(OneTensor("\"F32\"", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]"),
                {"\"w\"", "17 dimensions"});
}

TEST(SafetensorsHostile, Types) {
  ExpectInvalid(OneTensor("4", "[1]", "[0,4]"), {"\"w\"", "dtype"});
  ExpectError([] { Parse(OneTensor("\"F31\"", "[1]", "[0,4]")); }, ErrorKind::kUnsupported,
              {"dir/m.safetensors", "\"w\"", "\"F31\""});
  ExpectInvalid(Image(R"({"w":{"shape":[],"data_offsets":[0,0]}})", ""), {"\"w\"", "\"dtype\""});
  ExpectInvalid(Image(R"({"w":{"dtype":"U8","data_offsets":[0,0]}})", ""), {"\"w\"", "\"shape\""});
  ExpectInvalid(Image(R"({"w":{"dtype":"U8","shape":[0]}})", ""), {"\"w\"", "\"data_offsets\""});
}

TEST(SafetensorsHostile, FilesThatAreNone) {
  const TestDirectory dir;
  ExpectError([&] { SafetensorsFile file(dir.File("none")); }, ErrorKind::kIo, {"none"});
  ExpectError([&] { SafetensorsFile file(dir.path()); }, ErrorKind::kIo, {dir.path()});
  const std::string empty = dir.Write("empty.safetensors", "");
  ExpectError([&] { SafetensorsFile file(empty); }, kInvalidFile, {empty, "truncated"});
}

// Touches every byte that the parser vouches for, so that a sanitizer sees a wrong range.
uint64_t SumOfBytes(const SafetensorsContents& contents) {
  uint64_t sum = 0;
  for (const TensorInfo& tensor : contents.tensors) {
    for (const std::byte value : tensor.bytes) sum += static_cast<uint64_t>(value);
  }
  return sum;
}

TEST(SafetensorsHostile, RandomMutationsNeverCrash) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const std::string good = Image(kTwo, "ABcdef");
  constexpr std::string_view kAlphabet = "0123456789-[]{},:\"eE.\\ \xff";
  int refused = 0;
  const std::string path = "mutated";
  for (int round = 0; round < 30000; ++round) {
    std::string image = good;
    const size_t edits = 1 + random() % 4;
    for (size_t i = 0; i < edits && !image.empty(); ++i) {
      const size_t at = random() % image.size();
      switch (random() % 4) {
        case 0:
          image[at] = static_cast<char>(random());
          break;
        case 1:
          image[at] = kAlphabet[random() % kAlphabet.size()];
          break;
        case 2:
          image.erase(at, 1 + random() % 8);
          break;
        default:
          image.insert(at, 1, kAlphabet[random() % kAlphabet.size()]);
          break;
      }
    }
    // A heap block of exactly this size, so that AddressSanitizer sees a read past it.
    const std::vector<char> block(image.begin(), image.end());
    try {
      SumOfBytes(ParseSafetensors(std::as_bytes(std::span(block)), path));
    } catch (const Error& error) {
      ++refused;
      EXPECT_NE(std::string_view(error.what()).find("mutated"), std::string_view::npos);
    }
  }
  EXPECT_GT(refused, 15000) << "mutations hardly ever broke the file: they test nothing";
}

}  // namespace
}  // namespace tern
