// SPDX-License-Identifier: MIT
#include "tern/pack/float_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "tern/base/float16.h"

namespace tern {
namespace {

float ReadHalf(const uint8_t* bytes) {
  F16 half;
  std::memcpy(&half, bytes, sizeof(half));
  return ToF32(half);
}

void WriteHalf(float value, uint8_t* bytes) {
  const F16 half = RoundToF16(value);
  std::memcpy(bytes, &half, sizeof(half));
}

void DecodeQ80(const uint8_t* bytes, float* values) {
  const float d = ReadHalf(bytes);
  for (int i = 0; i < 32; ++i) {
    values[i] = d * static_cast<float>(static_cast<int8_t>(bytes[2 + i]));
  }
}

void EncodeQ80(const float* values, uint8_t* bytes) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[i]));
  const float d = largest / 127.0f;
  // Below, f16 holds no d anyway, and the inverse may be infinite.
  const float inverse = d >= std::numeric_limits<float>::min() ? 1.0f / d : 0.0f;
  WriteHalf(d, bytes);
  for (int i = 0; i < 32; ++i) {
    bytes[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(values[i] * inverse)));
  }
}

void DecodeQ40(const uint8_t* bytes, float* values) {
  const float d = ReadHalf(bytes);
  for (int i = 0; i < 16; ++i) {
    values[i] = d * static_cast<float>((bytes[2 + i] & 15) - 8);
    values[16 + i] = d * static_cast<float>((bytes[2 + i] >> 4) - 8);
  }
}

// Where Q6_K has column c.
struct SixBits {
  int low;  // byte and shift of the low four bits
  int low_shift;
  int high;  // and of the high two
  int high_shift;
};

constexpr int kGroups = 16;  // of 16 columns, each with its scale
constexpr int kHighAt = 128;
constexpr int kScalesAt = 192;
constexpr int kHalfAt = 208;

SixBits PlaceOf(int column) {
  const int half = column / 128, field = column / 32 % 4, j = column % 32;
  return {64 * half + 32 * (field % 2) + j, 4 * (field / 2), kHighAt + 32 * half + j, 2 * field};
}

void DecodeQ6K(const uint8_t* bytes, float* values) {
  const float d = ReadHalf(bytes + kHalfAt);
  for (int column = 0; column < 256; ++column) {
    const SixBits at = PlaceOf(column);
    const int low = bytes[at.low] >> at.low_shift & 15;
    const int high = bytes[at.high] >> at.high_shift & 3;
    const auto scale = static_cast<float>(static_cast<int8_t>(bytes[kScalesAt + column / 16]));
    values[column] = d * scale * static_cast<float>((low | high << 4) - 32);
  }
}

constexpr float kNothing = 1e-15f;  // ggml takes groups that are smaller for zeros

int Nearest(float value, int low, int high) {
  return std::clamp(static_cast<int>(std::nearbyint(value)), low, high);
}

// The scale with which codes -32 .. 31 come nearest to the 16 values, errors weighed by the values'
// squares: ggml's search over inverse scales around -32 / extreme.
float SearchScale(const float* x) {
  const float* extreme =
      std::max_element(x, x + 16, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  if (std::fabs(*extreme) < kNothing) return 0;
  float scale = 0, best = 0;
  for (int step = 0; step < 19; ++step) {
    const int offset = step == 0 ? 0 : step <= 9 ? step - 10 : step - 9;  // 0, then -9 .. 9
    const float inverse = -(32.0f + 0.1f * static_cast<float>(offset)) / *extreme;
    float product = 0, square = 0;
    for (int i = 0; i < 16; ++i) {
      const auto code = static_cast<float>(Nearest(inverse * x[i], -32, 31));
      product += x[i] * x[i] * x[i] * code;
      square += x[i] * x[i] * code * code;
    }
    if (step == 0 || (square > 0 && product * product > best * square)) {
      scale = square > 0 ? product / square : 0.0f;
      best = scale * product;
    }
  }
  return scale;
}

void EncodeQ6K(const float* values, uint8_t* bytes) {
  std::memset(bytes, 0, 210);
  std::array<float, kGroups> scales = {};
  for (int group = 0; group < kGroups; ++group) {
    scales[static_cast<size_t>(group)] = SearchScale(values + 16 * group);
  }
  const float extreme = *std::max_element(
      scales.begin(), scales.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  if (std::fabs(extreme) < kNothing) return;
  const float inverse = -128.0f / extreme;
  WriteHalf(1.0f / inverse, bytes + kHalfAt);
  const float d = ReadHalf(bytes + kHalfAt);
  for (int column = 0; column < 256; ++column) {
    const auto group = static_cast<size_t>(column / 16);
    const int scale = Nearest(inverse * scales[group], -128, 127);
    bytes[kScalesAt + group] = static_cast<uint8_t>(static_cast<int8_t>(scale));
    const float step = d * static_cast<float>(scale);
    // A group whose scale is 0 decodes to zeros whatever its codes are; ggml leaves the search's.
    const int code = step == 0 ? 32 : 32 + Nearest(values[column] / step, -32, 31);
    const SixBits at = PlaceOf(column);
    bytes[at.low] = static_cast<uint8_t>(bytes[at.low] | (code & 15) << at.low_shift);
    bytes[at.high] = static_cast<uint8_t>(bytes[at.high] | (code >> 4) << at.high_shift);
  }
}

constexpr FloatBlock kBlocks[] = {
    {.type = "Q8_0", .elements = 32, .bytes = 34, .decode = DecodeQ80, .encode = EncodeQ80},
    {.type = "Q4_0", .elements = 32, .bytes = 18, .decode = DecodeQ40, .encode = nullptr},
    {.type = "Q6_K", .elements = 256, .bytes = 210, .decode = DecodeQ6K, .encode = EncodeQ6K},
};

}  // namespace

std::span<const FloatBlock> FloatBlocks() { return kBlocks; }

const FloatBlock* FindFloatBlock(std::string_view type) {
  const auto* const found = std::find_if(std::begin(kBlocks), std::end(kBlocks),
                                         [&](const auto& block) { return block.type == type; });
  return found == std::end(kBlocks) ? nullptr : found;
}

}  // namespace tern
