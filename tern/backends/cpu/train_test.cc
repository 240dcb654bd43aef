// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "tern/backends/cpu/test_context.h"

namespace tern {
namespace {

void Step(Context& ctx, const Tensor& grad, const std::vector<Tensor>& state,
          const AdamWAttrs& attrs) {
  const Tensor* inputs[] = {&grad};
  const Tensor* outputs[] = {&state[0], &state[1], &state[2]};
  ctx.Run({.op = Op::kAdamW, .inputs = inputs, .outputs = outputs, .attrs = attrs});
}

// torch.optim.AdamW's documented algorithm, in f64 and in f32 on more elements than a thread's
// part.
TEST(CpuAdamWTest, FollowsTheAlgorithmForAnyThreads) {
  constexpr int64_t kElements = 20000;
  const AdamWAttrs attrs = {.learning_rate = 2e-3,
                            .beta1 = 0.9,
                            .beta2 = 0.95,
                            .eps = 1e-8,
                            .weight_decay = 0.1,
                            .bias_correction1 = 1 - 0.9 * 0.9,
                            .bias_correction2 = 1 - 0.95 * 0.95,
                            .gradient_scale = 0.25};
  std::mt19937 random(1);
  const auto one = MakeContext(1);
  const auto three = MakeContext(3);
  const Tensor grad = Random<double>(*one, {kElements}, random);
  std::vector<Tensor> f64, f32, threaded;
  for (int i = 0; i < 3; ++i) f64.push_back(Random<double>(*one, {kElements}, random));
  for (double& v : f64[2].span<double>()) v *= v;
  const auto floats = [](Context& ctx, const Tensor& from) {
    const Tensor to = ctx.Empty({kElements}, DType::kF32);
    for (int64_t i = 0; i < kElements; ++i) {
      to.data<float>()[i] = static_cast<float>(from.data<double>()[i]);
    }
    return to;
  };
  for (const Tensor& t : f64) {
    f32.push_back(floats(*one, t));
    threaded.push_back(floats(*three, t));
  }
  std::vector<double> expected(kElements);
  for (int64_t i = 0; i < kElements; ++i) {
    const double g = grad.data<double>()[i] * attrs.gradient_scale;
    const double m = attrs.beta1 * f64[1].data<double>()[i] + (1.0 - attrs.beta1) * g;
    const double v = attrs.beta2 * f64[2].data<double>()[i] + (1.0 - attrs.beta2) * g * g;
    const double decayed =
        f64[0].data<double>()[i] * (1 - attrs.learning_rate * attrs.weight_decay);
    const double update =
        m / attrs.bias_correction1 / (std::sqrt(v / attrs.bias_correction2) + attrs.eps);
    expected[i] = decayed - attrs.learning_rate * update;
  }
  Step(*one, floats(*one, grad), f32, attrs);
  Step(*three, floats(*three, grad), threaded, attrs);
  Step(*one, grad, f64, attrs);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(SameBits(f32[i], threaded[i])) << i;
  for (int64_t i = 0; i < kElements; ++i) {
    ASSERT_NEAR(expected[i], f64[0].data<double>()[i], 1e-12) << i;
    ASSERT_NEAR(expected[i], f32[0].data<float>()[i], 1e-6) << i;
  }
}

// What torch multiplies squares by is f32 of 1 - 0.999, not 1 less f32 of 0.999.
TEST(CpuAdamWTest, RoundsItsFactorsOnce) {
  const auto ctx = MakeContext(1);
  const auto full = [&](float value) {
    const Tensor t = ctx->Empty({1}, DType::kF32);
    *t.data<float>() = value;
    return t;
  };
  const std::vector<Tensor> state = {full(0), full(0), full(0)};
  Step(*ctx, full(1), state, {.learning_rate = 1, .beta1 = 0.9, .beta2 = 0.999});
  EXPECT_EQ(state[1].item<float>(), static_cast<float>(1 - 0.9));
  EXPECT_EQ(state[2].item<float>(), static_cast<float>(1 - 0.999));
}

}  // namespace
}  // namespace tern
