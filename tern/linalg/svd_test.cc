// SPDX-License-Identifier: MIT
// What the mathematics says of Svd, over random and graded matrices of many shapes and over kinds
// that are hard: u^T u = I, vt vt^T = I, u diag(s) vt = a, s falling and not negative.
#include "tern/linalg/svd.h"

#include <gtest/gtest.h>

#include <random>

#include "tern/base/error.h"
#include "tern/linalg/batch.h"
#include "tern/linalg/test_matrices.h"

namespace tern::linalg {
namespace {

using testing::Values;

template <typename T>
class SvdTest : public ::testing::Test {
 protected:
  static constexpr double kEps = std::numeric_limits<T>::epsilon();

  static void Check(const SvdResult& svd, const Tensor& a, int64_t index = 0) {
    const int64_t m = a.dim(-2), n = a.dim(-1), k = std::min(m, n);
    const Matrix<T> u = MatrixAt<T>(svd.u, index), vt = MatrixAt<T>(svd.vt, index);
    const T* const s = svd.s.data<T>() + index * k;
    for (int64_t i = 0; i < k; ++i) EXPECT_LE(s[i], i == 0 ? s[i] : s[i - 1]);
    EXPECT_GE(s[k - 1], 0);
    // u diag(s) with s relative to the greatest value, for a could be near overflow.
    const T scale = s[0] > 0 ? std::scalbn(T(1), std::ilogb(s[0])) : T(1);
    std::vector<T> us_values(static_cast<size_t>(m * k)), a_values(static_cast<size_t>(m * n));
    const Matrix<T> us = {us_values.data(), m, k, k, 1}, scaled = {a_values.data(), m, n, n, 1};
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < k; ++j) us(i, j) = u(i, j) * (s[j] / scale);
      for (int64_t j = 0; j < n; ++j) scaled(i, j) = MatrixAt<T>(a, index)(i, j) / scale;
    }
    EXPECT_LE(testing::ProductError<T>(scaled, us, vt.Block(0, 0, k, n)),
              10 * static_cast<double>(std::max(m, n)) * kEps);
    EXPECT_LE(testing::OrthogonalityError<T>(u),
              50 * kEps * std::sqrt(static_cast<double>(u.columns)));
    EXPECT_LE(testing::OrthogonalityError<T>(vt.Transposed()),
              50 * kEps * std::sqrt(static_cast<double>(vt.rows)));
  }

  // With every method; returns the values of the last.
  std::vector<T> CheckSvd(const Values& values, int64_t m, int64_t n,
                          SvdVectors vectors = SvdVectors::kThin) {
    const Tensor a = testing::ToTensor<T>(*ctx_, values, {m, n});
    SvdResult svd;
    for (const SvdMethod method : {SvdMethod::kJacobi, SvdMethod::kQr, SvdMethod::kFast}) {
      SCOPED_TRACE(::testing::Message() << m << " x " << n << ", seed " << seed_ << ", method "
                                        << static_cast<int>(method));
      svd = Svd(*ctx_, a, {.vectors = vectors, .method = method});
      Check(svd, a);
    }
    const auto s = svd.s.template span<T>();
    return {s.begin(), s.end()};
  }

  const uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  const std::unique_ptr<Context> ctx_ = testing::MakeContext(2);
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SvdTest, Types);

TYPED_TEST(SvdTest, RandomAndGraded) {
  const double digits = std::is_same_v<TypeParam, float> ? 6 : 15;
  for (int round = 0; round < testing::Rounds(200); ++round) {
    const auto [m, n] = testing::RandomShape(&this->random_);
    this->CheckSvd(round % 2 == 0
                       ? testing::RandomMatrix(this->random_, m, n)
                       : testing::GradedMatrix(this->random_, m, n, digits, round % 4 == 1),
                   m, n, round % 5 == 0 && m + n < 200 ? SvdVectors::kFull : SvdVectors::kThin);
    if (this->HasFailure()) return;
  }
}

// Where criteria of convergence have the least room. Thousands of matrices cost little.
TYPED_TEST(SvdTest, AFewColumns) {
  for (int round = 0; round < testing::Rounds(4000); ++round) {
    const int64_t n = 1 + this->random_.Below(4), m = n + this->random_.Below(6);
    this->CheckSvd(
        testing::GradedMatrix(this->random_, m, n, round % 2 == 0 ? 15 : 0, round % 4 < 2), m, n);
    if (this->HasFailure()) return;
  }
}

