// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tern/autograd/tape.h"
#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/float16.h"
#include "tern/base/random.h"
#include "tern/nn/embedding.h"
#include "tern/nn/kv_cache.h"
#include "tern/nn/linear.h"
#include "tern/nn/norm.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"
#include "tern/pack/quantizers.h"

namespace tern::nn {
namespace {

constexpr int64_t kRows = 3;
constexpr int64_t kIn = 37;
constexpr int64_t kOut = 21;

class NnTest : public ::testing::Test {
 protected:
  NnTest() : ctx_(ContextOptions{}), random_(11) {
    ctx_.AddBackend(std::make_unique<CpuBackend>());
  }

  Tensor Normal(const Shape& shape) {
    const Tensor tensor = ctx_.Empty(shape, DType::kF32);
    for (float& value : tensor.span<float>()) value = static_cast<float>(random_.Normal());
    return tensor;
  }
  static std::vector<float> Values(const Tensor& tensor) {
    const std::span<const float> values = tensor.span<float>();
    return {values.begin(), values.end()};
  }

  Context ctx_;
  Random random_;
};

// y[r][o] = (sum of q trit) (multiplier / scale) + bias, from the reference quantizers.
std::vector<float> BitLinearReference(const Tensor& x, const Tensor& w, const Tensor& bias,
                                      TernaryQuantizer quantizer) {
  const int64_t k = w.dim(1);
  std::vector<int8_t> trits(static_cast<size_t>(w.elements()));
  const float multiplier = QuantizeTernaryReference(w.span<float>(), quantizer, trits.data());
  std::vector<int8_t> q(static_cast<size_t>(k));
  std::vector<float> y;
  for (int64_t r = 0; r < x.dim(0); ++r) {
    const float scale = QuantizeRowReference(x.data<float>() + r * k, k, q.data());
    for (int64_t o = 0; o < w.dim(0); ++o) {
      int32_t sum = 0;
      for (int64_t i = 0; i < k; ++i)
        sum += q[static_cast<size_t>(i)] * trits[static_cast<size_t>(o * k + i)];
      const float product = static_cast<float>(sum) * (multiplier / scale);
      y.push_back(bias.defined() ? product + bias.data<float>()[o] : product);
    }
  }
  return y;
}

TEST_F(NnTest, BitLinearIsItsReference) {
  for (const TernaryQuantizer quantizer : {TernaryQuantizer::kAbsMean, TernaryQuantizer::kSign}) {
    for (const bool has_bias : {false, true}) {
      const Tensor w = Normal({kOut, kIn});
      const Tensor bias = has_bias ? Normal({kOut}) : Tensor();
      const Tensor x = Normal({kRows, kIn});
      BitLinear layer(Weight(w), quantizer, Weight(bias));
      const QuantRows rows = ops::QuantizeRows(ctx_, x);
      const std::vector<float> wanted = BitLinearReference(x, w, bias, quantizer);
      EXPECT_EQ(Values(layer.Forward(ctx_, rows)), wanted);
      layer.Pack(ctx_);
      EXPECT_FALSE(layer.has_master());
      EXPECT_EQ(Values(layer.Forward(ctx_, rows)), wanted);
    }
  }
}

TEST_F(NnTest, BitLinearSeesAnUpdateOfItsMaster) {
  const Tensor w = Normal({kOut, kIn});
  const Tensor x = Normal({kRows, kIn});
  BitLinear layer{Weight(w), TernaryQuantizer::kAbsMean};
  const QuantRows rows = ops::QuantizeRows(ctx_, x);
  layer.Forward(ctx_, rows);
  for (float& value : w.span<float>()) value = -2.0f * value + 0.1f;
  EXPECT_EQ(Values(layer.Forward(ctx_, rows)),
            BitLinearReference(x, w, {}, TernaryQuantizer::kAbsMean));
}

// d y / d w is what the quantized rows stand for, whatever the weights are rounded to.
TEST_F(NnTest, GradientsReachMasters) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    const Tensor x = Normal({kRows, kIn});
    Tape tape(ctx_);
    const Tensor w = tape.Watch(Normal({kOut, kIn}));
    const Tensor bias = tape.Watch(Normal({kOut}));
    const BitLinear layer(Weight(w, dtype), TernaryQuantizer::kAbsMean, Weight(bias, dtype));
    const Tensor y = layer.Forward(ctx_, ops::QuantizeRows(ctx_, x));
    tape.Backward(ops::SumAll(ctx_, y));
    std::vector<int8_t> q(kIn);
    std::vector<double> column(kIn, 0.0);
    for (int64_t r = 0; r < kRows; ++r) {
      const float scale = QuantizeRowReference(x.data<float>() + r * kIn, kIn, q.data());
      for (size_t i = 0; i < kIn; ++i) column[i] += static_cast<double>(q[i]) / scale;
    }
    const std::span<const float> gradient = tape.Gradient(w).span<float>();
    for (size_t i = 0; i < gradient.size(); ++i) {
      // Three products and two sums in f32 of terms below 4.
      EXPECT_NEAR(gradient[i], column[i % kIn], 6 * 4 * 0x1p-24);
    }
    for (const float value : tape.Gradient(bias).span<float>()) EXPECT_EQ(value, float{kRows});
  }
}

