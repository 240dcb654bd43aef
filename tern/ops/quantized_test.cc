// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tern/ops/op_test.h"
#include "tern/ops/transformer.h"
#include "tern/pack/quantizers.h"

namespace tern::ops {
namespace {

class QuantizedOpTest : public OpTest {
 protected:
  Tensor Floats(const Shape& shape) { return Random<float>(ctx_, shape, random_); }

  Tensor Trits(const Shape& shape) {
    const Tensor trits = ctx_.Empty(shape, DType::kI8);
    for (int8_t& trit : trits.span<int8_t>()) {
      trit = static_cast<int8_t>(static_cast<int>(random_() % 3) - 1);
    }
    return trits;
  }

  // x [rows, k] as a matrix of what its quantized rows stand for, in f64.
  Tensor DequantizedRows(const Tensor& x) {
    const int64_t k = x.dim(1);
    const Tensor y = ctx_.Empty(x.shape(), DType::kF64);
    std::vector<int8_t> q(k);
    for (int64_t i = 0; i < x.dim(0); ++i) {
      const float scale = QuantizeRowReference(x.data<float>() + i * k, k, q.data());
      for (int64_t t = 0; t < k; ++t) y.data<double>()[i * k + t] = double{q[t] / scale};
    }
    return y;
  }

  Tensor DequantizedWeights(const Tensor& w, TernaryQuantizer quantizer) {
    const Tensor y = ctx_.Empty(w.shape(), DType::kF64);
    std::vector<int8_t> trits(w.elements());
    const float multiplier = QuantizeTernaryReference(w.span<float>(), quantizer, trits.data());
    for (int64_t i = 0; i < w.elements(); ++i) y.data<double>()[i] = double{trits[i] * multiplier};
    return y;
  }

  Tensor ToFloat(const Tensor& x) { return Cast(ctx_, x, DType::kF32); }
  Tensor ToDouble(const Tensor& x) { return Cast(ctx_, x, DType::kF64); }

  // The error of f32 sums of n terms, (n + 2) 2^-24 of their absolute sum, stays far below this
  // part of what the check divides by for the sizes here.
  static constexpr double kTolerance = 1e-4;