// The values that a matrix was made of come back, whether they fall, coincide or cluster; above 32
// columns divide and conquer has much to deflate.
TYPED_TEST(SvdTest, PlantedValues) {
  const double condition = std::is_same_v<TypeParam, float> ? 1e6 : 1e15;
  for (int round = 0; round < testing::Rounds(20); ++round) {
    const int64_t n = 2 + this->random_.Below(round % 2 == 0 ? 30 : 120);
    const int64_t m = n + this->random_.Below(60);
    Values values = testing::FallingValues(n, condition);
    if (round % 3 == 0) std::fill(values.begin() + 1, values.end(), 1 / condition);
    if (round % 3 == 1) std::fill(values.begin(), values.end() - 1, 1.0);
    const auto got = this->CheckSvd(testing::WithSingularValues(this->random_, m, n, values), m, n);
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_NEAR(got[i], values[i], 4 * static_cast<double>(m) * this->kEps) << i;
    }
  }
}

TYPED_TEST(SvdTest, HilbertAndLaeuchli) {
  for (const int64_t n : {2, 12, 100}) this->CheckSvd(testing::HilbertMatrix(n, n), n, n);
  for (const auto& [n, delta] :
       {std::pair<int64_t, double>{70, 1e-3}, {70, 1e-9}, {70, 1e-20}, {290, 1e-9}}) {
    const auto s = this->CheckSvd(testing::LaeuchliMatrix(n, delta), n + 1, n);
    const double bound = static_cast<double>(n + 1) * this->kEps * s[0];
    EXPECT_NEAR(s[0], std::sqrt(static_cast<double>(n) + delta * delta), bound);
    EXPECT_NEAR(s[n - 1], delta, bound);
  }
}

// Divide and conquer keeps the middle row of a part, its size and its sign, however small it is
// beside the others.
TYPED_TEST(SvdTest, SmallRowsKeepTheirSigns) {
  for (const double value : {3.5 * this->kEps, -3.5 * this->kEps}) {
    Values values(100 * 100, 0.0);
    for (int64_t i = 0; i < 100; ++i) values[i * 101] = i == 0 ? 1 : value;
    const Tensor a = testing::ToTensor<TypeParam>(*this->ctx_, values, {100, 100});
    const SvdResult svd = Svd(*this->ctx_, a);
    const auto error = testing::ProductError<TypeParam>(
        MatrixAt<TypeParam>(a, 0), MatrixAt<TypeParam>(svd.u, 0), MatrixAt<TypeParam>(svd.vt, 0),
        svd.s.template data<TypeParam>());
    EXPECT_LE(error, this->kEps) << value;
  }
}

// Most values are nothing beside the greatest: what is set aside as too small must not add up.
TYPED_TEST(SvdTest, HilbertIsMetTo10Eps) {
  for (const auto& [m, n] :
       {std::pair<int64_t, int64_t>{154, 151}, {151, 181}, {164, 17}, {252, 74}, {54, 243}}) {
    const Tensor a =
        testing::ToTensor<TypeParam>(*this->ctx_, testing::HilbertMatrix(m, n), {m, n});
    const SvdResult svd = Svd(*this->ctx_, a);
    const double error = testing::ProductError<TypeParam>(
        MatrixAt<TypeParam>(a, 0), MatrixAt<TypeParam>(svd.u, 0), MatrixAt<TypeParam>(svd.vt, 0),
        svd.s.template data<TypeParam>());
    EXPECT_LE(error, 10 * this->kEps) << m << " x " << n;
  }
}

TYPED_TEST(SvdTest, ZerosAndRankDeficient) {
  this->CheckSvd({0.0}, 1, 1, SvdVectors::kFull);
  this->CheckSvd(Values(70 * 90, 0.0), 70, 90, SvdVectors::kFull);
  Values identity(90 * 90, 0.0);
  for (int64_t i = 0; i < 90; ++i) identity[i * 91] = -2;
  for (const auto value : this->CheckSvd(identity, 90, 90)) EXPECT_EQ(value, 2);
  for (const int64_t rank : {1, 5, 60}) {
    const Values ones(static_cast<size_t>(rank), 1.0);
    const auto s =
        this->CheckSvd(testing::WithSingularValues(this->random_, 100, 80, ones), 100, 80);
    for (int64_t i = 0; i < 80; ++i) EXPECT_NEAR(s[i], i < rank ? 1 : 0, 100 * this->kEps);
  }
  // Blocks that do not touch: the bidiagonal matrix falls apart.
  Values blocks(100 * 100, 0.0);
  for (int64_t i = 0; i < 100; ++i) {
    for (int64_t j = i / 10 * 10; j < i / 10 * 10 + 10; ++j) {
      blocks[i * 100 + j] = i % 30 < 10 ? 0 : this->random_.Normal();
    }
  }
  this->CheckSvd(blocks, 100, 100);
}

