// SPDX-License-Identifier: MIT
// The quantizers' arithmetic, slow and obvious: the reference that kernels are held to, bit for
// bit.
//
// Weights, absmean (arXiv:2402.17764; transformers integrations/bitnet.py), in f32:
//   s = 1 / max(mean|W|, 1e-5), trit = clamp(round(W s), -1, 1), multiplier = 1 / s.
// Weights, sign (arXiv:2310.11453, equations 1 to 3): trit = 1 where W > mean(W), else -1 (so -1 at
// equality: a sign is never 0), multiplier = mean|W|.
// Activations, absmax per row: s = 127 / max(max|x|, 1e-5), q = clamp(round(x s), -128, 127).
// Rounding is half to even. Means are sums in double in a fixed order, then rounded to f32.
#pragma once

#include <cstdint>
#include <span>

namespace tern {

enum class TernaryQuantizer : uint8_t;  // core/backend.h

inline constexpr float kQuantizerFloor = 1e-5f;

struct WeightSums {
  double sum = 0;
  double abs = 0;
};

// Sums of at most kWeightChunk elements: element i goes to lane i mod 16, then lanes are folded by
// the tree 8, 4, 2, 1. A matrix is summed by chunks of its flattened elements, and the chunks' sums
// are added in order, so that threads can share the work.
inline constexpr int64_t kWeightChunk = 65536;
WeightSums SumWeightChunk(const float* w, int64_t count) noexcept;

// Both weight quantizers as two comparisons: trit + 1 = (w * factor > low) + (w * factor > high).
struct TernaryRule {
  float factor = 1;
  float low = 0;
  float high = 0;
  float multiplier = 0;
};
// From the sums of a matrix of count elements, which must be finite.
TernaryRule MakeTernaryRule(TernaryQuantizer quantizer, const WeightSums& sums, int64_t count);

// Trits of a whole matrix; returns the multiplier. NaN or infinity is an Error(kNumeric).
float QuantizeTernaryReference(std::span<const float> w, TernaryQuantizer quantizer, int8_t* trits);

// A row of activations; returns its scale. A row with NaN has a NaN as its scale and one with
// infinity 0, so that what is computed from it is not finite either; their q is -128 where x s is
// not a number.
float QuantizeRowReference(const float* x, int64_t k, int8_t* q) noexcept;

}  // namespace tern
