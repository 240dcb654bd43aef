// SPDX-License-Identifier: MIT
// What the mathematics says of Qr, over random and graded matrices of many shapes and over kinds
// that are hard: q^T q = I, q r = a, r upper triangular with a diagonal that is not negative.
#include "tern/linalg/qr.h"

#include <gtest/gtest.h>

#include <random>

#include "tern/base/error.h"
#include "tern/linalg/batch.h"
#include "tern/linalg/test_matrices.h"

namespace tern::linalg {
namespace {

using testing::Values;

template <typename T>
class QrTest : public ::testing::Test {
 protected:
  static constexpr double kEps = std::numeric_limits<T>::epsilon();

  Tensor Make(const Values& values, int64_t m, int64_t n) const {
    return testing::ToTensor<T>(*ctx_, values, {m, n});
  }

  // Returns the rank.
  static int32_t Check(const QrResult& qr, const Tensor& a, int64_t index = 0) {
    const int64_t m = a.dim(-2), n = a.dim(-1);
    const Matrix<T> q = MatrixAt<T>(qr.q, index), r = MatrixAt<T>(qr.r, index);
    EXPECT_LE(testing::ProductError<T>(MatrixAt<T>(a, index), q, r),
              10 * static_cast<double>(std::max(m, n)) * kEps);
    EXPECT_LE(testing::OrthogonalityError<T>(q),
              50 * kEps * std::sqrt(static_cast<double>(q.columns)));
    for (int64_t i = 0; i < r.rows; ++i) {
      EXPECT_GE(r(i, i), 0);
      for (int64_t j = 0; j < i; ++j) EXPECT_EQ(r(i, j), 0);
    }
    return qr.rank.data<int32_t>()[index];
  }
  int32_t CheckQr(const Values& values, int64_t m, int64_t n) {
    SCOPED_TRACE(::testing::Message() << m << " x " << n << ", seed " << seed_);
    const Tensor a = Make(values, m, n);
    return Check(Qr(*ctx_, a), a);
  }

