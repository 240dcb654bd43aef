// SPDX-License-Identifier: MIT
// What the mathematics says of Cholesky: l l^T = a with a lower triangular l, over random and
// graded matrices; matrices that are not positive definite are refused by the order of their
// leading minor.
#include "tern/linalg/cholesky.h"

#include <gtest/gtest.h>

#include <random>

#include "tern/linalg/batch.h"
#include "tern/linalg/test_matrices.h"

namespace tern::linalg {
namespace {

using testing::Values;

template <typename T>
class CholeskyTest : public ::testing::Test {
 protected:
  static constexpr double kEps = std::numeric_limits<T>::epsilon();

  void CheckCholesky(const Values& values, int64_t n) {
    SCOPED_TRACE(::testing::Message() << n << " x " << n << ", seed " << seed_);
    const Tensor a = testing::ToTensor<T>(*ctx_, values, {n, n});
    Check(Cholesky(*ctx_, a), a, 0);
  }
  static void Check(const Tensor& factor, const Tensor& a, int64_t index) {
    const Matrix<T> l = MatrixAt<T>(factor, index);
    EXPECT_LE(testing::ProductError<T>(MatrixAt<T>(a, index), l, l.Transposed()),
              10 * static_cast<double>(l.rows) * kEps);
    for (int64_t i = 0; i < l.rows; ++i) {
      EXPECT_GT(l(i, i), 0);
      for (int64_t j = i + 1; j < l.rows; ++j) EXPECT_EQ(l(i, j), 0);
    }
  }

  const uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  const std::unique_ptr<Context> ctx_ = testing::MakeContext(2);
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(CholeskyTest, Types);

// Scales row and column i by 10^(-digits i / n): still positive definite.
void Grade(int64_t n, double digits, Values* a) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      (*a)[i * n + j] *=
          std::pow(10.0, -digits * static_cast<double>(i + j) / static_cast<double>(n));
    }
  }
}

TYPED_TEST(CholeskyTest, RandomAndGraded) {
  const double digits = std::is_same_v<TypeParam, float> ? 6 : 15;
  for (int round = 0; round < testing::Rounds(200); ++round) {
    const int64_t n = testing::RandomShape(&this->random_).first;
    Values a = testing::PositiveDefinite(this->random_, n, 0.01);
    if (round % 2 == 1) Grade(n, digits, &a);
    this->CheckCholesky(a, n);
    if (this->HasFailure()) return;
  }
}

TYPED_TEST(CholeskyTest, HardKinds) {
  // Hilbert's, as far as rounding leaves it positive definite.
  this->CheckCholesky(testing::HilbertMatrix(6, 6), 6);
  Values identity(70 * 70, 0.0);
  for (int64_t i = 0; i < 70; ++i) identity[i * 71] = 1;
  this->CheckCholesky(identity, 70);
  for (const double scale : {std::numeric_limits<TypeParam>::max() / 1000.0,
                             std::numeric_limits<TypeParam>::min() * 1e9}) {
    Values a = testing::PositiveDefinite(this->random_, 75, 0.1);
    testing::Scale(scale, &a);
    this->CheckCholesky(a, 75);
  }
}

TYPED_TEST(CholeskyTest, NamesTheFailingMinor) {
  for (int round = 0; round < testing::Rounds(1000); ++round) {
    const int64_t n = testing::RandomShape(&this->random_, 50).first;
    const int64_t order = 1 + this->random_.Below(n);
    Values a = testing::PositiveDefinite(this->random_, n, 0.1);
    // One less than the Schur complement of this element leaves a pivot below zero: the diagonal is
    // positive, the complement at most the element.
    a[(order - 1) * n + order - 1] = -this->random_.Uniform() - 0.01;
    const Tensor t = testing::ToTensor<TypeParam>(*this->ctx_, a, {n, n});
    testing::ExpectError([&] { Cholesky(*this->ctx_, t); }, ErrorKind::kInvalidArgument,
                         "leading minor of order " + std::to_string(order) + " is not");
    if (this->HasFailure()) return;
  }
}

TYPED_TEST(CholeskyTest, BatchesAndViews) {
  Context& ctx = *this->ctx_;
  constexpr int64_t kN = 37;
  Values values;
  for (int i = 0; i < 6; ++i) {
    const Values a = testing::PositiveDefinite(this->random_, kN, 0.1);
    values.insert(values.end(), a.begin(), a.end());
  }
  const Tensor whole = testing::ToTensor<TypeParam>(ctx, values, {2, 3, kN, kN});
  const Tensor views[] = {whole, whole.Transposed(-1, -2), whole.Transposed(0, 1),
                          whole.Sliced(2, 1, kN, 3).Sliced(3, 1, kN, 3)};
  for (const Tensor& a : views) {
    const Tensor l = Cholesky(ctx, a);
    for (int64_t i = 0; i < BatchCount(a); ++i) this->Check(l, a, i);
  }
}

