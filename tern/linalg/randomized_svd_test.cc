// SPDX-License-Identifier: MIT
// What the mathematics says of RandomizedSvd: orthonormal vectors, a low rank found exactly, an
// error near the least possible, values that are never too great.
#include "tern/linalg/randomized_svd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tern/linalg/batch.h"
#include "tern/linalg/test_matrices.h"

namespace tern::linalg {
namespace {

using testing::Values;

template <typename T>
class RandomizedSvdTest : public ::testing::Test {
 protected:
  static constexpr double kEps = std::numeric_limits<T>::epsilon();

  // Checks form and orthonormality; returns |a - u diag(s) vt| / |a| (Frobenius). `scale` brings a
  // to a harmless size.
  static double Check(const SvdResult& svd, const Tensor& a, int64_t index = 0, double scale = 1) {
    const int64_t m = a.dim(-2), n = a.dim(-1), k = svd.s.dim(-1);
    const Matrix<T> u = MatrixAt<T>(svd.u, index), vt = MatrixAt<T>(svd.vt, index);
    const Matrix<T> matrix = MatrixAt<T>(a, index);
    const T* const s = svd.s.data<T>() + index * k;
    const T factor = static_cast<T>(scale);
    EXPECT_TRUE(std::is_sorted(s, s + k, std::greater<T>()));
    EXPECT_GE(s[k - 1], 0);
    std::vector<T> us_values(static_cast<size_t>(m * k)), a_values(static_cast<size_t>(m * n));
    const Matrix<T> us = {us_values.data(), m, k, k, 1}, scaled = {a_values.data(), m, n, n, 1};
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < k; ++j) us(i, j) = u(i, j) * (s[j] * factor);
      for (int64_t j = 0; j < n; ++j) scaled(i, j) = matrix(i, j) * factor;
    }
    const double bound = 50 * kEps * std::sqrt(static_cast<double>(k));
    EXPECT_LE(testing::OrthogonalityError<T>(u), bound);
    EXPECT_LE(testing::OrthogonalityError<T>(vt.Transposed()), bound);
    // The sign that Svd promises.
    const Matrix<T> longer = m >= n ? u.Transposed() : vt;
    for (int64_t i = 0; i < k; ++i) {
      T greatest = 0;
      for (int64_t j = 0; j < longer.columns; ++j) {
        if (std::abs(longer(i, j)) > std::abs(greatest)) greatest = longer(i, j);
      }
      EXPECT_GT(greatest, 0);
    }
    return testing::ProductError<T>(scaled, us, vt);
  }