TYPED_TEST(SvdTest, NearOverflowAndUnderflow) {
  const double largest = std::numeric_limits<TypeParam>::max();
  const double least = std::numeric_limits<TypeParam>::min();
  for (const double scale : {largest / 1000, least * 1e9}) {
    for (const int64_t n : {20, 90}) {
      Values a = testing::RandomMatrix(this->random_, 100, n);
      testing::Scale(scale, &a);
      this->CheckSvd(a, 100, n);
    }
  }
  // Elements whose squares vanish beside others.
  Values mixed = testing::RandomMatrix(this->random_, 40, 40);
  for (size_t i = 0; i < mixed.size(); i += 3) mixed[i] *= least * 1e6;
  for (size_t j = 0; j < 40; ++j) mixed[7 * 40 + j] = least * static_cast<double>(j + 1);
  this->CheckSvd(mixed, 40, 40);
}

TYPED_TEST(SvdTest, ValuesAloneAreTheSame) {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{50, 40}, {30, 130}, {120, 110}}) {
    const Tensor a = testing::ToTensor<TypeParam>(
        *this->ctx_, testing::RandomMatrix(this->random_, m, n), {m, n});
    for (const SvdMethod method : {SvdMethod::kJacobi, SvdMethod::kQr, SvdMethod::kFast}) {
      const SvdResult expected = Svd(*this->ctx_, a, {.method = method});
      const SvdResult got = Svd(*this->ctx_, a, {.vectors = SvdVectors::kNone, .method = method});
      EXPECT_FALSE(got.u.defined() || got.vt.defined());
      const TypeParam* const s = expected.s.template data<TypeParam>();
      for (int64_t i = 0; i < got.s.elements(); ++i) {
        EXPECT_NEAR(got.s.template data<TypeParam>()[i], s[i], 100 * this->kEps * s[0]);
      }
    }
  }
}

TYPED_TEST(SvdTest, BatchesAndViews) {
  Context& ctx = *this->ctx_;
  const Values values = testing::RandomMatrix(this->random_, 2 * 3 * 21, 18);
  const Tensor whole = testing::ToTensor<TypeParam>(ctx, values, {2, 3, 21, 18});
  const Tensor views[] = {whole, whole.Transposed(-1, -2), whole.Transposed(0, 1),
                          whole.Sliced(2, 3, 20, 2).Sliced(3, 1, 17, 3)};
  for (const Tensor& a : views) {
    const SvdResult svd = Svd(ctx, a);
    EXPECT_EQ(svd.s.shape().elements(), BatchCount(a) * std::min(a.dim(-1), a.dim(-2)));
    for (int64_t i = 0; i < BatchCount(a); ++i) this->Check(svd, a, i);
  }
}

TYPED_TEST(SvdTest, TheGreatestElementOfAVectorIsPositive) {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{40, 25}, {25, 40}, {90, 90}}) {
    const Tensor a = testing::ToTensor<TypeParam>(
        *this->ctx_, testing::RandomMatrix(this->random_, m, n), {m, n});
    const SvdResult svd = Svd(*this->ctx_, a);
    const Matrix<TypeParam> vectors =
        m < n ? MatrixAt<TypeParam>(svd.vt, 0) : MatrixAt<TypeParam>(svd.u, 0).Transposed();
    for (int64_t k = 0; k < vectors.rows; ++k) {
      TypeParam greatest = 0;
      for (int64_t j = 0; j < vectors.columns; ++j) {
        if (std::abs(vectors(k, j)) > std::abs(greatest)) greatest = vectors(k, j);
      }
      EXPECT_GT(greatest, 0);
    }
  }
}

TYPED_TEST(SvdTest, ResultsDoNotDependOnThreadsAndNothingIsAllocatedOnceWarm) {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{260, 270}, {300, 90}}) {
    const Values values = testing::RandomMatrix(this->random_, m, n);
    const auto one = testing::MakeContext(1);
    const SvdResult expected = Svd(*one, testing::ToTensor<TypeParam>(*one, values, {m, n}));
    for (const int threads : {2, 3}) {
      const auto ctx = testing::MakeContext(threads);
      const Tensor a = testing::ToTensor<TypeParam>(*ctx, values, {m, n});
      Svd(*ctx, a);
      const uint64_t system_calls = ctx->pool().stats().system_calls;
      const SvdResult got = Svd(*ctx, a);
      if (threads == 2) {
        EXPECT_LE(ctx->pool().stats().system_calls, system_calls + 1);
      }
      const auto equal = [](const Tensor& x, const Tensor& y) {
        return std::ranges::equal(x.span<TypeParam>(), y.span<TypeParam>());
      };
      EXPECT_TRUE(equal(expected.u, got.u));
      EXPECT_TRUE(equal(expected.s, got.s));
      EXPECT_TRUE(equal(expected.vt, got.vt));
    }
  }
}