  const uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  const std::unique_ptr<Context> ctx_ = testing::MakeContext(2);
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(QrTest, Types);

TYPED_TEST(QrTest, RandomAndGraded) {
  const double digits = std::is_same_v<TypeParam, float> ? 6 : 15;
  for (int round = 0; round < testing::Rounds(200); ++round) {
    const auto [m, n] = testing::RandomShape(&this->random_);
    Values a = round % 2 == 0 ? testing::RandomMatrix(this->random_, m, n)
                              : testing::GradedMatrix(this->random_, m, n, digits, round % 4 == 1);
    const int32_t rank = this->CheckQr(a, m, n);
    // A random square matrix may have a last column of which nearly nothing is left.
    if (round % 4 != 1 && m >= n + 3) {
      EXPECT_EQ(rank, std::min(m, n)) << m << " x " << n << ", seed " << this->seed_;
    }
    if (this->HasFailure()) return;
  }
}

TYPED_TEST(QrTest, LargeCondition) {
  const double condition = std::is_same_v<TypeParam, float> ? 1e6 : 1e15;
  for (int round = 0; round < testing::Rounds(20); ++round) {
    const int64_t n = 2 + this->random_.Below(100), m = n + this->random_.Below(60);
    Values values = testing::FallingValues(n, condition);
    if (round % 3 == 0) std::fill(values.begin() + 1, values.end(), 1 / condition);
    if (round % 3 == 1) std::fill(values.begin(), values.end() - 1, 1.0);
    this->CheckQr(testing::WithSingularValues(this->random_, m, n, values), m, n);
  }
}

TYPED_TEST(QrTest, Hilbert) {
  for (const int64_t n : {2, 5, 12, 40, 100}) this->CheckQr(testing::HilbertMatrix(n, n), n, n);
}

TYPED_TEST(QrTest, Laeuchli) {
  for (const int64_t n : {2, 9, 70}) {
    for (const double delta : {1e-3, 1e-9, 1e-20}) {
      this->CheckQr(testing::LaeuchliMatrix(n, delta), n + 1, n);
    }
  }
}

// Columns that share so much that each loses a few bits, and all lose them in the same direction.
TYPED_TEST(QrTest, LossesThatAddUp) {
  for (int round = 0; round < testing::Rounds(400); ++round) {
    const int64_t n = 20 + this->random_.Below(11), m = n + 1 + this->random_.Below(20);
    const double delta = 0.15 + 0.1 * this->random_.Uniform();
    Values a = testing::RandomOrthonormal(this->random_, m, n);
    for (double& x : a) x = 1 / std::sqrt(static_cast<double>(m)) + delta * x;
    this->CheckQr(a, m, n);
    if (this->HasFailure()) return;
  }
  for (int round = 0; round < testing::Rounds(20); ++round) {
    const int64_t n = 67 + this->random_.Below(80);
    const double delta = 0.14 + 0.18 * this->random_.Uniform();
    this->CheckQr(testing::LaeuchliMatrix(n, delta), n + 1, n);
  }
}

// What q has lost of orthogonality must not show in the columns of r behind it.
TYPED_TEST(QrTest, WideMatricesAreMetToAFewEps) {
  for (int round = 0; round < testing::Rounds(400); ++round) {
    const int64_t m = 2 + this->random_.Below(20), n = m + 1 + this->random_.Below(40);
    const Tensor a = this->Make(testing::RandomMatrix(this->random_, m, n), m, n);
    const QrResult qr = Qr(*this->ctx_, a);
    const double error = testing::ProductError<TypeParam>(
        MatrixAt<TypeParam>(a, 0), MatrixAt<TypeParam>(qr.q, 0), MatrixAt<TypeParam>(qr.r, 0));
    ASSERT_LE(error, 4 * this->kEps) << m << " x " << n << ", seed " << this->seed_;
  }
}

TYPED_TEST(QrTest, DependentColumnsAreCountedAndQIsOrthonormal) {
  for (int round = 0; round < testing::Rounds(20); ++round) {
    const int64_t n = 2 + this->random_.Below(120), m = n + this->random_.Below(60);
    const int64_t rank = 1 + this->random_.Below(n - 1);
    // Columns from `rank` on are small combinations of whole numbers of the ones before: no
    // rounding hides that they depend.
    Values a(static_cast<size_t>(m * n));
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        a[i * n + j] = j < rank ? static_cast<double>(this->random_.Below(2001)) - 1000
                                : a[i * n + j % rank] - a[i * n + (j * 7) % rank] / 2;
      }
    }
    EXPECT_EQ(this->CheckQr(a, m, n), rank) << m << " x " << n << ", seed " << this->seed_;
  }
}

TYPED_TEST(QrTest, Zeros) {
  EXPECT_EQ(this->CheckQr(Values(70 * 50, 0.0), 70, 50), 0);
  EXPECT_EQ(this->CheckQr(Values(50 * 70, 0.0), 50, 70), 0);
  // A block of the algorithm may have one column.
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{1, 1}, {1, 5}, {5, 1}, {40, 33}}) {
    EXPECT_EQ(this->CheckQr(Values(static_cast<size_t>(m * n), 0.0), m, n), 0);
  }
  Values a = testing::RandomMatrix(this->random_, 50, 40);
  for (int64_t i = 0; i < 50; ++i) a[i * 40 + 17] = 0;
  EXPECT_EQ(this->CheckQr(a, 50, 40), 39);
}

TYPED_TEST(QrTest, NearOverflowAndUnderflow) {
  const double largest = std::numeric_limits<TypeParam>::max();
  const double least = std::numeric_limits<TypeParam>::min();
  for (const double scale : {largest / 1000, least * 1e9}) {
    Values a = testing::RandomMatrix(this->random_, 60, 45);
    testing::Scale(scale, &a);
    EXPECT_EQ(this->CheckQr(a, 60, 45), 45);
  }
}