TEST_F(NnTest, WeightsAreRoundedBeforeUse) {
  const Tensor value = Normal({5, 7});
  Weight weight(value, DType::kBF16);
  std::vector<float> wanted;
  for (const float element : value.span<float>()) wanted.push_back(ToF32(RoundToBF16(element)));
  EXPECT_EQ(Values(weight.Get(ctx_)), wanted);
  EXPECT_EQ(Values(weight.value()), Values(value));
  weight.Freeze(ctx_);
  EXPECT_EQ(Values(weight.value()), wanted);
  EXPECT_TRUE(Weight(value).Get(ctx_).SharesStorage(value));
  EXPECT_FALSE(Weight().Get(ctx_).defined());
}

TEST_F(NnTest, AFrozenNormGivesTheSame) {
  const Tensor x = Normal({kRows, kIn});
  for (const bool adds_one : {false, true}) {
    const Tensor weight = Normal({kIn});
    RmsNorm norm(Weight(weight, DType::kBF16), 1e-5, adds_one);
    const std::vector<float> wanted = Values(norm.Forward(ctx_, x));
    norm.Freeze(ctx_);
    EXPECT_EQ(Values(norm.Forward(ctx_, x)), wanted);
    EXPECT_EQ(Values(norm.weight().value()), Values(ops::RoundTo(ctx_, weight, DType::kBF16)));
  }
}

TEST_F(NnTest, NarrowTablesAreUsedAsTheyAre) {
  const Tensor value = Normal({6, kIn});
  const Tensor narrow = ops::Cast(ctx_, value, DType::kBF16);
  const Tensor wide = ops::Cast(ctx_, narrow, DType::kF32);
  const Tensor ids = ctx_.Empty({2, 2}, DType::kI32);
  std::ranges::copy(std::vector<int32_t>{5, 0, 3, 3}, ids.data<int32_t>());
  const Tensor rows = Embedding(Weight(narrow)).Forward(ctx_, ids);
  EXPECT_EQ(rows.shape(), (Shape{2, 2, kIn}));
  EXPECT_EQ(Values(rows), Values(Embedding(Weight(wide)).Forward(ctx_, ids)));
  const Tensor x = Normal({kRows, kIn});
  EXPECT_EQ(Values(Linear(Weight(narrow)).Forward(ctx_, x)),
            Values(Linear(Weight(wide)).Forward(ctx_, x)));
}

TEST_F(NnTest, NormAndQuantizerTogetherAreTheSameBits) {
  const Tensor x = Normal({kRows, kIn});
  const RmsNorm norm(Weight(Normal({kIn})), 1e-5);
  const Features fused = norm.Prepare(ctx_, x, ActivationKind::kInt8);
  const Features plain = norm.Prepare(ctx_, x, ActivationKind::kFloat);
  EXPECT_FALSE(fused.plain.defined());
  EXPECT_EQ(Values(plain.plain), Values(norm.Forward(ctx_, x)));
  const QuantRows apart = ops::QuantizeRows(ctx_, plain.plain);
  EXPECT_EQ(Values(fused.quantized.scale), Values(apart.scale));
  EXPECT_TRUE(std::ranges::equal(fused.quantized.q.span<int8_t>(), apart.q.span<int8_t>()));
  EXPECT_TRUE(std::ranges::equal(fused.quantized.sum.span<int32_t>(), apart.sum.span<int32_t>()));
}

TEST_F(NnTest, ProjectionsTakeTheirKindOfRows) {
  const Tensor x = Normal({kRows, kIn});
  const Tensor w = Normal({kOut, kIn});
  const Projection plain{Linear(Weight(w))};
  EXPECT_EQ(plain.takes(), ActivationKind::kFloat);
  EXPECT_EQ(Values(plain.Forward(ctx_, plain.Prepare(ctx_, x))), Values(ops::Linear(ctx_, x, w)));
  const Projection ternary{BitLinear(Weight(w), TernaryQuantizer::kAbsMean)};
  EXPECT_EQ(ternary.takes(), ActivationKind::kInt8);
  EXPECT_EQ(Values(ternary.Forward(ctx_, ternary.Prepare(ctx_, x))),
            BitLinearReference(x, w, {}, TernaryQuantizer::kAbsMean));
}

TEST_F(NnTest, CachesAppendAndForget) {
  KvCache cache(ctx_, {.layers = 2, .kv_heads = 2, .head_dim = 4, .capacity = 5});
  const Tensor first = Normal({1, 3, 2, 4});
  const Tensor second = Normal({1, 1, 2, 4});
  cache.Append(ctx_, 1, first, second.Broadcast({1, 3, 2, 4}));
  cache.Advance(3);
  cache.Truncate(2);
  const KvCache::Entry seen = cache.Append(ctx_, 1, second, second);
  EXPECT_EQ(cache.length(), 2);
  const Tensor &keys = seen.keys.values, &values = seen.values.values;
  EXPECT_EQ(keys.shape(), (Shape{1, 3, 2, 4}));
  EXPECT_EQ(Values(ops::Contiguous(ctx_, keys.Sliced(1, 0, 2))), Values(first.Sliced(1, 0, 2)));
  EXPECT_EQ(Values(ops::Contiguous(ctx_, keys.Sliced(1, 2, 3))), Values(second));
  EXPECT_EQ(Values(ops::Contiguous(ctx_, values.Sliced(1, 2, 3))), Values(second));
}

}  // namespace
}  // namespace tern::nn
