// SPDX-License-Identifier: MIT
#include "tern/pack/trit_blocks.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tern/base/check.h"
#include "tern/base/checked_math.h"
#include "tern/base/float16.h"

namespace tern {

namespace blocks {
#define TERN_TRIT_BLOCK(name) extern const TritBlock name;
#include "tern/pack/trit_blocks.inc"
#undef TERN_TRIT_BLOCK
}  // namespace blocks

namespace {

constexpr const TritBlock* kBlocks[] = {
#define TERN_TRIT_BLOCK(name) &blocks::name,
#include "tern/pack/trit_blocks.inc"
#undef TERN_TRIT_BLOCK
};

constexpr int64_t kTailBytes = 32;  // of a tensor with one scale

int64_t ScaleBytes(const TritBlock& block) {
  return static_cast<int64_t>(ElementBytes(block.scale_type));
}

float ReadScale(const TritBlock& block, const uint8_t* bytes) {
  if (block.scale_type == DType::kF16) {
    F16 half;
    std::memcpy(&half, bytes, sizeof(half));
    return ToF32(half);
  }
  float scale = 0;
  std::memcpy(&scale, bytes, sizeof(scale));
  return scale;
}

void WriteScale(const TritBlock& block, float scale, uint8_t* bytes) {
  if (block.scale_type == DType::kF16) {
    const F16 half = RoundToF16(scale);
    std::memcpy(bytes, &half, sizeof(half));
  } else {
    std::memcpy(bytes, &scale, sizeof(scale));
  }
}

// How [n, k] is gone through: as lines of blocks.
struct Lines {
  int64_t count;
  int64_t columns;
  int64_t header_bytes;
};

Lines LinesOf(const TritBlock& block, int64_t n, int64_t k) {
  if (block.span == ScaleSpan::kTensor) return {1, n * k, 0};
  return {n, k, block.span == ScaleSpan::kRow ? ScaleBytes(block) : 0};
}

// From [k, together] in each group of rows to [together, k].
void Untangle(int64_t together, int64_t n, int64_t k, int8_t* trits) {
  std::vector<int8_t> group(static_cast<size_t>(together * k));
  for (int64_t row = 0; row < n; row += together) {
    int8_t* const rows = trits + row * k;
    std::copy_n(rows, together * k, group.begin());
    for (int64_t i = 0; i < together * k; ++i) {
      rows[i % together * k + i / together] = group[static_cast<size_t>(i)];
    }
  }
}

}  // namespace

std::span<const TritBlock* const> TritBlocks() { return kBlocks; }

const TritBlock* FindTritBlock(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kBlocks), std::end(kBlocks),
                                         [&](const auto* block) { return block->name == name; });
  return found == std::end(kBlocks) ? nullptr : *found;
}

std::optional<int64_t> TritBlock::Bytes(int64_t n, int64_t k) const {
  const std::optional<int64_t> all = CheckedMul(n, k);
  if (n < 0 || k < 0 || !all || n % rows_together != 0) return std::nullopt;
  const Lines lines = LinesOf(*this, n, k);
  if (lines.columns % columns != 0) return std::nullopt;
  const std::optional<int64_t> line = CheckedMul(lines.columns / columns, bytes);
  if (!line || *line > INT64_MAX - kTailBytes) return std::nullopt;
  if (span == ScaleSpan::kTensor) return *line + kTailBytes;
  return CheckedMul(*line + lines.header_bytes, lines.count);
}

bool TritBlock::Holds(int64_t groups, int64_t k) const {
  if (groups == 0) return true;
  if (span == ScaleSpan::kBlock) return k % groups == 0 && k / groups % columns == 0;
  return span == ScaleSpan::kRow && groups == 1;
}

int64_t DecodeTritBlocks(const TritBlock& block, std::span<const uint8_t> bytes, int64_t n,
                         int64_t k, int8_t* trits, float* scales) {
  TERN_CHECK(block.Bytes(n, k) == static_cast<int64_t>(bytes.size()));
  const Lines lines = LinesOf(block, n, k);
  const uint8_t* next = bytes.data();
  int8_t* out = trits;
  int64_t done = 0;
  for (int64_t line = 0; line < lines.count; ++line) {
    if (block.span == ScaleSpan::kRow) *scales++ = ReadScale(block, next);
    next += lines.header_bytes;
    for (int64_t column = 0; column < lines.columns; column += block.columns, ++done) {
      if (block.span == ScaleSpan::kBlock) *scales++ = ReadScale(block, next + block.scale_at);
      if (!block.decode(next + block.codes_at, out)) return done;
      next += block.bytes;
      out += block.columns;
    }
  }
  if (block.span == ScaleSpan::kTensor) std::fill_n(scales, n, ReadScale(block, next));
  if (block.rows_together > 1) Untangle(block.rows_together, n, k, trits);
  return -1;
}

void EncodeTritBlocks(const TritBlock& block, const int8_t* trits, int64_t n, int64_t k,
                      std::span<const float> scales, std::span<uint8_t> bytes) {
  TERN_CHECK(block.Bytes(n, k) == static_cast<int64_t>(bytes.size()));
  TERN_CHECK(block.encode != nullptr && block.rows_together == 1);
  const int64_t groups = scales.size() == 1 ? 0 : static_cast<int64_t>(scales.size()) / n;
  TERN_CHECK(block.Holds(groups, k) && std::max<int64_t>(1, groups * n) == std::ssize(scales));
  const auto scale_of = [&](const int8_t* begin, int64_t count, int64_t row, int64_t column) {
    const bool zeros = std::all_of(begin, begin + count, [](int8_t trit) { return trit == 0; });
    return zeros ? 0.0f : scales[static_cast<size_t>(row * groups + column * groups / k)];
  };
  const Lines lines = LinesOf(block, n, k);
  uint8_t* next = bytes.data();
  for (int64_t line = 0; line < lines.count; ++line) {
    if (block.span == ScaleSpan::kRow) WriteScale(block, scale_of(trits, k, line, 0), next);
    next += lines.header_bytes;
    for (int64_t column = 0; column < lines.columns; column += block.columns) {
      block.encode(trits, next + block.codes_at);
      if (block.span == ScaleSpan::kBlock) {
        WriteScale(block, scale_of(trits, block.columns, line, column), next + block.scale_at);
      }
      next += block.bytes;
      trits += block.columns;
    }
  }
  if (block.span == ScaleSpan::kTensor) {
    std::memset(next, 0, kTailBytes);
    WriteScale(block, scales[0], next);
  }
}

float RoundTritScale(const TritBlock& block, float scale) {
  return block.scale_type == DType::kF16 ? ToF32(RoundToF16(scale)) : scale;
}

}  // namespace tern
