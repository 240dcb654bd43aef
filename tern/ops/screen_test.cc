// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/ops/ops.h"

namespace tern {
namespace {

class ScreenTest : public testing::Test {
 protected:
  ScreenTest() : ctx_({.threads = 2, .log = {}}) {
    ctx_.AddBackend(std::make_unique<CpuBackend>());
  }

  Tensor Random(const Shape& shape, float outlier) {
    const Tensor t = ctx_.Empty(shape, DType::kF32);
    std::normal_distribution<float> normal;
    for (float& x : t.span<float>()) x = normal(random_) * (random_() % 50 == 0 ? outlier : 1.0f);
    return t;
  }

  Context ctx_;
  uint32_t seed_ = std::random_device()();
  std::mt19937 random_{seed_};
};

// Whatever the numbers, the top results are there with Linear's bits, and few others.
TEST_F(ScreenTest, KeepsTheLargestExactly) {
  SCOPED_TRACE(testing::Message() << "seed " << seed_);
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const float outlier : {1.0f, 30.0f}) {
      for (const int64_t top : {1, 7, 5000}) {
        const Tensor x = Random({1, 200}, outlier);
        const Tensor w = ops::Cast(ctx_, Random({2000, 200}, outlier), dtype);
        const Tensor exact = ops::Linear(ctx_, x, w);
        const Tensor screened = ops::ScreenedLinear(ctx_, x, w, ops::PackScreen(ctx_, w), top);
        const std::span<const float> e = exact.span<float>(), s = screened.span<float>();
        std::vector<float> sorted(e.begin(), e.end());
        std::ranges::sort(sorted, std::greater());
        const float least = sorted[static_cast<size_t>(std::min<int64_t>(top, 2000) - 1)];
        int64_t computed = 0;
        for (size_t i = 0; i < e.size(); ++i) {
          computed += std::isfinite(s[i]) ? 1 : 0;
          if (e[i] >= least) {
            ASSERT_EQ(e[i], s[i]) << i;
          }
          if (s[i] != e[i]) {
            ASSERT_EQ(s[i], -std::numeric_limits<float>::infinity()) << i;
          }
        }
        if (top < 10) {
          EXPECT_LT(computed, 700) << "outlier " << outlier;
        }
        EXPECT_GE(computed, std::min<int64_t>(top, 2000));
      }
    }
  }
}

// Also where the squares of what 8 bits leave of a weight vanish, or the scales end.
TEST_F(ScreenTest, KeepsTheLargestOfTinyAndHugeWeights) {
  SCOPED_TRACE(testing::Message() << "seed " << seed_);
  for (const float size : {1e-38f, 1e-30f, 1e-20f, 1e-6f, 1e30f}) {
    const Tensor x = Random({1, 70}, 1);
    const Tensor w = Random({500, 70}, 1);
    for (float& weight : w.span<float>()) weight *= size;
    const Tensor exact = ops::Linear(ctx_, x, w);
    const Tensor screened = ops::ScreenedLinear(ctx_, x, w, ops::PackScreen(ctx_, w), 1);
    const std::span<const float> e = exact.span<float>(), s = screened.span<float>();
    const auto best = std::ranges::max_element(e) - e.begin();
    EXPECT_EQ(s[static_cast<size_t>(best)], e[static_cast<size_t>(best)]) << size;
    EXPECT_EQ(std::ranges::max_element(s) - s.begin(), best) << size;
  }
}

TEST_F(ScreenTest, ComputesEverythingForWhatIsNotFinite) {
  const Tensor w = Random({300, 64}, 1);
  const ops::Screen screen = ops::PackScreen(ctx_, w);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const Tensor x = Random({1, 64}, 1);
    x.span<float>()[5] = bad;
    const Tensor exact = ops::Linear(ctx_, x, w);
    const Tensor screened = ops::ScreenedLinear(ctx_, x, w, screen, 1);
    for (size_t i = 0; i < 300; ++i) {
      const float e = exact.span<float>()[i], s = screened.span<float>()[i];
      EXPECT_TRUE(e == s || (std::isnan(e) && std::isnan(s))) << e << " " << s;
    }
  }
}

}  // namespace
}  // namespace tern
