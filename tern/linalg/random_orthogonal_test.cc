// SPDX-License-Identifier: MIT
// What Haar's measure says of RandomOrthogonal: q^T q = I, and moments of traces and elements.
#include "tern/linalg/random_orthogonal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tern/linalg/batch.h"
#include "tern/linalg/test_matrices.h"

namespace tern::linalg {
namespace {

template <typename T>
class RandomOrthogonalTest : public ::testing::Test {
 protected:
  Tensor Make(const Shape& shape, uint64_t seed) const {
    return RandomOrthogonal(*ctx_, shape, DTypeOf<T>(), seed);
  }

  const uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  const std::unique_ptr<Context> ctx_ = testing::MakeContext(2);
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(RandomOrthogonalTest, Types);

TYPED_TEST(RandomOrthogonalTest, ColumnsOrRowsAreOrthonormal) {
  using T = TypeParam;
  for (int round = 0; round < testing::Rounds(60); ++round) {
    const auto [m, n] = testing::RandomShape(&this->random_);
    const Tensor q = this->Make({2, m, n}, this->seed_ + static_cast<uint64_t>(round));
    for (int64_t i = 0; i < 2; ++i) {
      const Matrix<T> matrix = MatrixAt<T>(q, i);
      EXPECT_LE(
          testing::OrthogonalityError<T>(m >= n ? matrix : matrix.Transposed()),
          50 * std::numeric_limits<T>::epsilon() * std::sqrt(static_cast<double>(std::min(m, n))))
          << m << " x " << n << ", seed " << this->seed_;
    }
  }
}

// For n = 4: E tr = 0, E tr^2 = 1, E tr^4 = 3 (Diaconis and Shahshahani 1994), E q_ij^2 = 1 / n,
// E q_ij^4 = 3 / (n (n + 2)), E det = 0. Means of `count` matrices lie within six deviations; the
// variances of tr^2 and tr^4 are 2 and, bounded by |tr| <= 4, at most 105.
TYPED_TEST(RandomOrthogonalTest, HasTheMomentsOfHaarsMeasure) {
  using T = TypeParam;
  constexpr int64_t kSide = 4;
  const int64_t count = 100 * testing::Rounds(200);
  const Tensor q = this->Make({count, kSide, kSide}, this->seed_);
  double trace1 = 0, trace2 = 0, trace4 = 0, square = 0, fourth = 0, determinant = 0;
  for (int64_t index = 0; index < count; ++index) {
    const Matrix<T> a = MatrixAt<T>(q, index);
    const double trace = a(0, 0) + a(1, 1) + a(2, 2) + a(3, 3);
    trace1 += trace, trace2 += trace * trace, trace4 += std::pow(trace, 4);
    square += std::pow(a(0, 0), 2), fourth += std::pow(a(2, 1), 4);
    // Laplace's expansion by pairs of rows.
    const auto minor = [&](int64_t row, int64_t i, int64_t j) {
      return a(row, i) * a(row + 1, j) - a(row, j) * a(row + 1, i);
    };
    determinant += minor(0, 0, 1) * minor(2, 2, 3) - minor(0, 0, 2) * minor(2, 1, 3) +
                   minor(0, 0, 3) * minor(2, 1, 2) + minor(0, 1, 2) * minor(2, 0, 3) -
                   minor(0, 1, 3) * minor(2, 0, 2) + minor(0, 2, 3) * minor(2, 0, 1);
  }
  const double total = static_cast<double>(count), deviation = 6 / std::sqrt(total);
  SCOPED_TRACE(::testing::Message() << "seed " << this->seed_);
  EXPECT_NEAR(trace1 / total, 0, deviation);
  EXPECT_NEAR(trace2 / total, 1, deviation * std::sqrt(2));
  EXPECT_NEAR(trace4 / total, 3, deviation * std::sqrt(105));
  EXPECT_NEAR(square / total, 1.0 / kSide, deviation * 0.25);
  EXPECT_NEAR(fourth / total, 3.0 / (kSide * (kSide + 2)), deviation * 0.25);
  EXPECT_NEAR(determinant / total, 0, deviation);
}

TYPED_TEST(RandomOrthogonalTest, TheSeedAloneDecides) {
  using T = TypeParam;
  const Tensor a = this->Make({3, 60, 50}, this->seed_), other = this->Make({60, 50}, ~this->seed_);
  const auto one = testing::MakeContext(1);
  const Tensor alone = RandomOrthogonal(*one, {60, 50}, DTypeOf<T>(), this->seed_);
  EXPECT_TRUE(std::ranges::equal(alone.span<T>(), a.Selected(0, 0).template span<T>()));
  EXPECT_FALSE(std::ranges::equal(alone.span<T>(), a.Selected(0, 1).template span<T>()));
  EXPECT_FALSE(std::ranges::equal(alone.span<T>(), other.span<T>()));
}

TYPED_TEST(RandomOrthogonalTest, Refuses) {
  Context& ctx = *this->ctx_;
  testing::ExpectError(
      [&] {
        RandomOrthogonal(ctx, {3, 3}, DType::kBF16, 1);
      },
      ErrorKind::kInvalidArgument, "bf16");
  testing::ExpectError([&] { this->Make({3}, 1); }, ErrorKind::kInvalidArgument, "two axes");
  testing::ExpectError([&] { this->Make({3, 0}, 1); }, ErrorKind::kInvalidArgument, "empty");
}

}  // namespace
}  // namespace tern::linalg
