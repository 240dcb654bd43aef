// SPDX-License-Identifier: MIT
#include "tern/kernels/svd/svd.h"

#include <bit>
#include <cmath>
#include <type_traits>

#include "tern/kernels/kernel_test.h"
#include "tern/kernels/svd/reference.h"

namespace tern::kernels {
namespace {

// Every target against the scalar reference: exactly where sums of small integers need no rounding,
// else to a few times epsilon, from the error bound of a sum.
template <typename T>
class SvdKernelTest : public KernelTest {
 protected:
  static const SvdKernels<T>& Of(const KernelTable& table) {
    if constexpr (std::is_same_v<T, double>) {
      return table.svd_f64;
    } else {
      return table.svd_f32;
    }
  }

  std::vector<T> Digits(int64_t count) {
    std::uniform_int_distribution<int> digit(-9, 9);
    std::vector<T> values(static_cast<size_t>(count));
    for (T& x : values) x = static_cast<T>(digit(this->random_));
    return values;
  }

  const SvdKernels<T>& reference_ = Of(this->scalar_);
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SvdKernelTest, Types);

TYPED_TEST(SvdKernelTest, ProductsOfWholeNumbersAreExact) {
  using T = TypeParam;
  this->ForTargets([&](const KernelTable& table) {
    const auto& kernels = this->Of(table);
    for (int64_t n : {16, 32, 48, 112, 240}) {
      for (int64_t rows : {0, 1, 3, 8, 11}) {
        SCOPED_TRACE(testing::Message() << rows << " x " << n);
        const int64_t stride = n + 5;
        const std::vector<T> a = this->Digits((rows + 1) * stride), x = this->Digits(n);
        const std::vector<T> weights = this->Digits(rows + 1);
        EXPECT_EQ(this->reference_.dot(a.data(), x.data(), n), kernels.dot(a.data(), x.data(), n));
        std::vector<T> expected = this->Digits(n), got = expected;
        this->reference_.left_product(weights.data(), a.data(), stride, rows, expected.data(), n);
        kernels.left_product(weights.data(), a.data(), stride, rows, got.data(), n);
        EXPECT_EQ(expected, got);
        expected = got = this->Digits(rows);
        this->reference_.right_product(a.data(), stride, rows, x.data(), expected.data(), n);
        kernels.right_product(a.data(), stride, rows, x.data(), got.data(), n);
        EXPECT_EQ(expected, got);
      }
    }
  });
}

// Rotations by (3, 4): whole numbers again. The stride's sign gives the direction; what lies
// between rows must stay.
TYPED_TEST(SvdKernelTest, RotatesNeighbouringRows) {
  using T = TypeParam;
  this->ForTargets([&](const KernelTable& table) {
    for (int64_t n : {16, 48, 112}) {
      const int64_t stride = n + 3, count = 4;
      const std::vector<T> c = {3, -4, 0, 1}, s = {4, 3, 1, 0};
      for (bool backward : {false, true}) {
        std::vector<T> expected = this->Digits((count + 1) * stride), got = expected;
        const int64_t first = backward ? count * stride : 0, step = backward ? -stride : stride;
        this->reference_.rotate_rows(expected.data() + first, step, c.data(), s.data(), count, n);
        this->Of(table).rotate_rows(got.data() + first, step, c.data(), s.data(), count, n);
        EXPECT_EQ(expected, got);
      }
    }
  });
}

TYPED_TEST(SvdKernelTest, SumsTheSecularEquation) {
  using T = TypeParam;
  constexpr T kEps = std::numeric_limits<T>::epsilon();
  constexpr int64_t kCount = 61, kPadded = 64;
  std::vector<T> d(kPadded, T(100)), z(kPadded, T(0));
  std::uniform_real_distribution<double> uniform(0.01, 1);
  for (int64_t j = 0; j < kCount; ++j) {
    d[j] = j == 0 ? T(0) : d[j - 1] + static_cast<T>(uniform(this->random_));
    z[j] = static_cast<T>(uniform(this->random_));
  }
  const SecularPoles<T> poles = {d.data(), z.data(), kPadded};
  this->ForTargets([&](const KernelTable& table) {
    const auto& kernels = this->Of(table);
    for (int64_t split = 0; split < kCount - 1; ++split) {
      const T offset = (d[split + 1] - d[split]) / 3;
      const SecularSums<T> expected = this->reference_.secular_sums(poles, split, d[split], offset);
      const SecularSums<T> got = kernels.secular_sums(poles, split, d[split], offset);
      // Terms of one sum have one sign.
      EXPECT_NEAR(expected.below, got.below, 64 * kEps * std::abs(expected.below));
      EXPECT_NEAR(expected.above, got.above, 64 * kEps * std::abs(expected.above));
      EXPECT_NEAR(expected.below_slope, got.below_slope, 64 * kEps * expected.below_slope);
      EXPECT_NEAR(expected.above_slope, got.above_slope, 64 * kEps * expected.above_slope);
      std::vector<T> v(kPadded), u(kPadded), weights(kPadded, T(1));
      kernels.secular_differences(d.data(), d[split], offset, v.data(), kPadded);
      const T x = d[split] + offset;
      for (int64_t j = 0; j < kCount; ++j) {
        EXPECT_NEAR((d[j] - x) * (d[j] + x), v[j], 8 * kEps * d[kCount - 1] * d[kCount - 1]);
      }
      kernels.secular_weights(v.data(), d.data(), T(200), weights.data(), kPadded);
      EXPECT_NEAR(v[7] / ((d[7] - 200) * (d[7] + 200)), weights[7], 8 * kEps);
      kernels.secular_vectors(d.data(), z.data(), u.data(), v.data(), kCount);
      EXPECT_NEAR(1, reference::SumOfSquares(u.data(), kCount), 64 * kEps);
      EXPECT_NEAR(1, reference::SumOfSquares(v.data(), kCount), 64 * kEps);
    }
  });
}

// A root next to the pole 0, as deflation may leave it: the squares of v go beyond f32.
TYPED_TEST(SvdKernelTest, SecularVectorsBesideAPoleAreUnitVectors) {
  using T = TypeParam;
  constexpr T kEps = std::numeric_limits<T>::epsilon();
  const T least = 4 * kEps;
  const std::vector<T> d = {0, least / 2, 1}, z = {least, 1, 1};
  this->ForTargets([&](const KernelTable& table) {
    std::vector<T> u(3), v = {-least * least * least * least / 4, least * least / 4, 1};
    this->Of(table).secular_vectors(d.data(), z.data(), u.data(), v.data(), 3);
    EXPECT_NEAR(1, reference::SumOfSquares(u.data(), 3), 16 * kEps);
    EXPECT_NEAR(1, reference::SumOfSquares(v.data(), 3), 16 * kEps);
  });
}

TYPED_TEST(SvdKernelTest, HadamardHasTheSignsOfCommonBits) {
  using T = TypeParam;
  this->ForTargets([&](const KernelTable& table) {
    for (int64_t n : {1, 2, 4, 8, 32, 64}) {
      const std::vector<T> x = this->Digits(n);
      std::vector<T> got = x;
      this->Of(table).hadamard(got.data(), T(2), n);
      for (int64_t i = 0; i < n; ++i) {
        T sum = 0;
        for (int64_t j = 0; j < n; ++j) {
          sum += (std::popcount(static_cast<uint64_t>(i & j)) % 2 != 0 ? -1 : 1) * x[j];
        }
        EXPECT_EQ(2 * sum, got[i]) << n << ": " << i;
      }
    }
  });
}

}  // namespace
}  // namespace tern::kernels
