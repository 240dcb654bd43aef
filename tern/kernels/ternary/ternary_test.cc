// SPDX-License-Identifier: MIT
#include "tern/kernels/ternary/ternary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <random>
#include <string_view>
#include <vector>

#include "tern/core/backend.h"
#include "tern/kernels/kernel_table.h"
#include "tern/kernels/ternary/reference.h"

namespace tern::kernels {
namespace {

using Generator = std::mt19937;

std::vector<Target> Targets() {
  std::vector<Target> targets;
  for (const Target& target : ListTargets(CpuFeatures::Detect())) {
    if (target.supported) targets.push_back(target);
  }
  return targets;
}

// A product with its exact result, computed from the trits themselves.
struct Problem {
  int64_t rows, n, k, stride;
  TernaryLayout layout;
  std::vector<int8_t> trits;
  std::vector<uint8_t> panels;
  std::vector<int8_t> q;
  std::vector<int32_t> sum;
  std::vector<int32_t> expected;  // [rows, n]

  TernaryPanels Weights() const { return {panels.data(), n, k, layout}; }
  TernaryRows Rows() const { return {q.data(), stride, sum.data()}; }
  TernaryRange All() const { return {0, rows, 0, PanelCount(n)}; }
};

// Fills with one of the extremes in one case of four, else uniformly.
void FillTrits(Generator& random, std::vector<int8_t>* trits) {
  const uint32_t kind = random() % 8;
  for (int8_t& t : *trits) {
    t = static_cast<int8_t>(kind == 0 ? 1 : kind == 1 ? -1 : static_cast<int>(random() % 3) - 1);
  }
}

void FillRow(Generator& random, std::span<int8_t> row) {
  const uint32_t kind = random() % 8;
  for (int8_t& x : row) {
    const int value = kind == 0   ? 127
                      : kind == 1 ? -128
                      : kind == 2 ? (random() % 2 == 0 ? 127 : -128)
                                  : static_cast<int>(random() % 256) - 128;
    x = static_cast<int8_t>(value);
  }
}

// The trits of the whole matrix in the reference's panels.
std::vector<uint8_t> PackTrits(const std::vector<int8_t>& trits, int64_t n, int64_t k,
                               TernaryLayout layout) {
  std::vector<uint8_t> panels(PanelsBytes(n, k));
  reference::PackPanels(trits.data(), n, k, 0, PanelCount(n), panels.data());
  if (layout == TernaryLayout::kPanels2Bit) return panels;
  std::vector<uint8_t> base3(PanelsBytes(n, k, layout));
  reference::PackBase3({panels.data(), n, k}, 0, PanelCount(n), base3.data());
  return base3;
}

constexpr TernaryLayout kLayouts[] = {TernaryLayout::kPanels2Bit, TernaryLayout::kPanelsBase3};

// In a layout drawn by lot.
Problem MakeProblem(Generator& random, int64_t rows, int64_t n, int64_t k) {
  Problem p = {rows, n, k, QuantRowStride(k), kLayouts[random() % 2], {}, {}, {}, {}, {}};
  p.trits.resize(n * k);
  FillTrits(random, &p.trits);
  p.panels = PackTrits(p.trits, n, k, p.layout);
  p.q.resize(rows * p.stride);
  p.sum.resize(rows);
  p.expected.resize(rows * n);
  for (int64_t i = 0; i < rows; ++i) {
    const std::span<int8_t> row(&p.q[i * p.stride], k);
    FillRow(random, row);
    for (const int8_t x : row) p.sum[i] += x;
    for (int64_t j = 0; j < n; ++j) {
      const int8_t* const w = &p.trits[j * k];
      int32_t dot = 0;
      for (int64_t t = 0; t < k; ++t) dot += row[t] * w[t];
      p.expected[i * n + j] = dot;
    }
  }
  return p;
}

// Four ranges that together are all rows and panels.
std::vector<TernaryRange> SplitAtRandom(Generator& random, const Problem& p) {
  const TernaryRange all = p.All();
  const int64_t row = static_cast<int64_t>(random() % (all.row_end + 1));
  const int64_t panel = static_cast<int64_t>(random() % (all.panel_end + 1));
  return {{0, row, 0, panel},
          {0, row, panel, all.panel_end},
          {row, all.row_end, 0, panel},
          {row, all.row_end, panel, all.panel_end}};
}

// Holds every target to exact products of random shapes until `outputs` are compared; one in a
// hundred of them has k from 6,912 to 16,384.
void CompareProducts(Generator& random, int64_t outputs) {
  const std::vector<Target> targets = Targets();
  int64_t done = 0, done_long = 0;
  while (done < outputs) {
    const bool is_long = done_long * 100 <= done;
    const int64_t k = is_long ? 6912 + random() % (16384 - 6912 + 1) : 1 + random() % 250;
    const int64_t rows = random() % 4 == 0 ? 1 : 1 + random() % (is_long ? 14 : 90);
    const int64_t n = 1 + random() % (is_long ? 50 : 150);
    const Problem p = MakeProblem(random, rows, n, k);
    const std::vector<TernaryRange> ranges = SplitAtRandom(random, p);
    for (const Target& target : targets) {
      std::vector<int32_t> dots(rows * n, std::numeric_limits<int32_t>::min());
      for (const TernaryRange& range : ranges) {
        target.table->ternary.dots(p.Weights(), p.Rows(), range, dots.data());
      }
      ASSERT_EQ(dots, p.expected) << target.name << " rows " << rows << " n " << n << " k " << k
                                  << (p.layout == TernaryLayout::kPanelsBase3 ? " base 3" : "");
    }
    done += rows * n;
    if (is_long) done_long += rows * n;
  }
}

// Without it, the tests below would hold if every target were the reference.
TEST(TernaryTest, EveryOtherTargetHasKernelsOfItsOwn) {
  for (const Target& target : Targets()) {
    const bool is_reference = target.table->ternary.dots == &reference::Dots;
    EXPECT_EQ(is_reference, target.name == std::string_view("scalar")) << target.name;
    EXPECT_EQ(target.table->ternary.bit_linear == &reference::BitLinear, is_reference);
    EXPECT_EQ(target.table->ternary.register_peak == nullptr, is_reference);
    if (!is_reference) {
      EXPECT_GT(target.table->ternary.register_peak(1), 0);
    }
  }
}

TEST(TernaryTest, ATargetDiffersFromItsBaseInTernaryKernelsAlone) {
  const std::vector<Target> targets = ListTargets(CpuFeatures::Detect());
  for (const Target& target : targets) {
    EXPECT_EQ(target.table->target, std::string_view(target.name));
    if (target.base == nullptr) continue;
    const auto base = std::find_if(targets.begin(), targets.end(), [&](const Target& other) {
      return other.name == std::string_view(target.base);
    });
    ASSERT_NE(base, targets.end()) << target.base;
    EXPECT_NE(target.table->ternary.dots, base->table->ternary.dots) << target.name;
    EXPECT_EQ(target.table->softmax.softmax, base->table->softmax.softmax) << target.name;
    EXPECT_LE(target.supported, base->supported);
  }
}

TEST(TernaryTest, EveryTargetGivesTheExactDotProducts) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Generator random(seed);
  CompareProducts(random, 1'000'000);
}

// Some minutes; run with --gtest_also_run_disabled_tests.
TEST(TernaryTest, DISABLED_EveryTargetGivesAHundredMillionExactDotProducts) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Generator random(seed);
  CompareProducts(random, 100'000'000);
}

