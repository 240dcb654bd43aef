// SPDX-License-Identifier: MIT
// Scales of ternary weights finer than one for the whole matrix: found in floats that are ternary
// already, and merged where they are equal.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tern {

// Scales [n, groups] of trits [n, k] become the fewest that say the same: one in front, and 0 is
// returned; or those of the fewest groups, n times the number returned. So sums are the same bits
// however finely a file repeats them. A group of zeros alone says nothing.
int64_t MergeScales(std::span<const int8_t> trits, int64_t n, int64_t k, std::span<float> scales);

struct FoundTrits {
  std::vector<int8_t> trits;  // [n, k]
  std::vector<float> scales;  // [n, groups]
  int64_t groups = 1;
};

// Weights f32 [n, k] that are trit * scale already, with a scale for each row or, failing that, for
// the widest groups of columns whose non-zero weights have one absolute value: halves, thirds,
// quarters, sixths and eighths of a row, as training split over machines leaves them, and 256, 128,
// 64 and 32 columns. Nothing where there are none such.
std::optional<FoundTrits> FindTrits(std::span<const float> w, int64_t n, int64_t k);

}  // namespace tern
