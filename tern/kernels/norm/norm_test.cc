// SPDX-License-Identifier: MIT
#include "tern/kernels/norm/norm.h"

#include <gtest/gtest.h>

#include "tern/kernels/kernel_test.h"
#include "tern/kernels/norm/reference.h"

namespace tern::kernels {
namespace {

using NormTest = KernelTest;

TEST_F(NormTest, RowsAreNormalized) {
  for (int64_t n : {1, 5, 16, 64, 333}) {
    const std::vector<double> w(n, 1.0);
    std::vector<double> x(n), y(n);
    for (double& v : x) v = std::normal_distribution<double>(1, 3)(random_);
    reference::RmsNorm(x.data(), w.data(), 0.0, y.data(), n);
    double squares = 0;
    for (double v : y) squares += v * v;
    EXPECT_NEAR(squares / static_cast<double>(n), 1.0, 1e-12) << "seed " << seed_;
    EXPECT_GT(x[0] * y[0], 0);
  }
  // mean 7.5 of squares 9 and 6: eps makes it 16, whose root is 4.
  const double x[] = {3, std::sqrt(6.0)}, w[] = {2, 1};
  double y[2];
  reference::RmsNorm(x, w, 8.5, y, 2);
  EXPECT_DOUBLE_EQ(y[0], 1.5);
}

TEST_F(NormTest, EveryTargetEqualsTheReferenceBitForBit) {
  for (int64_t n : {1, 7, 16, 17, 33, 256, 2560}) {
    for (bool wild : {false, true}) {
      const std::vector<float> x = wild ? Wild(n) : Normal(n), w = Normal(n), dy = Normal(n);
      std::vector<float> y(n), dx(n), dw(n, 0.5f);
      scalar_.norm.rms_norm(x.data(), w.data(), 1e-5f, y.data(), n);
      scalar_.norm.rms_norm_grad(x.data(), w.data(), dy.data(), 1e-5f, dx.data(), dw.data(), n);
      ForTargets([&](const KernelTable& table) {
        std::vector<float> got = x, got_dx(n), got_dw(n, 0.5f);
        table.norm.rms_norm(got.data(), w.data(), 1e-5f, got.data(), n);
        ExpectSame(y, got);
        table.norm.rms_norm_grad(x.data(), w.data(), dy.data(), 1e-5f, got_dx.data(), got_dw.data(),
                                 n);
        ExpectSame(dx, got_dx);
        ExpectSame(dw, got_dw);
      });
    }
  }
}

}  // namespace
}  // namespace tern::kernels