TEST(TernaryTest, TheLargestSumsFit) {
  Generator random(1);
  const int64_t k = kMaxTernaryColumns;
  for (const int extreme : {-128, 127}) {
    Problem p = MakeProblem(random, 13, 35, k);
    std::fill(p.trits.begin(), p.trits.end(), int8_t{1});
    for (int64_t i = 0; i < p.rows; ++i) {
      std::fill_n(&p.q[i * p.stride], k, static_cast<int8_t>(extreme));
      p.sum[i] = static_cast<int32_t>(k) * extreme;
    }
    std::fill(p.expected.begin(), p.expected.end(), static_cast<int32_t>(k) * extreme);
    for (const TernaryLayout layout : kLayouts) {
      p.layout = layout;
      p.panels = PackTrits(p.trits, p.n, k, layout);
      for (const Target& target : Targets()) {
        for (const int64_t rows : {int64_t{1}, p.rows}) {
          std::vector<int32_t> dots(rows * p.n);
          target.table->ternary.dots(p.Weights(), p.Rows(), {0, rows, 0, PanelCount(p.n)},
                                     dots.data());
          ASSERT_TRUE(std::equal(dots.begin(), dots.end(), p.expected.begin())) << target.name;
        }
      }
    }
  }
}

TEST(TernaryTest, EveryTargetFinishesBitLinearWithTheSameBits) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Generator random(seed);
  std::uniform_real_distribution<float> uniform(0.5f, 100.0f);
  for (int round = 0; round < 100; ++round) {
    const Problem p = MakeProblem(random, 1 + random() % 40, 1 + random() % 70, 1 + random() % 300);
    const int64_t y_stride = p.n + random() % 3;
    std::vector<float> scale(p.rows), bias(p.n), expected(p.rows * y_stride, -1.0f);
    for (float& x : scale) x = uniform(random);
    for (float& x : bias) x = uniform(random) - 50.0f;
    TernaryOutput out = {.multiplier = uniform(random),
                         .scale = scale.data(),
                         .bias = round % 2 == 0 ? bias.data() : nullptr,
                         .y = nullptr,
                         .y_stride = y_stride};
    for (int64_t i = 0; i < p.rows; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        const float factor = out.multiplier / scale[i];
        float y = static_cast<float>(p.expected[i * p.n + j]) * factor;
        if (out.bias != nullptr) y += bias[j];
        expected[i * y_stride + j] = y;
      }
    }
    const std::vector<TernaryRange> ranges = SplitAtRandom(random, p);
    for (const Target& target : Targets()) {
      std::vector<float> y(p.rows * y_stride, -1.0f);
      out.y = y.data();
      for (const TernaryRange& range : ranges) {
        target.table->ternary.bit_linear(p.Weights(), p.Rows(), range, out);
      }
      ASSERT_EQ(y, expected) << target.name << " rows " << p.rows << " n " << p.n << " k " << p.k;
    }
  }
}