  void CheckAgainstSurrogate(const GradCheckFunction& function, const GradCheckFunction& surrogate,
                             const std::vector<Tensor>& leaves) {
    const GradCheckResult result =
        GradCheck(ctx_, function, leaves, {.tolerance = kTolerance, .surrogate = surrogate});
    EXPECT_TRUE(result.ok) << result.ToString() << " values from seed " << seed_;
  }
};

// Weights with scales of each granularity: the products are those of the floats that they stand
// for, in float and (with one scale a row) exactly in int32.
TEST_F(QuantizedOpTest, ScalesAreATensorsProperty) {
  const int64_t rows = 5, n = 19, k = 96;
  const Tensor x = Floats({rows, k}), bias = Floats({n});
  const Tensor trits = Trits({n, k});
  for (const int64_t groups : {1, 3}) {
    SCOPED_TRACE(testing::Message() << groups << " groups, seed " << seed_);
    const Tensor scales = Abs(ctx_, Floats({n, groups}));
    const TernaryWeight w = PackTernary(ctx_, trits, scales);
    ASSERT_EQ(w.multiplier.shape(), (Shape{n, groups}));
    const Tensor floats = DequantizeTernary(ctx_, w);
    for (int64_t i = 0; i < n * k; ++i) {
      ASSERT_EQ(floats.data<float>()[i], static_cast<float>(trits.data<int8_t>()[i]) *
                                             scales.data<float>()[i / (k / groups)]);
    }
    EXPECT_EQ(Values<float>(TernaryLinear(ctx_, x, w, bias)),
              Values<float>(Linear(ctx_, x, floats, bias)));
    const QuantRows q = QuantizeRows(ctx_, x);
    const std::vector<float> y = Values<float>(BitLinear(ctx_, q, w, bias));
    const TernaryWeight unscaled = PackTernary(ctx_, trits, 1.0f);
    const std::vector<float> dots = Values<float>(BitLinear(ctx_, q, unscaled));
    for (int64_t i = 0; groups == 1 && i < rows * n; ++i) {
      EXPECT_EQ(y[i], dots[i] * scales.data<float>()[i % n] + bias.data<float>()[i % n]);
    }
    const Tensor dequantized = ToFloat(DequantizedRows(x));
    if (groups > 1) {
      EXPECT_EQ(y, Values<float>(Linear(ctx_, dequantized, floats, bias)));
    }
  }
}

TEST_F(QuantizedOpTest, EqualScalesBecomeOne) {
  const Tensor trits = Trits({4, 64});
  const auto equal = [&](const Shape& shape) {
    return Make<float>(shape, std::vector<float>(static_cast<size_t>(shape.elements()), 0.75f));
  };
  const TernaryWeight w = PackTernary(ctx_, trits, equal({4, 2}));
  EXPECT_FALSE(w.has_scales());
  EXPECT_EQ(w.multiplier.item<float>(), 0.75f);
  const Tensor rows = equal({4, 2});
  rows.data<float>()[2] = rows.data<float>()[3] = 0.5f;
  EXPECT_EQ(Values<float>(PackTernary(ctx_, trits, rows).multiplier),
            (std::vector<float>{0.75f, 0.5f, 0.75f, 0.75f}));
  ExpectRefused([&] { PackTernary(ctx_, trits, equal({4, 3})); }, {"a divisor of the columns"});
  ExpectRefused([&] { PackTernary(ctx_, trits, equal({3, 2})); }, {"[4, 64]", "[3, 2]"});
}

TEST_F(QuantizedOpTest, GradientsPassWeightsWithScales) {
  const int64_t k = 64, n = 6;
  const Tensor x = Floats({3, k});
  const Tensor offset = Sub(ctx_, DequantizedRows(x), ToDouble(x));
  const Tensor trits = Trits({n, k});
  for (const int64_t groups : {1, 2}) {
    const TernaryWeight w = PackTernary(ctx_, trits, Abs(ctx_, Floats({n, groups})));
    const Tensor floats = ToDouble(DequantizeTernary(ctx_, w));
    CheckAgainstSurrogate(
        [&](auto leaves) { return ToDouble(TernaryLinear(ctx_, ToFloat(leaves[0]), w)); },
        [&](auto leaves) { return Linear(ctx_, leaves[0], floats); }, {ToDouble(x)});
    CheckAgainstSurrogate(
        [&](auto leaves) {
          return ToDouble(BitLinear(ctx_, QuantizeRows(ctx_, ToFloat(leaves[0])), w));
        },
        [&](auto leaves) { return Linear(ctx_, Add(ctx_, leaves[0], offset), floats); },
        {ToDouble(x)});
  }
}

TEST_F(QuantizedOpTest, BitLinearIsItsDefinition) {
  const int64_t k = 77, n = 19;
  const Tensor x = Floats({2, 3, k}), w = Floats({n, k}), bias = Floats({n});
  const QuantRows rows = QuantizeRows(ctx_, x);
  EXPECT_EQ(rows.rows(), 6);
  EXPECT_EQ(rows.k, k);
  EXPECT_FALSE(rows.surrogate.defined());
  for (const auto quantizer : {TernaryQuantizer::kAbsMean, TernaryQuantizer::kSign}) {
    const TernaryWeight weight = QuantizeTernary(ctx_, w, quantizer);
    EXPECT_FALSE(weight.latent.defined());
    std::vector<int8_t> trits(n * k);
    const float multiplier = QuantizeTernaryReference(w.span<float>(), quantizer, trits.data());
    EXPECT_EQ(weight.multiplier.item<float>(), multiplier);
    EXPECT_EQ(Values<int8_t>(UnpackTernary(ctx_, weight)), trits);
    const std::vector<float> plain = Values<float>(BitLinear(ctx_, rows, weight));
    const std::vector<float> biased = Values<float>(BitLinear(ctx_, rows, weight, bias));
    for (int64_t i = 0; i < 6; ++i) {
      std::vector<int8_t> q(k);
      const float scale = QuantizeRowReference(x.data<float>() + i * k, k, q.data());
      for (int64_t j = 0; j < n; ++j) {
        int32_t dot = 0;
        for (int64_t t = 0; t < k; ++t) dot += q[t] * trits[j * k + t];
        const float y = static_cast<float>(dot) * (multiplier / scale);
        EXPECT_EQ(plain[i * n + j], y);
        EXPECT_EQ(biased[i * n + j], y + bias.data<float>()[j]);
      }
    }
  }
}

// Matrices of several sizes, enough that three threads share them; one with a scale for each row is
// multiplied by itself, and so are all where a tape watches.
TEST_F(QuantizedOpTest, BitLinearsTogetherAreEachAlone) {
  constexpr int64_t k = 1000;
  const auto three = MakeContext(3);
  for (const int64_t tokens : {1, 3}) {
    const QuantRows rows = QuantizeRows(*three, CopyTo(*three, Floats({tokens, k})));
    std::vector<TernaryWeight> weights;
    for (const int64_t n : {700, 50, 16, 333}) {
      weights.push_back(QuantizeTernary(*three, CopyTo(*three, Floats({n, k})), {}));
    }
    const Tensor trits = UnpackTernary(*three, weights[3]);
    weights.push_back(PackTernary(*three, trits, CopyTo(*three, Floats({333, 1}))));
    ASSERT_TRUE(weights[4].has_scales());
    const std::vector<std::vector<size_t>> choices = {{0}, {0, 1}, {1, 0, 2}, {3, 3, 0}, {0, 4, 1}};
    for (const std::vector<size_t>& choice : choices) {
      std::vector<const TernaryWeight*> chosen;
      for (const size_t i : choice) chosen.push_back(&weights[i]);
      std::vector<Tensor> y(choice.size());
      BitLinears(*three, rows, chosen, y);
      for (size_t i = 0; i < choice.size(); ++i) {
        EXPECT_TRUE(SameBits(y[i], BitLinear(*three, rows, *chosen[i])))
            << choice.size() << " " << i;
      }
    }
  }
  Tape tape(ctx_);
  const QuantRows rows = QuantizeRows(ctx_, tape.Watch(Floats({2, 8})));
  const TernaryWeight weight = QuantizeTernary(ctx_, Floats({5, 8}), {});
  const TernaryWeight* const both[] = {&weight, &weight};
  Tensor y[2];
  BitLinears(ctx_, rows, both, y);
  EXPECT_NE(y[1].link().tape, nullptr);
}

TEST_F(QuantizedOpTest, NormAndQuantizerAreTwoOpsInOne) {
  const Tensor x = Floats({3, 5, 70}), w = Floats({70});
  const QuantRows two = QuantizeRows(ctx_, RmsNorm(ctx_, x, w, 1e-5));
  const QuantRows one = RmsNormQuantize(ctx_, x, w, 1e-5);
  EXPECT_TRUE(SameBits(one.q, two.q));
  EXPECT_TRUE(SameBits(one.scale, two.scale));
  EXPECT_TRUE(SameBits(one.sum, two.sum));
}

TEST_F(QuantizedOpTest, ViewsAreQuantizedLikeTheirCopies) {
  const Tensor x = Floats({6, 40}), w = Floats({40});
  for (const Tensor& view : {x.Sliced(1, 3, 23), x.Sliced(0, 0, 6, 2), x.Transposed(0, 1)}) {
    const QuantRows a = QuantizeRows(ctx_, view);
    const QuantRows b = QuantizeRows(ctx_, Contiguous(ctx_, view));
    EXPECT_TRUE(SameBits(a.q, b.q) && SameBits(a.scale, b.scale) && SameBits(a.sum, b.sum));
    const Tensor weight = w.Sliced(0, 0, view.dim(1));
    EXPECT_TRUE(SameBits(RmsNormQuantize(ctx_, view, weight, 1e-5).q,
                         RmsNormQuantize(ctx_, Contiguous(ctx_, view), weight, 1e-5).q));
  }
  const Tensor matrix = Floats({20, 30});
  const Tensor a = QuantizeTernary(ctx_, matrix.Transposed(0, 1), {}).panels;
  const Tensor b = QuantizeTernary(ctx_, Contiguous(ctx_, matrix.Transposed(0, 1)), {}).panels;
  EXPECT_TRUE(SameBits(a, b));
}

TEST_F(QuantizedOpTest, NoRowsGiveNoResults) {
  const Tensor x = ctx_.Empty({0, 20}, DType::kF32);
  const TernaryWeight w = QuantizeTernary(ctx_, Floats({5, 20}), TernaryQuantizer::kAbsMean);
  EXPECT_EQ(BitLinear(ctx_, QuantizeRows(ctx_, x), w).shape(), (Shape{0, 5}));
}

TEST_F(QuantizedOpTest, CheckpointTritsArePackedAndComeBack) {
  std::vector<int8_t> values(35 * 50);
  for (int8_t& t : values) t = static_cast<int8_t>(static_cast<int>(random_() % 3) - 1);
  const Tensor trits = Make<int8_t>({35, 50}, values);
  const TernaryWeight w = PackTernary(ctx_, trits, 0.75f);
  EXPECT_EQ(Values<int8_t>(UnpackTernary(ctx_, w)), values);
  const std::vector<float> dequantized = Values<float>(DequantizeTernary(ctx_, w));
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(dequantized[i], values[i] * 0.75f);
}

TEST_F(QuantizedOpTest, AnotherLayoutHoldsTheSameWeights) {
  const Tensor w = Floats({37, 203});
  const TernaryWeight packed = QuantizeTernary(ctx_, w, TernaryQuantizer::kAbsMean);
  const TernaryWeight base3 = InLayout(ctx_, packed, TernaryLayout::kPanelsBase3);
  EXPECT_EQ(base3.panels.dim(0), PanelsBytes(37, 203, TernaryLayout::kPanelsBase3));
  EXPECT_EQ(InLayout(ctx_, base3, TernaryLayout::kPanelsBase3).panels.raw(), base3.panels.raw());
  EXPECT_EQ(Values<float>(DequantizeTernary(ctx_, base3)),
            Values<float>(DequantizeTernary(ctx_, packed)));
  const TernaryWeight back = InLayout(ctx_, base3, TernaryLayout::kPanels2Bit);
  EXPECT_EQ(Values<uint8_t>(back.panels), Values<uint8_t>(packed.panels));
}

TEST_F(QuantizedOpTest, GradientsOfBitLinearAreItsSurrogates) {
  for (const auto quantizer : {TernaryQuantizer::kAbsMean, TernaryQuantizer::kSign}) {
    const Tensor x0 = Floats({3, 9}), w0 = Floats({5, 9});
    const Tensor xq = DequantizedRows(x0), wq = DequantizedWeights(w0, quantizer);
    // Equal to the quantized product in value and in what the estimator takes for its slope.
    const auto surrogate = [&](auto leaves) {
      const Tensor x = Add(ctx_, xq, Sub(ctx_, leaves[0], ToDouble(x0)));
      const Tensor w = Add(ctx_, wq, Sub(ctx_, leaves[1], ToDouble(w0)));
      return Linear(ctx_, x, w, leaves.size() > 2 ? leaves[2] : Tensor());
    };
    const auto function = [&](auto leaves) {
      const QuantRows rows = QuantizeRows(ctx_, ToFloat(leaves[0]));
      const TernaryWeight weight = QuantizeTernary(ctx_, ToFloat(leaves[1]), quantizer);
      const Tensor bias = leaves.size() > 2 ? ToFloat(leaves[2]) : Tensor();
      return ToDouble(BitLinear(ctx_, rows, weight, bias));
    };
    CheckAgainstSurrogate(function, surrogate, {ToDouble(x0), ToDouble(w0)});
    CheckAgainstSurrogate(function, surrogate, {ToDouble(x0), ToDouble(w0), Doubles({5})});
  }
}

TEST_F(QuantizedOpTest, GradientsPassSharedRowsAndTheNorm) {
  const Tensor x0 = Floats({2, 2, 6}), g0 = Floats({6});
  const Tensor w1 = Floats({4, 6}), w2 = Floats({3, 6});
  const double eps = 1e-3;
  const Tensor normed = RmsNorm(ctx_, x0, g0, eps).Reshaped({4, 6});
  const Tensor offset = Sub(ctx_, DequantizedRows(normed), ToDouble(normed));
  const Tensor wq1 = DequantizedWeights(w1, {}), wq2 = DequantizedWeights(w2, {});
  const auto surrogate = [&](auto leaves) {
    const Tensor y = Reshape(ctx_, RmsNorm(ctx_, leaves[0], leaves[1], eps), {4, 6});
    const Tensor rows = Add(ctx_, y, offset);
    const Tensor parts[] = {Linear(ctx_, rows, wq1), Linear(ctx_, rows, wq2)};
    return Concat(ctx_, parts, 1);
  };
  for (const bool fused : {true, false}) {
    const auto function = [&](auto leaves) {
      const Tensor x = ToFloat(leaves[0]), g = ToFloat(leaves[1]);
      const QuantRows rows =
          fused ? RmsNormQuantize(ctx_, x, g, eps) : QuantizeRows(ctx_, RmsNorm(ctx_, x, g, eps));
      const Tensor parts[] = {BitLinear(ctx_, rows, QuantizeTernary(ctx_, w1, {})),
                              BitLinear(ctx_, rows, QuantizeTernary(ctx_, w2, {}))};
      return ToDouble(Concat(ctx_, parts, 1));
    };
    CheckAgainstSurrogate(function, surrogate, {ToDouble(x0), ToDouble(g0)});
  }
}

TEST_F(QuantizedOpTest, OnlyWatchedOperandsAreRecorded) {
  Tape tape(ctx_);
  const Tensor x = Floats({4, 8}), w = tape.Watch(Floats({6, 8}));
  const QuantRows rows = QuantizeRows(ctx_, x);
  EXPECT_FALSE(rows.surrogate.defined());
  const TernaryWeight weight = QuantizeTernary(ctx_, w, TernaryQuantizer::kAbsMean);
  ASSERT_TRUE(weight.latent.defined());
  EXPECT_EQ(tape.nodes(), 0);
  const Tensor y = BitLinear(ctx_, rows, weight);
  EXPECT_EQ(tape.nodes(), 1);
  tape.Backward(SumAll(ctx_, y));
  EXPECT_EQ(tape.Gradient(w).shape(), w.shape());
}

TEST_F(QuantizedOpTest, WrongOperandsAreRefused) {
  const Tensor f64 = Doubles({2, 4}), x = Floats({2, 4}), w = Floats({3, 4});
  const TernaryWeight weight = QuantizeTernary(ctx_, w, TernaryQuantizer::kAbsMean);
  ExpectRefused([&] { QuantizeRows(ctx_, f64); }, {"QuantizeRows(f64[2, 4])", "f32"});
  ExpectRefused([&] { QuantizeRows(ctx_, Floats({2, 0})); }, {"[2, 0]", "1 to 65536"});
  ExpectRefused([&] { QuantizeRows(ctx_, Floats({1, 65537})); }, {"1 to 65536"});
  ExpectRefused([&] { RmsNormQuantize(ctx_, x, Floats({5}), 1e-5); }, {"[2, 4]", "[5]"});
  ExpectRefused([&] { QuantizeTernary(ctx_, Floats({4}), {}); }, {"f32[4]", "[n, k]"});
  ExpectRefused([&] { PackTernary(ctx_, x, 1.0f); }, {"f32[2, 4]", "i8"});
  ExpectRefused([&] { PackTernary(ctx_, Make<int8_t>({1, 3}, {0, 1, 2}), 1.0f); }, {"[0, 2] is 2"});
  ExpectRefused(
      [&] {
        BitLinear(ctx_, QuantizeRows(ctx_, Floats({2, 5})), weight);
      },
      {"5 columns", "[3, 4]"});
  ExpectRefused([&] { BitLinear(ctx_, QuantizeRows(ctx_, x), weight, Floats({4})); },
                {"the bias must be f32 [3]"});
}

TEST_F(QuantizedOpTest, WeightsThatAreNotFiniteAreNamed) {
  const Tensor w = Floats({3, 4});
  w.data<float>()[6] = std::numeric_limits<float>::quiet_NaN();
  for (const auto quantizer : {TernaryQuantizer::kAbsMean, TernaryQuantizer::kSign}) {
    try {
      QuantizeTernary(ctx_, w, quantizer);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kNumeric);
      EXPECT_NE(std::string(error.what()).find("[1, 2] is nan"), std::string::npos) << error.what();
    }
  }
}

TEST_F(QuantizedOpTest, RowsThatAreNotFiniteDoNotLookFinite) {
  const TernaryWeight w = QuantizeTernary(ctx_, Floats({3, 4}), TernaryQuantizer::kAbsMean);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const Tensor x = Floats({1, 4});
    x.data<float>()[1] = bad;
    for (const float y : Values<float>(BitLinear(ctx_, QuantizeRows(ctx_, x), w))) {
      EXPECT_FALSE(std::isfinite(y));
    }
  }
}

}  // namespace
}  // namespace tern::ops