TYPED_TEST(CholeskyTest, ResultsDoNotDependOnThreads) {
  const Values values = testing::PositiveDefinite(this->random_, 290, 0.1);
  const auto one = testing::MakeContext(1);
  const Tensor expected = Cholesky(*one, testing::ToTensor<TypeParam>(*one, values, {290, 290}));
  const Tensor got =
      Cholesky(*this->ctx_, testing::ToTensor<TypeParam>(*this->ctx_, values, {290, 290}));
  EXPECT_TRUE(std::ranges::equal(expected.span<TypeParam>(), got.span<TypeParam>()));
}

TYPED_TEST(CholeskyTest, Inverse) {
  for (const int64_t n : {1, 5, 64, 131}) {
    SCOPED_TRACE(::testing::Message() << "n " << n << ", seed " << this->seed_);
    const Tensor a = testing::ToTensor<TypeParam>(
        *this->ctx_, testing::PositiveDefinite(this->random_, n, 1), {n, n});
    const Tensor inverse = CholeskyInverse(*this->ctx_, Cholesky(*this->ctx_, a));
    const Matrix<TypeParam> x = MatrixAt<TypeParam>(inverse, 0);
    Values identity(static_cast<size_t>(n * n), 0.0);
    for (int64_t i = 0; i < n; ++i) {
      identity[i * (n + 1)] = 1;
      for (int64_t j = 0; j < i; ++j) EXPECT_EQ(x(i, j), x(j, i));
    }
    const Tensor one = testing::ToTensor<TypeParam>(*this->ctx_, identity, {n, n});
    // Eigenvalues lie between 1 and 5: the condition is at most 5, and |I| = sqrt(n).
    EXPECT_LE(
        testing::ProductError<TypeParam>(MatrixAt<TypeParam>(one, 0), MatrixAt<TypeParam>(a, 0), x),
        50 * static_cast<double>(n) * this->kEps);
  }
}

TYPED_TEST(CholeskyTest, SolvesByTheFactor) {
  for (const int64_t n : {1, 17, 64, 150}) {
    const Tensor a = testing::ToTensor<TypeParam>(
        *this->ctx_, testing::PositiveDefinite(this->random_, n, 1), {n, n});
    const Tensor b = testing::ToTensor<TypeParam>(
        *this->ctx_, testing::RandomMatrix(this->random_, n, 3), {n, 3});
    const Tensor x = CholeskySolve(*this->ctx_, Cholesky(*this->ctx_, a), b);
    EXPECT_LE(testing::ProductError<TypeParam>(MatrixAt<TypeParam>(b, 0), MatrixAt<TypeParam>(a, 0),
                                               MatrixAt<TypeParam>(x, 0)),
              50 * static_cast<double>(n) * this->kEps);
  }
}

TYPED_TEST(CholeskyTest, RefusesWhatHasNoFactor) {
  Context& ctx = *this->ctx_;
  const auto refuse = [&](const Values& values, const Shape& shape, ErrorKind kind,
                          std::string_view part) {
    const Tensor a = testing::ToTensor<TypeParam>(ctx, values, shape);
    testing::ExpectError([&] { Cholesky(ctx, a); }, kind, part);
  };
  Values a = testing::PositiveDefinite(this->random_, 40, 0.1);
  Values bad = a;
  bad[7 * 40 + 5] = std::nan("");
  refuse(bad, {40, 40}, ErrorKind::kNumeric, "row 7, column 5");
  bad = a;
  bad[7 * 40 + 5] += 0.01;
  refuse(bad, {40, 40}, ErrorKind::kInvalidArgument, "not symmetric");
  bad = a;
  bad.insert(bad.begin(), a.begin(), a.end());
  bad[40 * 40] = -1;
  refuse(bad, {2, 40, 40}, ErrorKind::kInvalidArgument, "a[1] is not positive definite");
  refuse(a, {20, 80}, ErrorKind::kInvalidArgument, "not square");
  refuse(Values(16, 0.0), {4, 4}, ErrorKind::kInvalidArgument, "order 1 is not");
}

}  // namespace
}  // namespace tern::linalg
