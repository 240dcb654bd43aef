// SPDX-License-Identifier: MIT
#include "tern/kernels/softmax/softmax.h"

#include <gtest/gtest.h>

#include "tern/kernels/kernel_test.h"
#include "tern/kernels/softmax/reference.h"

namespace tern::kernels {
namespace {

using SoftmaxTest = KernelTest;

TEST_F(SoftmaxTest, ReferenceIsTheDefinition) {
  const int64_t n = 50;
  std::vector<double> x(n), y(n), dx(n);
  for (double& v : x) v = std::normal_distribution<double>(100, 5)(random_);
  double sum = 0;
  for (double v : x) sum += std::exp(v - 100);
  reference::Softmax(x.data(), y.data(), n);
  reference::CrossEntropyGrad(x.data(), 7, 2.0, dx.data(), n);
  for (int64_t i = 0; i < n; ++i) {
    const double p = std::exp(x[i] - 100) / sum;
    EXPECT_NEAR(y[i], p, 1e-14) << "seed " << seed_;
    EXPECT_NEAR(dx[i], 2 * (p - (i == 7 ? 1 : 0)), 1e-14) << "seed " << seed_;
  }
  EXPECT_NEAR(reference::CrossEntropy(x.data(), 7, n), -std::log(y[7]), 1e-12) << "seed " << seed_;
}

TEST_F(SoftmaxTest, EveryTargetEqualsTheReferenceBitForBit) {
  for (int64_t n : {1, 7, 16, 17, 100, 4096}) {
    for (int kind = 0; kind < 3; ++kind) {
      std::vector<float> x = kind == 2 ? Wild(n) : Normal(n, 10);
      if (kind == 1) {
        for (float& v : x) v = random_() % 3 == 0 ? v : -std::numeric_limits<float>::infinity();
      }
      const std::vector<float> dy = Normal(n);
      const int64_t target = static_cast<int64_t>(random_() % n);
      std::vector<float> y(n), dx(n), dlogits(n);
      scalar_.softmax.softmax(x.data(), y.data(), n);
      scalar_.softmax.softmax_grad(y.data(), dy.data(), dx.data(), n);
      scalar_.softmax.cross_entropy_grad(x.data(), target, 0.37f, dlogits.data(), n);
      const float loss = scalar_.softmax.cross_entropy(x.data(), target, n);
      ForTargets([&](const KernelTable& table) {
        std::vector<float> got = x;
        table.softmax.softmax(got.data(), got.data(), n);
        ExpectSame(y, got);
        table.softmax.softmax_grad(got.data(), dy.data(), got.data(), n);
        ExpectSame(dx, got);
        got = x;
        table.softmax.cross_entropy_grad(got.data(), target, 0.37f, got.data(), n);
        ExpectSame(dlogits, got);
        ExpectSame({loss}, {table.softmax.cross_entropy(x.data(), target, n)});
      });
    }
  }
}

TEST_F(SoftmaxTest, WhatIsNotFiniteShows) {
  const float infinity = std::numeric_limits<float>::infinity();
  ForTargets([&](const KernelTable& table) {
    for (float bad : {std::nanf(""), infinity}) {
      std::vector<float> x(40, 1.0f), y(40);
      x[33] = bad;
      table.softmax.softmax(x.data(), y.data(), 40);
      EXPECT_TRUE(std::isnan(y[33]));
      EXPECT_TRUE(std::isnan(table.softmax.cross_entropy(x.data(), 3, 40)));
    }
    std::vector<float> x(40, -infinity), y(40);
    x[5] = 3;
    table.softmax.softmax(x.data(), y.data(), 40);
    EXPECT_EQ(y[5], 1);
    EXPECT_EQ(y[39], 0);
    EXPECT_EQ(table.softmax.cross_entropy(x.data(), 5, 40), 0);
    EXPECT_EQ(table.softmax.cross_entropy(x.data(), 6, 40), infinity);
  });
}

}  // namespace
}  // namespace tern::kernels
