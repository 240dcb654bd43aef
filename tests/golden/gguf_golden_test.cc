// SPDX-License-Identifier: MIT
// GGUF files as the gguf package writes and reads them: metadata of each type, and for each type of
// tensor the values that the package reads from its bytes, bit for bit.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tern/base/float16.h"
#include "tern/io/gguf.h"
#include "tern/pack/float_blocks.h"
#include "tern/pack/trit_blocks.h"

namespace tern {
namespace {

std::vector<uint8_t> BytesOf(const GgufTensor& tensor) {
  std::vector<uint8_t> bytes(tensor.info.bytes.size());
  std::memcpy(bytes.data(), tensor.info.bytes.data(), bytes.size());
  return bytes;
}

std::vector<float> FloatsOf(const GgufTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.info.element_count));
  CopyTo(tensor.info, DType::kF32, std::span(values));
  return values;
}

class GgufGolden : public ::testing::Test {
 protected:
  std::vector<uint8_t> Bytes(const std::string& name) const { return BytesOf(file_.Get(name)); }
  std::vector<float> Floats(const std::string& name) const { return FloatsOf(file_.Get(name)); }

  const GgufFile file_{std::string(TERN_GOLDEN_IN_TREE) + "/gguf/package.gguf"};
};

TEST_F(GgufGolden, Metadata) {
  const GgufMetadata& metadata = file_.metadata();
  const auto expect_int = [&](const char* key, int64_t value) {
    EXPECT_EQ(metadata.GetInt(key, value - 1, value + 1), value) << key;
  };
  expect_int("test.u8", 200);
  expect_int("test.i8", -100);
  expect_int("test.u16", 60000);
  expect_int("test.i16", -30000);
  expect_int("test.u32", 4000000000);
  expect_int("test.i32", -2000000000);
  expect_int("test.u64", int64_t{1} << 52);
  expect_int("test.i64", -(int64_t{1} << 52));
  EXPECT_EQ(metadata.GetFloat("test.f32", 0, 1), double{0.1f});
  EXPECT_EQ(metadata.GetFloat("test.f64", 0, 1), 0.1);
  EXPECT_EQ(metadata.FindBool("test.bool"), true);
  EXPECT_EQ(metadata.GetString("test.string"), "Grüße, 世界");
  EXPECT_EQ(metadata.FindStrings("test.strings"), (std::vector<std::string_view>{"a", "", "ß"}));
  EXPECT_EQ(metadata.FindInts("test.ints"), (std::vector<int64_t>{1, -2, 3}));
}

TEST_F(GgufGolden, BlocksOfFloats) {
  for (const char* type : {"Q8_0", "Q4_0", "Q6_K"}) {
    const FloatBlock& block = *FindFloatBlock(type);
    const std::vector<uint8_t> bytes = Bytes(type);
    std::vector<float> values(bytes.size() / block.bytes * block.elements);
    for (size_t i = 0; i * block.bytes < bytes.size(); ++i) {
      block.decode(&bytes[i * block.bytes], &values[i * block.elements]);
    }
    EXPECT_EQ(values, Floats(std::string(type) + ".values")) << type;
  }
}

TEST_F(GgufGolden, WritesTheBytesOfQ80) {
  const FloatBlock& block = *FindFloatBlock("Q8_0");
  const std::vector<float> source = Floats("Q8_0.source");
  std::vector<uint8_t> bytes(source.size() / block.elements * block.bytes);
  for (size_t i = 0; i * block.elements < source.size(); ++i) {
    block.encode(&source[i * block.elements], &bytes[i * block.bytes]);
  }
  EXPECT_EQ(bytes, Bytes("Q8_0"));
}

TEST_F(GgufGolden, BlocksOfTrits) {
  for (const char* type : {"TQ1_0", "TQ2_0"}) {
    const GgufTensor& tensor = file_.Get(type);
    const int64_t n = tensor.rows();
    const int64_t k = tensor.k();
    const TritBlock* block = nullptr;
    for (const TritBlock* candidate : TritBlocks()) {
      if (candidate->type == type) block = candidate;
    }
    ASSERT_NE(block, nullptr) << type;
    std::vector<int8_t> trits(n * k);
    std::vector<float> scales(n * block->Groups(k));
    const std::vector<uint8_t> bytes = Bytes(type);
    ASSERT_EQ(DecodeTritBlocks(*block, bytes, n, k, trits.data(), scales.data()), -1) << type;
    std::vector<float> values(trits.size());
    for (int64_t i = 0; i < n * k; ++i) values[i] = scales[i / block->columns] * trits[i];
    EXPECT_EQ(values, Floats(std::string(type) + ".values")) << type;

    ASSERT_EQ(k, block->columns) << "a scale a row";
    std::vector<uint8_t> written(bytes.size());
    for (int64_t i = 0; i < n; ++i) {
      EncodeTritBlocks(*block, &trits[i * k], 1, k, std::span(&scales[i], 1),
                       std::span(written).subspan(i * block->bytes, block->bytes));
    }
    EXPECT_EQ(written, bytes) << type;
  }
}

template <typename Half>
std::vector<float> Widened(const GgufTensor& tensor, DType dtype) {
  std::vector<Half> halves(static_cast<size_t>(tensor.info.element_count));
  CopyTo(tensor.info, dtype, std::span(halves));
  std::vector<float> values;
  for (const Half half : halves) values.push_back(ToF32(half));
  return values;
}

TEST_F(GgufGolden, Halves) {
  EXPECT_EQ(Widened<F16>(file_.Get("F16"), DType::kF16), Floats("F16.values"));
  EXPECT_EQ(Widened<BF16>(file_.Get("BF16"), DType::kBF16), Floats("BF16.values"));
  std::vector<float> rounded = Floats("BF16.source");
  for (float& value : rounded) value = ToF32(RoundToBF16(value));
  EXPECT_EQ(rounded, Floats("BF16.values"));
}

}  // namespace
}  // namespace tern