std::vector<uint32_t> Bits(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

// Rows at different scales, some of which hold ties, zeros, denormals, NaN or infinity.
std::vector<float> AwkwardRows(Generator& random, int64_t rows, int64_t k) {
  std::normal_distribution<float> normal;
  std::vector<float> x(rows * k);
  for (int64_t i = 0; i < rows; ++i) {
    const uint32_t kind = random() % 10;
    const float scale = std::ldexp(1.0f, static_cast<int>(random() % 60) - 40);
    for (int64_t t = 0; t < k; ++t) {
      float value = normal(random) * scale;
      if (kind == 0) value = static_cast<float>(static_cast<int>(random() % 255) - 127) * 0.5f;
      if (kind == 1) value = random() % 2 == 0 ? 0.0f : -0.0f;
      if (kind == 2) value = std::numeric_limits<float>::denorm_min();
      x[i * k + t] = value;
    }
    const int64_t at = i * k + static_cast<int64_t>(random() % k);
    if (kind == 0) x[at] = 63.5f;
    if (kind == 3) x[at] = std::numeric_limits<float>::quiet_NaN();
    if (kind == 4) x[at] = -std::numeric_limits<float>::infinity();
  }
  return x;
}

TEST(TernaryTest, EveryTargetQuantizesRowsLikeTheReference) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Generator random(seed);
  for (int round = 0; round < 300; ++round) {
    const int64_t rows = 1 + random() % 12, k = 1 + random() % 300;
    const int64_t stride = QuantRowStride(k);
    const std::vector<float> x = AwkwardRows(random, rows, k);
    std::vector<int8_t> expected_q(rows * stride, 0);
    std::vector<float> expected_scale(rows), expected_x(rows * k);
    std::vector<int32_t> expected_sum(rows, 0);
    for (int64_t i = 0; i < rows; ++i) {
      int8_t* const q = &expected_q[i * stride];
      expected_scale[i] = QuantizeRowReference(&x[i * k], k, q);
      for (int64_t t = 0; t < k; ++t) {
        expected_sum[i] += q[t];
        expected_x[i * k + t] = static_cast<float>(q[t]) / expected_scale[i];
      }
    }
    for (const Target& target : Targets()) {
      std::vector<int8_t> q(rows * stride, 77);
      std::vector<float> scale(rows), back(rows * k);
      std::vector<int32_t> sum(rows);
      const TernaryKernels& kernels = target.table->ternary;
      kernels.quantize_rows(x.data(), k, rows, k, q.data(), stride, scale.data(), sum.data());
      ASSERT_EQ(q, expected_q) << target.name << " k " << k;
      ASSERT_EQ(Bits(scale), Bits(expected_scale)) << target.name;
      ASSERT_EQ(sum, expected_sum) << target.name;
      for (float& s : scale) s = s == s && s != 0 ? s : 1.0f;  // quotients of numbers only
      std::vector<float> numbers = expected_x;
      for (int64_t i = 0; i < rows * k; ++i) {
        numbers[i] = static_cast<float>(q[i / k * stride + i % k]) / scale[i / k];
      }
      kernels.dequantize_rows(q.data(), stride, scale.data(), rows, k, back.data());
      ASSERT_EQ(Bits(back), Bits(numbers)) << target.name;
    }
  }
}

