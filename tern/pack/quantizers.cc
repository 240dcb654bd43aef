// SPDX-License-Identifier: MIT
#include "tern/pack/quantizers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tern/base/error.h"
#include "tern/core/backend.h"

namespace tern {
namespace {

// The mean of a matrix that may be empty.
float Mean(double sum, int64_t count) {
  return count == 0 ? 0.0f : static_cast<float>(sum / static_cast<double>(count));
}

double FoldLanes(double (&lane)[16]) {
  for (int half = 8; half >= 1; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

}  // namespace

WeightSums SumWeightChunk(const float* w, int64_t count) noexcept {
  double sum[16] = {};
  double abs[16] = {};
  for (int64_t i = 0; i < count; ++i) {
    sum[i % 16] += w[i];
    abs[i % 16] += std::fabs(w[i]);
  }
  return {FoldLanes(sum), FoldLanes(abs)};
}

TernaryRule MakeTernaryRule(TernaryQuantizer quantizer, const WeightSums& sums, int64_t count) {
  const float mean_abs = Mean(sums.abs, count);
  if (quantizer == TernaryQuantizer::kSign) {
    const float mean = Mean(sums.sum, count);
    return {.factor = 1, .low = mean, .high = mean, .multiplier = mean_abs};
  }
  const float s = 1.0f / std::max(mean_abs, kQuantizerFloor);
  // A product of exactly +-0.5 rounds to 0.
  return {.factor = s, .low = std::nextafter(-0.5f, -1.0f), .high = 0.5f, .multiplier = 1.0f / s};
}

float QuantizeTernaryReference(std::span<const float> w, TernaryQuantizer quantizer,
                               int8_t* trits) {
  const int64_t count = static_cast<int64_t>(w.size());
  WeightSums sums;
  for (int64_t i = 0; i < count; i += kWeightChunk) {
    const WeightSums part = SumWeightChunk(&w[i], std::min(kWeightChunk, count - i));
    sums.sum += part.sum;
    sums.abs += part.abs;
  }
  if (!std::isfinite(sums.abs)) {
    Fail(ErrorKind::kNumeric, "weights hold NaN or infinity and cannot be quantized");
  }
  const float mean_abs = Mean(sums.abs, count);
  if (quantizer == TernaryQuantizer::kSign) {
    const float mean = Mean(sums.sum, count);
    for (int64_t i = 0; i < count; ++i) trits[i] = w[i] > mean ? 1 : -1;
    return mean_abs;
  }
  const float s = 1.0f / std::max(mean_abs, kQuantizerFloor);
  for (int64_t i = 0; i < count; ++i) {
    trits[i] = static_cast<int8_t>(std::clamp(std::nearbyint(w[i] * s), -1.0f, 1.0f));
  }
  return 1.0f / s;
}

float QuantizeRowReference(const float* x, int64_t k, int8_t* q) noexcept {
  float absmax = 0;
  bool has_nan = false;
  for (int64_t i = 0; i < k; ++i) {
    absmax = std::max(absmax, std::fabs(x[i]));
    has_nan = has_nan || std::isnan(x[i]);
  }
  const float s = has_nan ? std::numeric_limits<float>::quiet_NaN()
                          : 127.0f / std::max(absmax, kQuantizerFloor);
  for (int64_t i = 0; i < k; ++i) {
    const float value = std::nearbyint(x[i] * s);
    q[i] = value > -128.0f ? static_cast<int8_t>(std::min(value, 127.0f)) : int8_t{-128};
  }
  return s;
}

}  // namespace tern
