// SPDX-License-Identifier: MIT
// PivotedQr: a P = q r with orthonormal q, a falling diagonal of r, and the planted rank.
#include <gtest/gtest.h>

#include <random>

#include "tern/linalg/batch.h"
#include "tern/linalg/qr.h"
#include "tern/linalg/test_matrices.h"

namespace tern::linalg {
namespace {

using testing::Values;

template <typename T>
class PivotedQrTest : public ::testing::Test {
 protected:
  static constexpr double kEps = std::numeric_limits<T>::epsilon();

  // Returns the rank.
  int32_t Check(const Values& values, int64_t m, int64_t n, double tolerance = 0) {
    SCOPED_TRACE(::testing::Message() << m << " x " << n << ", seed " << seed_);
    const Tensor a = testing::ToTensor<T>(*ctx_, values, {m, n});
    const PivotedQrResult qr = PivotedQr(*ctx_, a, tolerance);
    const Tensor permuted = ctx_->Empty({m, n}, DTypeOf<T>());
    std::vector<bool> seen(static_cast<size_t>(n), false);
    for (int64_t j = 0; j < n; ++j) {
      const int32_t from = qr.permutation.template data<int32_t>()[j];
      EXPECT_FALSE(seen.at(static_cast<size_t>(from)));
      seen[static_cast<size_t>(from)] = true;
      for (int64_t i = 0; i < m; ++i) {
        permuted.template data<T>()[i * n + j] = a.template data<T>()[i * n + from];
      }
    }
    const Matrix<T> q = MatrixAt<T>(qr.q, 0), r = MatrixAt<T>(qr.r, 0);
    EXPECT_LE(testing::ProductError<T>(MatrixAt<T>(permuted, 0), q, r),
              10 * static_cast<double>(std::max(m, n)) * kEps);
    EXPECT_LE(testing::OrthogonalityError<T>(q),
              50 * kEps * std::sqrt(static_cast<double>(q.columns)));
    for (int64_t i = 0; i < r.rows; ++i) {
      EXPECT_GE(r(i, i), 0);
      if (i > 0) {
        EXPECT_LE(r(i, i), r(i - 1, i - 1) + 10 * static_cast<double>(m) * kEps * r(0, 0));
      }
      for (int64_t j = 0; j < i; ++j) EXPECT_EQ(r(i, j), 0);
    }
    return qr.rank.template data<int32_t>()[0];
  }

  const uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  const std::unique_ptr<Context> ctx_ = testing::MakeContext(2);
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(PivotedQrTest, Types);

// Singular values of about 1 down to a gap of 1e6 after the planted rank.
TYPED_TEST(PivotedQrTest, PlantedRank) {
  for (int round = 0; round < testing::Rounds(1000); ++round) {
    const auto [m, n] = testing::RandomShape(&this->random_, 50);
    const int64_t k = std::min(m, n);
    const int64_t rank = 1 + this->random_.Below(k);
    Values values(static_cast<size_t>(k));
    for (int64_t i = 0; i < k; ++i)
      values[i] = (1 + this->random_.Uniform()) * (i < rank ? 1 : 1e-6);
    Values a = testing::WithSingularValues(this->random_, m, n, values);
    EXPECT_EQ(this->Check(a, m, n, 1e-4), rank);
    if (this->HasFailure()) return;
  }
}

TYPED_TEST(PivotedQrTest, HardKinds) {
  const double digits = std::is_same_v<TypeParam, float> ? 6 : 15;
  this->Check(testing::HilbertMatrix(60, 50), 60, 50);
  this->Check(testing::LaeuchliMatrix(40, 1e-9), 41, 40);
  EXPECT_EQ(this->Check(Values(40 * 30, 0.0), 40, 30), 0);
  this->Check(testing::GradedMatrix(this->random_, 90, 80, digits, true), 90, 80);
  this->Check(testing::GradedMatrix(this->random_, 80, 90, digits, false), 80, 90);
  for (const double scale : {std::numeric_limits<TypeParam>::max() / 1000.0,
                             std::numeric_limits<TypeParam>::min() * 1e9}) {
    Values a = testing::RandomMatrix(this->random_, 30, 33);
    testing::Scale(scale, &a);
    EXPECT_EQ(this->Check(a, 30, 33), 30);
  }
}

TYPED_TEST(PivotedQrTest, RefusesATolerance) {
  const Tensor a = testing::ToTensor<TypeParam>(*this->ctx_, Values(4, 1.0), {2, 2});
  for (const double tolerance : {-1.0, 1.0, std::nan("")}) {
    testing::ExpectError([&] { PivotedQr(*this->ctx_, a, tolerance); }, ErrorKind::kInvalidArgument,
                         "tolerance");
  }
}

}  // namespace
}  // namespace tern::linalg
