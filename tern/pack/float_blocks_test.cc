// SPDX-License-Identifier: MIT
#include "tern/pack/float_blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "tern/base/float16.h"
#include "tern/base/random.h"

namespace tern {
namespace {

using Bytes = std::vector<uint8_t>;

void PutHalf(float value, uint8_t* at) {
  const F16 half = RoundToF16(value);
  std::memcpy(at, &half, 2);
}

Bytes RandomBytes(size_t count, Random* random) {
  Bytes bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random->Below(256));
  return bytes;
}

std::vector<float> Decode(const char* type, const Bytes& bytes) {
  const FloatBlock* block = FindFloatBlock(type);
  std::vector<float> values(block->elements);
  block->decode(bytes.data(), values.data());
  return values;
}

TEST(FloatBlocks, DecodeQ80AndQ40) {
  Random random(21);
  Bytes bytes = RandomBytes(34, &random);
  PutHalf(0.375f, bytes.data());
  std::vector<float> values = Decode("Q8_0", bytes);
  for (int i = 0; i < 32; ++i) {
    EXPECT_EQ(values[i], 0.375f * static_cast<float>(static_cast<int8_t>(bytes[2 + i])));
  }
  bytes.resize(18);
  values = Decode("Q4_0", bytes);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(values[i], 0.375f * static_cast<float>(bytes[2 + i] % 16 - 8));
    EXPECT_EQ(values[16 + i], 0.375f * static_cast<float>(bytes[2 + i] / 16 - 8));
  }
}

// 127 / 1e-38 is infinite, and no int8 that a machine makes of infinity is right.
TEST(FloatBlocks, Q80TakesWhatF16DoesNotHoldForZeros) {
  const std::vector<float> values(32, 1e-38f);
  Bytes bytes(34, 0xff);
  FindFloatBlock("Q8_0")->encode(values.data(), bytes.data());
  EXPECT_EQ(bytes, Bytes(34, 0));
}

// As ggml's dequantize_row_q6_K goes through a block.
std::vector<float> ReferenceQ6K(const Bytes& bytes) {
  std::vector<float> values(256);
  F16 half;
  std::memcpy(&half, &bytes[208], 2);
  const uint8_t* ql = &bytes[0];
  const uint8_t* qh = &bytes[128];
  const auto* scales = reinterpret_cast<const int8_t*>(&bytes[192]);
  for (int n = 0; n < 256; n += 128, ql += 64, qh += 32, scales += 8) {
    for (int l = 0; l < 32; ++l) {
      const int q[4] = {(ql[l] & 0xF) | (qh[l] & 3) << 4,
                        (ql[l + 32] & 0xF) | (qh[l] >> 2 & 3) << 4,
                        ql[l] >> 4 | (qh[l] >> 4 & 3) << 4, ql[l + 32] >> 4 | (qh[l] >> 6) << 4};
      for (int f = 0; f < 4; ++f) {
        values[n + 32 * f + l] = ToF32(half) * static_cast<float>(scales[l / 16 + 2 * f]) *
                                 static_cast<float>(q[f] - 32);
      }
    }
  }
  return values;
}

TEST(FloatBlocks, DecodeQ6K) {
  Random random(22);
  for (int round = 0; round < 10; ++round) {
    Bytes bytes = RandomBytes(210, &random);
    PutHalf(-0.011f, &bytes[208]);
    EXPECT_EQ(Decode("Q6_K", bytes), ReferenceQ6K(bytes));
  }
}

// What an encoder of absolute steps may lose: half a step of the block, and what rounding the step
// to f16 moves the code of largest magnitude by.
TEST(FloatBlocks, EncodeNearTheValues) {
  constexpr uint64_t kSeed = 23;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  for (const FloatBlock& block : FloatBlocks()) {
    if (block.encode == nullptr) continue;
    SCOPED_TRACE(block.type);
    const float codes = block.type == "Q8_0" ? 127.0f : 32.0f;
    std::vector<float> values(block.elements), back(block.elements);
    Bytes bytes(block.bytes);
    for (int round = 0; round < 20; ++round) {
      float largest = 0;
      for (float& value : values) {
        value = static_cast<float>(random.Normal());
        largest = std::max(largest, std::fabs(value));
      }
      block.encode(values.data(), bytes.data());
      block.decode(bytes.data(), back.data());
      // Q6_K also rounds each group's step to one of 128 and gives up half a code at one end.
      const float step = largest / codes;
      const float bound = block.type == "Q8_0" ? step * (0.5f + 127.0f * 0x1p-11f) : step * 2.0f;
      for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(back[i], values[i], bound);
      // Encoding what was decoded changes nothing more for Q8_0, whose codes reach the extreme.
      if (block.type != "Q8_0") continue;
      std::vector<float> again(block.elements);
      block.encode(back.data(), bytes.data());
      block.decode(bytes.data(), again.data());
      EXPECT_EQ(again, back);
    }
    std::fill(values.begin(), values.end(), 0.0f);
    block.encode(values.data(), bytes.data());
    block.decode(bytes.data(), back.data());
    EXPECT_EQ(back, values);
  }
}

}  // namespace
}  // namespace tern