TYPED_TEST(QrTest, BatchesAndViews) {
  Context& ctx = *this->ctx_;
  const Values values = testing::RandomMatrix(this->random_, 2 * 3 * 21, 18);
  const Tensor whole = testing::ToTensor<TypeParam>(ctx, values, {2, 3, 21, 18});
  const Tensor views[] = {whole, whole.Transposed(-1, -2), whole.Transposed(0, 1),
                          whole.Sliced(2, 3, 20, 2).Sliced(3, 1, 17, 3)};
  for (const Tensor& a : views) {
    const QrResult qr = Qr(ctx, a);
    EXPECT_EQ(qr.rank.shape(), LeadingShape(a));
    for (int64_t i = 0; i < BatchCount(a); ++i) {
      EXPECT_EQ(this->Check(qr, a, i), std::min(a.dim(-1), a.dim(-2)));
    }
  }
}

TYPED_TEST(QrTest, ResultsDoNotDependOnThreads) {
  const Values values = testing::RandomMatrix(this->random_, 310, 290);
  const auto one = testing::MakeContext(1);
  const Tensor a = testing::ToTensor<TypeParam>(*one, values, {310, 290});
  const QrResult expected = Qr(*one, a);
  const QrResult got = Qr(*this->ctx_, this->Make(values, 310, 290));
  EXPECT_TRUE(
      std::ranges::equal(expected.q.template span<TypeParam>(), got.q.template span<TypeParam>()));
  EXPECT_TRUE(
      std::ranges::equal(expected.r.template span<TypeParam>(), got.r.template span<TypeParam>()));
}

// Columns that depend on others are replaced by random ones: the same whatever is in the batch, and
// whoever computes it.
TYPED_TEST(QrTest, DependentColumnsOfABatchDoNotDependOnThreads) {
  using T = TypeParam;
  Values values = testing::RandomMatrix(this->random_, 5 * 20, 12);
  for (size_t i = 0; i < values.size(); i += 12) {
    values[i + 7] = values[i + 3] = values[i];
    values[i + 9] = 0;
  }
  const auto run = [&](int threads, int64_t begin, int64_t end) {
    const auto ctx = testing::MakeContext(threads);
    const Tensor a = testing::ToTensor<T>(*ctx, values, {5, 20, 12}).Sliced(0, begin, end);
    std::vector<T> results;
    for (const Tensor& q : {Qr(*ctx, a).q, PivotedQr(*ctx, a).q}) {
      results.insert(results.end(), q.span<T>().begin(), q.span<T>().end());
    }
    return results;
  };
  EXPECT_EQ(run(1, 0, 5), run(2, 0, 5)) << "seed " << this->seed_;
  std::vector<T> last = run(1, 4, 5), all = run(1, 0, 5);
  const auto part = static_cast<int64_t>(last.size() / 2);
  EXPECT_TRUE(std::equal(last.begin() + part, last.end(), all.end() - part));
  EXPECT_TRUE(std::equal(last.begin(), last.begin() + part, all.begin() + 4 * part));
}

TYPED_TEST(QrTest, RefusesWhatHasNoDecomposition) {
  Context& ctx = *this->ctx_;
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Values values = testing::RandomMatrix(this->random_, 2 * 20, 19);
    values[20 * 19 + 5 * 19 + 3] = bad;
    const Tensor a = testing::ToTensor<TypeParam>(ctx, values, {2, 20, 19});
    testing::ExpectError([&] { Qr(ctx, a); }, ErrorKind::kNumeric, "a[1] is");
    testing::ExpectError([&] { Qr(ctx, a); }, ErrorKind::kNumeric, "row 5, column 3");
  }
  const Tensor huge = ctx.Empty({50, 50}, DTypeOf<TypeParam>());
  std::ranges::fill(huge.span<TypeParam>(), std::numeric_limits<TypeParam>::max());
  testing::ExpectError([&] { Qr(ctx, huge); }, ErrorKind::kNumeric, "too large");
  testing::ExpectError(
      [&] {
        Qr(ctx, ctx.Empty({3, 0}, DTypeOf<TypeParam>()));
      },
      ErrorKind::kInvalidArgument, "empty");
  testing::ExpectError([&] { Qr(ctx, ctx.Empty({3}, DTypeOf<TypeParam>())); },
                       ErrorKind::kInvalidArgument, "two axes");
  testing::ExpectError(
      [&] {
        Qr(ctx, ctx.Empty({3, 3}, DType::kBF16));
      },
      ErrorKind::kInvalidArgument, "bf16");
}

}  // namespace
}  // namespace tern::linalg
