// SPDX-License-Identifier: MIT
#include "tern/autograd/gradcheck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tern/autograd/tape.h"
#include "tern/autograd/test_ops.h"

namespace tern {
namespace {

class GradCheckTest : public testing::Test, protected TapeContext {
 protected:
  // sin(a), whose gradient is cos(a) + wrong.
  Tensor Sin(const Tensor& a, double wrong = 0) {
    Tensor y = ctx.EmptyLike(a, a.shape(), a.dtype());
    const auto apply = [](const Tensor& from, const Tensor& to, auto f) {
      for (int64_t i = 0; i < to.elements(); ++i) {
        if (to.dtype() == DType::kF64) {
          to.data<double>()[i] = f(from.data<double>()[i], i);
        } else {
          to.data<float>()[i] = static_cast<float>(f(from.data<float>()[i], i));
        }
      }
    };
    apply(a, y, [](double x, int64_t) { return std::sin(x); });
    RecordBackward({&a}, {&y}, [=, this, x = a.Detached()](GradientPass& pass) {
      Tensor gradient = ctx.EmptyLike(x, x.shape(), x.dtype());
      apply(pass.OutputGradient(), gradient, [&](double dy, int64_t i) {
        const double at = x.dtype() == DType::kF64 ? x.data<double>()[i] : x.data<float>()[i];
        return dy * (std::cos(at) + (i == 2 ? wrong : 0));
      });
      pass.Add(0, std::move(gradient));
    });
    return y;
  }

  const Tensor a_ = Values({2, 2}, {0.3, -1.2, 2.0, 150.0});
  const Tensor b_ = Values({2, 2}, {0.7, 0.1, -3.0, 1.0});
};

TEST_F(GradCheckTest, AcceptsRightGradientsOfSeveralLeaves) {
  const Tensor leaves[] = {a_, b_};
  const GradCheckResult result = GradCheck(
      ctx, [&](std::span<const Tensor> x) { return Mul(Sin(x[0]), Mul(x[1], x[0])); }, leaves);
  EXPECT_TRUE(result.ok) << result.ToString();
  EXPECT_GE(result.worst_error, 0);
  EXPECT_EQ(a_.span<double>()[3], 150.0);
}

TEST_F(GradCheckTest, FindsTheElementThatIsWrong) {
  const Tensor leaves[] = {b_, a_};
  const GradCheckResult result = GradCheck(
      ctx, [&](std::span<const Tensor> x) { return Mul(x[0], Sin(x[1], 1e-5)); }, leaves);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.leaf, 1);
  EXPECT_EQ(result.element, 2);
  EXPECT_THAT(result.ToString(), testing::HasSubstr("element 2 of leaf 1"));
  // b times a weight of 0.5 to 1.5 times what is wrong
  EXPECT_NEAR(std::abs(result.analytic - result.numeric), 3e-5, 1.5e-5 + 1e-9);
}

// The sum of d and -d does not change with d: with equal weights a gradient of 0 would pass.
TEST_F(GradCheckTest, WeighsOutputsSoThatGradientsDoNotCancel) {
  const Tensor leaves[] = {a_};
  const GradCheckFunction swaps = [&](std::span<const Tensor> x) {
    Tensor y = ctx.EmptyLike(x[0], {2}, DType::kF64);
    const double d = x[0].data<double>()[0];
    y.data<double>()[0] = d;
    y.data<double>()[1] = -d;
    RecordBackward({&x[0]}, {&y}, [this](GradientPass& pass) {
      pass.Add(0, Values({2, 2}, {0, 0, 0, 0}));
    });
    return y;
  };
  const GradCheckResult result = GradCheck(ctx, swaps, leaves);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.element, 0);
}

TEST_F(GradCheckTest, TakesLeavesAndOutputsThatAreViews) {
  const Tensor leaves[] = {a_.Transposed(0, 1), b_.Sliced(1, 0, 1).Broadcast({2, 2})};
  const GradCheckFunction transposed_product = [&](std::span<const Tensor> x) {
    const Tensor y = Mul(Mul(x[0], x[0]), x[1]);
    Tensor view = y.Detached().Transposed(0, 1);
    RecordBackward({&y}, {&view},
                   [](GradientPass& pass) { pass.Add(0, pass.OutputGradient().Transposed(0, 1)); });
    return view;
  };
  const GradCheckResult result = GradCheck(ctx, transposed_product, leaves);
  EXPECT_TRUE(result.ok) << result.ToString();
}

TEST_F(GradCheckTest, ComparesWithASurrogate) {
  const Tensor leaves[] = {b_};
  const GradCheckFunction rounds = [&](std::span<const Tensor> x) {
    Tensor y = ctx.EmptyLike(x[0], x[0].shape(), DType::kF64);
    for (int i = 0; i < 4; ++i) y.data<double>()[i] = std::nearbyint(x[0].data<double>()[i]);
    RecordBackward({&x[0]}, {&y}, [](GradientPass& pass) { pass.Add(0, pass.OutputGradient()); });
    return y;
  };
  EXPECT_FALSE(GradCheck(ctx, rounds, leaves).ok);
  const GradCheckResult result =
      GradCheck(ctx, rounds, leaves, {.surrogate = [](std::span<const Tensor> x) { return x[0]; }});
  EXPECT_TRUE(result.ok) << result.ToString();
}

TEST_F(GradCheckTest, ComparesF32GradientsWithF64Differences) {
  const Tensor leaf = ctx.Empty({2, 2}, DType::kF32);
  for (int i = 0; i < 4; ++i) leaf.data<float>()[i] = 0.3f * static_cast<float>(i);
  const Tensor leaves[] = {leaf};
  const auto sin = [&](std::span<const Tensor> x) { return Sin(x[0]); };
  const GradCheckResult result = GradCheck(ctx, sin, leaves, {.tolerance = 1e-6});
  EXPECT_TRUE(result.ok) << result.ToString();
  EXPECT_GT(result.worst_error, 1e-10);  // f32 did round
}

TEST_F(GradCheckTest, FailsOnNaN) {
  const Tensor leaves[] = {Values({1}, {std::nan("")})};
  EXPECT_FALSE(GradCheck(
                   ctx, [&](std::span<const Tensor> x) { return Sin(x[0]); }, leaves)
                   .ok);
}

TEST_F(GradCheckTest, FailsWhenRecordingChangesTheOutput) {
  const Tensor leaves[] = {a_};
  const GradCheckFunction moody = [&](std::span<const Tensor> x) {
    return x[0].link().tape != nullptr ? Mul(x[0], b_) : Mul(b_, b_);
  };
  EXPECT_FALSE(GradCheck(ctx, moody, leaves).ok);
}

}  // namespace
}  // namespace tern