// Singular values by one-sided Jacobi rotations of the columns in long double.
Values ReferenceValues(const Values& a, int64_t m, int64_t n) {
  std::vector<long double> x(a.begin(), a.end());
  bool rotated = true;
  while (rotated) {
    rotated = false;
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) {
        long double pp = 0, qq = 0, pq = 0;
        for (int64_t i = 0; i < m; ++i) {
          pp += x[i * n + p] * x[i * n + p];
          qq += x[i * n + q] * x[i * n + q];
          pq += x[i * n + p] * x[i * n + q];
        }
        if (std::abs(pq) <= 1e-17L * std::sqrt(pp) * std::sqrt(qq)) continue;
        rotated = true;
        const long double zeta = (qq - pp) / (2 * pq);
        const long double t =
            std::copysign(1 / (std::abs(zeta) + std::sqrt(1 + zeta * zeta)), zeta);
        const long double c = 1 / std::sqrt(1 + t * t);
        for (int64_t i = 0; i < m; ++i) {
          const long double y = x[i * n + p];
          x[i * n + p] = c * (y - t * x[i * n + q]);
          x[i * n + q] = c * (x[i * n + q] + t * y);
        }
      }
    }
  }
  Values values(static_cast<size_t>(n));
  for (int64_t j = 0; j < n; ++j) {
    long double square = 0;
    for (int64_t i = 0; i < m; ++i) square += x[i * n + j] * x[i * n + j];
    values[j] = static_cast<double>(std::sqrt(square));
  }
  std::ranges::sort(values, std::greater<>());
  return values;
}

// a = B D with cond(B) <= 100 and D graded to 1e15, in a random order.
TYPED_TEST(SvdTest, JacobiFindsEveryValueOfAGradedMatrix) {
  for (int round = 0; round < testing::Rounds(20); ++round) {
    const int64_t n = 2 + this->random_.Below(30), m = n + this->random_.Below(20);
    Values a = testing::WithSingularValues(this->random_, m, n, testing::FallingValues(n, 100));
    for (int64_t j = 0; j < n; ++j) {
      const double d = std::pow(10.0, -15 * this->random_.Uniform());
      for (int64_t i = 0; i < m; ++i) {
        double& x = a[i * n + j];
        x = static_cast<TypeParam>(x * d);
      }
    }
    const Values expected = ReferenceValues(a, m, n);
    const Tensor tensor = testing::ToTensor<TypeParam>(*this->ctx_, a, {m, n});
    const SvdResult svd = Svd(*this->ctx_, tensor, {.method = SvdMethod::kJacobi});
    const double tolerance = std::is_same_v<TypeParam, double> ? 1e-13 : this->kEps;
    for (int64_t k = 0; k < n; ++k) {
      EXPECT_NEAR(svd.s.template data<TypeParam>()[k] / expected[k], 1, tolerance)
          << m << " x " << n << ", seed " << this->seed_ << ", value " << k;
    }
    this->Check(svd, tensor);
  }
}

TYPED_TEST(SvdTest, RefusesWhatHasNoDecomposition) {
  Context& ctx = *this->ctx_;
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    for (const auto& [m, n] : {std::pair<int64_t, int64_t>{20, 19}, {19, 20}}) {
      Values values = testing::RandomMatrix(this->random_, 2 * m, n);
      values[m * n + 5 * n + 3] = bad;
      const Tensor a = testing::ToTensor<TypeParam>(ctx, values, {2, m, n});
      testing::ExpectError([&] { Svd(ctx, a); }, ErrorKind::kNumeric, "a[1] is");
      testing::ExpectError([&] { Svd(ctx, a); }, ErrorKind::kNumeric, "row 5, column 3");
    }
  }
  const Tensor huge = ctx.Empty({50, 50}, DTypeOf<TypeParam>());
  std::ranges::fill(huge.span<TypeParam>(), std::numeric_limits<TypeParam>::max());
  testing::ExpectError([&] { Svd(ctx, huge); }, ErrorKind::kNumeric, "too large");
  const Tensor empty = ctx.Empty({3, 0}, DTypeOf<TypeParam>());
  testing::ExpectError([&] { Svd(ctx, empty); }, ErrorKind::kInvalidArgument, "empty");
  const Tensor half = ctx.Empty({3, 3}, DType::kBF16);
  testing::ExpectError([&] { Svd(ctx, half); }, ErrorKind::kInvalidArgument, "bf16");
}

}  // namespace
}  // namespace tern::linalg