  const uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  const std::unique_ptr<Context> ctx_ = testing::MakeContext(2);
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(RandomizedSvdTest, Types);

double TailNorm(const Values& values, int64_t first) {
  double square = 0;
  for (size_t i = static_cast<size_t>(first); i < values.size(); ++i)
    square += values[i] * values[i];
  return std::sqrt(square);
}

// A rank that is asked for in full is the matrix itself, up to rounding. Without oversampling the
// condition of a square Gaussian matrix multiplies what rounding did; one power iteration mends it.
TYPED_TEST(RandomizedSvdTest, FindsALowRankExactly) {
  using T = TypeParam;
  for (int round = 0; round < testing::Rounds(40); ++round) {
    const auto [m, n] = testing::RandomShape(&this->random_, 200);
    const int64_t rank = 1 + static_cast<int64_t>(this->random_.Below(std::min(m, n)));
    SCOPED_TRACE(::testing::Message()
                 << m << " x " << n << ", rank " << rank << ", seed " << this->seed_);
    Values values(static_cast<size_t>(rank));
    for (double& x : values) x = 0.1 + this->random_.Uniform();
    std::ranges::sort(values, std::greater<>());
    const Tensor a = testing::ToTensor<T>(
        *this->ctx_, testing::WithSingularValues(this->random_, m, n, values), {m, n});
    const SvdResult svd =
        RandomizedSvd(*this->ctx_, a, rank,
                      {.oversample = static_cast<int64_t>(this->random_.Below(12)),
                       .power_iterations = 1 + round % 2,
                       .seed = this->random_.NextU64()});
    const double bound = 10 * static_cast<double>(std::max(m, n)) * this->kEps;
    EXPECT_LE(this->Check(svd, a), bound);
    for (int64_t i = 0; i < rank; ++i) {
      EXPECT_NEAR(svd.s.template data<T>()[i], values[i], bound * TailNorm(values, 0));
    }
    if (this->HasFailure()) return;
  }
}

// Theorem 10.7 with t = 10, u = 7 bounds the error of the range with a chance of failure of 1e-9;
// what the cut to the rank adds is at most the least error that the rank allows (theorem 9.3).
TYPED_TEST(RandomizedSvdTest, SlowDecayIsWithinTheBoundOfHalkoMartinssonAndTropp) {
  using T = TypeParam;
  constexpr int64_t kRank = 20, kOversample = 10;
  for (int round = 0; round < testing::Rounds(20); ++round) {
    const int64_t n = 60 + this->random_.Below(80), m = n + this->random_.Below(60);
    SCOPED_TRACE(::testing::Message() << m << " x " << n << ", seed " << this->seed_);
    Values values(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) values[i] = 1 / std::sqrt(static_cast<double>(i + 1));
    Tensor a = testing::ToTensor<T>(
        *this->ctx_, testing::WithSingularValues(this->random_, m, n, values), {m, n});
    if (round % 2 == 1) a = a.Transposed(0, 1);
    const double least = TailNorm(values, kRank), norm = TailNorm(values, 0);
    double errors[2];
    for (const int power : {0, 4}) {
      const SvdResult svd = RandomizedSvd(
          *this->ctx_, a, kRank,
          {.oversample = kOversample, .power_iterations = power, .seed = this->random_.NextU64()});
      errors[power / 4] = this->Check(svd, a) * norm;
      for (int64_t i = 0; i < kRank; ++i) {
        EXPECT_LE(svd.s.template data<T>()[i],
                  values[i] + 10 * static_cast<double>(m) * this->kEps);
      }
    }
    const double range =
        (1 + 10 * std::sqrt(12.0 * kRank / kOversample)) * least +
        70 * std::exp(1) * std::sqrt(kRank + kOversample) / (kOversample + 1) * values[kRank];
    EXPECT_LE(errors[0], std::hypot(range, least));
    EXPECT_GE(errors[1], least * (1 - 100 * this->kEps));
    EXPECT_LE(errors[1], 1.02 * least);
    EXPECT_LT(errors[1], errors[0]);
  }
}

// With values that fall by 10 behind the rank, two power iterations leave 1e-5 of the angle.
TYPED_TEST(RandomizedSvdTest, AGapIsFoundToTheLeastError) {
  using T = TypeParam;
  for (int round = 0; round < testing::Rounds(20); ++round) {
    const int64_t n = 40 + this->random_.Below(100), m = 30 + this->random_.Below(150);
    SCOPED_TRACE(::testing::Message() << m << " x " << n << ", seed " << this->seed_);
    Values values(static_cast<size_t>(std::min(m, n)), 0.01);
    for (int64_t i = 0; i < 12; ++i) values[i] = 1 - 0.05 * static_cast<double>(i);
    const Tensor a = testing::ToTensor<T>(
        *this->ctx_, testing::WithSingularValues(this->random_, m, n, values), {m, n});
    const SvdResult svd = RandomizedSvd(*this->ctx_, a, 12, {.seed = this->random_.NextU64()});
    EXPECT_LE(this->Check(svd, a) * TailNorm(values, 0), 1.001 * TailNorm(values, 12));
    for (int64_t i = 0; i < 12; ++i) {
      EXPECT_NEAR(svd.s.template data<T>()[i], values[i],
                  1e-6 + 10 * static_cast<double>(std::max(m, n)) * this->kEps);
    }
  }
}

TYPED_TEST(RandomizedSvdTest, ZerosAndExtremes) {
  using T = TypeParam;
  const Tensor zeros = testing::ToTensor<T>(*this->ctx_, Values(30 * 20, 0.0), {30, 20});
  EXPECT_EQ(this->Check(RandomizedSvd(*this->ctx_, zeros, 5), zeros), 0);
  const double largest = std::numeric_limits<T>::max(), least = std::numeric_limits<T>::min();
  for (const double scale : {largest / 1000, least * 1e9}) {
    Values a = testing::RandomMatrix(this->random_, 40, 30);
    testing::Scale(scale, &a);
    const Tensor tensor = testing::ToTensor<T>(*this->ctx_, a, {40, 30});
    EXPECT_LE(this->Check(RandomizedSvd(*this->ctx_, tensor, 30), tensor, 0, 1 / scale),
              10 * 40 * this->kEps)
        << "seed " << this->seed_;
  }
}

TYPED_TEST(RandomizedSvdTest, BatchesViewsSeedsAndThreads) {
  using T = TypeParam;
  const Values values = testing::RandomMatrix(this->random_, 4 * 30, 40);
  const Tensor whole = testing::ToTensor<T>(*this->ctx_, values, {2, 2, 30, 40});
  const auto one = testing::MakeContext(1);
  for (const Tensor& a : {whole, whole.Transposed(-1, -2), whole.Sliced(3, 1, 40, 2)}) {
    const int64_t small = std::min(a.dim(-1), a.dim(-2));
    const SvdResult svd = RandomizedSvd(*this->ctx_, a, small, {.seed = 7});
    for (int64_t i = 0; i < 4; ++i) EXPECT_LE(this->Check(svd, a, i), 10 * 40 * this->kEps);
    const RandomizedSvdOptions options = {.oversample = 2, .power_iterations = 0, .seed = 7};
    const SvdResult cut = RandomizedSvd(*this->ctx_, a, 5, options);
    const SvdResult same = RandomizedSvd(*one, a, 5, options);
    EXPECT_TRUE(std::ranges::equal(cut.u.span<T>(), same.u.span<T>()));
    EXPECT_TRUE(std::ranges::equal(cut.s.span<T>(), same.s.span<T>()));
    EXPECT_TRUE(std::ranges::equal(cut.vt.span<T>(), same.vt.span<T>()));
    const SvdResult other =
        RandomizedSvd(*one, a, 5, {.oversample = 2, .power_iterations = 0, .seed = 8});
    EXPECT_FALSE(std::ranges::equal(cut.s.span<T>(), other.s.span<T>()));
  }
}

TYPED_TEST(RandomizedSvdTest, Refuses) {
  Context& ctx = *this->ctx_;
  const Tensor a = testing::ToTensor<TypeParam>(ctx, Values(12, 1.0), {3, 4});
  for (const int64_t rank : {-1, 0, 4}) {
    testing::ExpectError([&] { RandomizedSvd(ctx, a, rank); }, ErrorKind::kInvalidArgument,
                         "ranks 1 to 3");
  }
  testing::ExpectError([&] { RandomizedSvd(ctx, a, 1, {.oversample = -1}); },
                       ErrorKind::kInvalidArgument, "negative");
  testing::ExpectError([&] { RandomizedSvd(ctx, a, 1, {.power_iterations = -1}); },
                       ErrorKind::kInvalidArgument, "negative");
  a.data<TypeParam>()[5] = std::numeric_limits<TypeParam>::quiet_NaN();
  testing::ExpectError([&] { RandomizedSvd(ctx, a, 1); }, ErrorKind::kNumeric, "row 1, column 1");
}

}  // namespace
}  // namespace tern::linalg
