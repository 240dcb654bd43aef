// SPDX-License-Identifier: MIT
#include "tern/pack/quantizers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tern/base/error.h"
#include "tern/core/backend.h"

namespace tern {
namespace {

TEST(QuantizersTest, AbsMeanRoundsTiesToZeroAndKeepsTheMultiplier) {
  // mean|W| = 1: s = 1.
  const std::vector<float> w = {0.5f, -0.5f, 0.50001f, -0.50001f, 2.0f, -1.5f, 1.0f, 1.49998f};
  std::vector<int8_t> trits(w.size());
  const float multiplier = QuantizeTernaryReference(w, TernaryQuantizer::kAbsMean, trits.data());
  EXPECT_EQ(multiplier, 1.0f);
  EXPECT_EQ(trits, (std::vector<int8_t>{0, 0, 1, -1, 1, -1, 1, 1}));
}

TEST(QuantizersTest, AbsMeanOfZerosIsTheFloor) {
  const std::vector<float> w(10, 0.0f);
  std::vector<int8_t> trits(w.size(), 1);
  const float multiplier = QuantizeTernaryReference(w, TernaryQuantizer::kAbsMean, trits.data());
  EXPECT_EQ(multiplier, 1.0f / (1.0f / 1e-5f));
  EXPECT_EQ(trits, std::vector<int8_t>(10, 0));
}

TEST(QuantizersTest, SignTakesTheMeanAsMinusOne) {
  const std::vector<float> w = {1.0f, 2.0f, 3.0f};
  std::vector<int8_t> trits(w.size());
  const float multiplier = QuantizeTernaryReference(w, TernaryQuantizer::kSign, trits.data());
  EXPECT_EQ(multiplier, 2.0f);
  EXPECT_EQ(trits, (std::vector<int8_t>{-1, -1, 1}));
}

TEST(QuantizersTest, WeightsThatAreNotFiniteAreAnError) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> w = {1.0f, bad};
    std::vector<int8_t> trits(w.size());
    try {
      QuantizeTernaryReference(w, TernaryQuantizer::kAbsMean, trits.data());
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kNumeric);
    }
  }
}

TEST(QuantizersTest, RowsRoundTiesToEven) {
  // absmax 127: s = 1.
  const std::vector<float> x = {127.0f, 0.5f, 1.5f, -0.5f, -1.5f, 2.5f, -126.6f};
  std::vector<int8_t> q(x.size());
  EXPECT_EQ(QuantizeRowReference(x.data(), 7, q.data()), 1.0f);
  EXPECT_EQ(q, (std::vector<int8_t>{127, 0, 2, 0, -2, 2, -127}));
}

TEST(QuantizersTest, RowsOfZerosHaveTheLargestScale) {
  const std::vector<float> x(5, 0.0f);
  std::vector<int8_t> q(x.size(), 1);
  EXPECT_EQ(QuantizeRowReference(x.data(), 5, q.data()), 127.0f / 1e-5f);
  EXPECT_EQ(q, std::vector<int8_t>(5, 0));
}

TEST(QuantizersTest, RowsThatAreNotFiniteShowInTheScale) {
  std::vector<float> x = {1.0f, std::numeric_limits<float>::quiet_NaN()};
  std::vector<int8_t> q(x.size());
  EXPECT_TRUE(std::isnan(QuantizeRowReference(x.data(), 2, q.data())));
  x[1] = -std::numeric_limits<float>::infinity();
  EXPECT_EQ(QuantizeRowReference(x.data(), 2, q.data()), 0.0f);
}

}  // namespace
}  // namespace tern