TEST(TernaryTest, EveryTargetSumsWeightsInTheSameOrder) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Generator random(seed);
  std::normal_distribution<float> normal;
  for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{15}, int64_t{16}, int64_t{37},
                              int64_t{4099}, kWeightChunk}) {
    std::vector<float> w(count);
    for (float& x : w) x = normal(random) * std::ldexp(1.0f, static_cast<int>(random() % 40));
    const WeightSums expected = SumWeightChunk(w.data(), count);
    for (const Target& target : Targets()) {
      const WeightSums sums = target.table->ternary.sum_weight_chunk(w.data(), count);
      EXPECT_EQ(sums.sum, expected.sum) << target.name << " count " << count;
      EXPECT_EQ(sums.abs, expected.abs) << target.name << " count " << count;
    }
  }
}

// The drawing of ternary_layout.h, in numbers.
TEST(TernaryTest, Base3HoldsFiveCodesInAByte) {
  constexpr int64_t kN = 17, kK = 2560;
  std::vector<int8_t> trits(kN * kK, int8_t{-1});
  trits[16 * kK + 20 * 3 + 4 * 4 + 2] = 1;  // row 0 of panel 1: block 3, code 4 of byte 2
  trits[16 * kK + 20 * 3 + 4 * 1 + 2] = 0;
  const std::vector<uint8_t> panels = PackTrits(trits, kN, kK, TernaryLayout::kPanelsBase3);
  EXPECT_EQ(panels.size() * 5, PanelsBytes(kN, kK) * size_t{4});
  const int64_t at = PanelBytes(kK, TernaryLayout::kPanelsBase3) + 3 * 64 + 2;
  EXPECT_EQ(panels[at], 2 * 84 + 1 * 3);
  EXPECT_EQ(panels[at + 1], 0);
  EXPECT_EQ(panels[at + 4], 124) << "a row beyond the matrix has code 1";
}

TEST(TernaryTest, EveryTargetMakesTheSamePanels) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Generator random(seed);
  std::normal_distribution<float> normal;
  for (int round = 0; round < 100; ++round) {
    const int64_t n = 1 + random() % 70, k = 1 + random() % 200;
    std::vector<float> w(n * k);
    for (float& x : w)
      x = random() % 8 == 0 ? 0.5f * static_cast<float>(random() % 3) : normal(random);
    const auto quantizer = round % 2 == 0 ? TernaryQuantizer::kAbsMean : TernaryQuantizer::kSign;
    std::vector<int8_t> trits(n * k);
    const float multiplier = QuantizeTernaryReference(w, quantizer, trits.data());
    const std::vector<uint8_t> expected = PackTrits(trits, n, k, TernaryLayout::kPanels2Bit);
    const std::vector<uint8_t> expected_base3 = PackTrits(trits, n, k, TernaryLayout::kPanelsBase3);
    std::vector<float> expected_w(n * k);
    for (int64_t i = 0; i < n * k; ++i) expected_w[i] = static_cast<float>(trits[i]) * multiplier;

    const TernaryRule rule = MakeTernaryRule(quantizer, SumWeightChunk(w.data(), n * k), n * k);
    ASSERT_EQ(rule.multiplier, multiplier);
    const int64_t split = static_cast<int64_t>(random() % (PanelCount(n) + 1));
    for (const Target& target : Targets()) {
      const TernaryKernels& kernels = target.table->ternary;
      std::vector<uint8_t> quantized(expected.size()), packed(expected.size());
      std::vector<uint8_t> base3(expected_base3.size());
      std::vector<int8_t> unpacked(n * k), unpacked_base3(n * k);
      std::vector<float> back(n * k), back_base3(n * k);
      const TernaryPanels panels = {expected.data(), n, k};
      const TernaryPanels base3_panels = {expected_base3.data(), n, k, TernaryLayout::kPanelsBase3};
      for (const auto& [begin, end] : {std::pair{int64_t{0}, split}, {split, PanelCount(n)}}) {
        kernels.quantize_panels(w.data(), n, k, rule, begin, end, quantized.data());
        kernels.pack_panels(trits.data(), n, k, begin, end, packed.data());
        kernels.unpack_panels(panels, begin, end, unpacked.data());
        kernels.dequantize_panels(panels, begin, end, multiplier, back.data());
        kernels.pack_base3(panels, begin, end, base3.data());
        kernels.unpack_panels(base3_panels, begin, end, unpacked_base3.data());
        kernels.dequantize_panels(base3_panels, begin, end, multiplier, back_base3.data());
      }
      ASSERT_EQ(quantized, expected) << target.name << " n " << n << " k " << k;
      ASSERT_EQ(packed, expected) << target.name;
      ASSERT_EQ(unpacked, trits) << target.name;
      ASSERT_EQ(back, expected_w) << target.name;
      ASSERT_EQ(base3, expected_base3) << target.name << " n " << n << " k " << k;
      ASSERT_EQ(unpacked_base3, trits) << target.name;
      ASSERT_EQ(back_base3, expected_w) << target.name;
    }
  }
}

}  // namespace
}  // namespace tern::kernels
