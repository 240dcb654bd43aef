// SPDX-License-Identifier: MIT
#include "tern/pack/scales.h"

#include <algorithm>
#include <cmath>

#include "tern/base/check.h"

namespace tern {
namespace {

constexpr int64_t kNarrowestGroup = 32;

// The scale that all groups of [begin, end) share, if they do. Those of zeros alone do not count;
// of such alone, the first.
std::optional<float> CommonScale(const int8_t* trits, int64_t columns,
                                 std::span<const float> scales, int64_t begin, int64_t end) {
  std::optional<float> common;
  for (int64_t i = begin; i < end; ++i) {
    const int8_t* group = trits + i * columns;
    if (std::all_of(group, group + columns, [](int8_t trit) { return trit == 0; })) continue;
    if (common && *common != scales[i]) return std::nullopt;
    common = scales[i];
  }
  return common ? common : scales[begin];
}

// The one absolute value of the non-zero weights; 0 if there are none, nothing if they differ.
std::optional<float> Magnitude(const float* w, int64_t count) {
  float magnitude = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float value = std::fabs(w[i]);
    if (value == 0 || value == magnitude) continue;
    if (magnitude != 0 || !std::isfinite(value)) return std::nullopt;
    magnitude = value;
  }
  return magnitude;
}

std::optional<std::vector<float>> Magnitudes(std::span<const float> w, int64_t columns) {
  std::vector<float> scales;
  for (size_t i = 0; i < w.size(); i += static_cast<size_t>(columns)) {
    const std::optional<float> scale = Magnitude(&w[i], columns);
    if (!scale) return std::nullopt;
    scales.push_back(*scale);
  }
  return scales;
}

}  // namespace

int64_t MergeScales(std::span<const int8_t> trits, int64_t n, int64_t k, std::span<float> scales) {
  const int64_t count = static_cast<int64_t>(scales.size());
  TERN_CHECK(n > 0 && count > 0 && count % n == 0 && k % (count / n) == 0);
  const int64_t groups = count / n;
  const int64_t columns = k / groups;
  if (const std::optional<float> one = CommonScale(trits.data(), columns, scales, 0, count)) {
    scales[0] = *one;
    return 0;
  }
  for (int64_t fewer = 1; fewer < groups; ++fewer) {
    if (groups % fewer != 0) continue;
    const int64_t each = groups / fewer;
    std::vector<float> merged;
    for (int64_t begin = 0; begin < count; begin += each) {
      const std::optional<float> scale =
          CommonScale(trits.data(), columns, scales, begin, begin + each);
      if (!scale) break;
      merged.push_back(*scale);
    }
    if (static_cast<int64_t>(merged.size()) < n * fewer) continue;
    std::copy(merged.begin(), merged.end(), scales.begin());
    return fewer;
  }
  return groups;
}

std::optional<FoundTrits> FindTrits(std::span<const float> w, int64_t n, int64_t k) {
  TERN_CHECK(n > 0 && k > 0 && static_cast<int64_t>(w.size()) == n * k);
  for (const int64_t columns : {k, k / 2, k / 3, k / 4, k / 6, k / 8, int64_t{256}, int64_t{128},
                                int64_t{64}, kNarrowestGroup}) {
    if (columns != k && (columns < kNarrowestGroup || k % columns != 0)) continue;
    std::optional<std::vector<float>> scales = Magnitudes(w, columns);
    if (!scales) continue;
    FoundTrits found = {.trits = {}, .scales = std::move(*scales), .groups = k / columns};
    found.trits.reserve(w.size());
    for (const float value : w) {
      found.trits.push_back(static_cast<int8_t>((value > 0) - (value < 0)));
    }
    return found;
  }
  return std::nullopt;
}

}  // namespace tern
