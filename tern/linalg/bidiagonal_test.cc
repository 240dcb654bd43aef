// SPDX-License-Identifier: MIT
// The second phase of Svd: QR sweeps against what products and sums of singular values must be,
// divide and conquer against QR sweeps.
#include "tern/linalg/bidiagonal.h"

#include <gtest/gtest.h>

#include <random>

#include "tern/linalg/secular.h"
#include "tern/linalg/test_matrices.h"

namespace tern::linalg {
namespace {

using testing::Values;

template <typename T>
class BidiagonalTest : public ::testing::Test {
 protected:
  static constexpr double kEps = std::numeric_limits<T>::epsilon();

  struct Result {
    std::vector<T> values;
    double error;  // of B = ut^T diag(d) vt
    double orthogonality;
    double length;  // of the row of ut or vt that is farthest from 1, what it is off
  };

  Result Run(std::vector<T> d, std::vector<T> e, bool divide) const {
    const int64_t n = static_cast<int64_t>(d.size());
    std::vector<T> b_values(static_cast<size_t>(n * n), T(0));
    const Matrix<T> b = {b_values.data(), n, n, n, 1};
    for (int64_t i = 0; i < n; ++i) {
      b(i, i) = d[i];
      if (i + 1 < n) b(i, i + 1) = e[i];
    }
    const WorkMatrix<T> ut(env_.pool, n, n), vt(env_.pool, n, n);
    if (divide) {
      BidiagonalDivideAndConquer<T>(env_, {d.data(), e.data(), n}, ut.view(), vt.view());
    } else {
      ut.FillZero(), vt.FillZero();
      for (int64_t i = 0; i < n; ++i) ut.view()(i, i) = vt.view()(i, i) = 1;
      BidiagonalQr<T>(env_, {d.data(), e.data(), n}, ut.padded(), vt.padded());
    }
    std::vector<T> us(static_cast<size_t>(n * n));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t k = 0; k < n; ++k) us[i * n + k] = ut.view()(k, i) * d[k];
    }
    const double error = testing::ProductError<T>(b, Matrix<T>{us.data(), n, n, n, 1}, vt.view());
    const double orthogonality = std::max(testing::OrthogonalityError<T>(ut.view().Transposed()),
                                          testing::OrthogonalityError<T>(vt.view().Transposed()));
    double length = 0;
    for (const Matrix<T>& rows : {ut.view(), vt.view()}) {
      for (int64_t i = 0; i < n; ++i) {
        testing::Wide<T> square = 0;
        for (int64_t j = 0; j < n; ++j) {
          square += static_cast<testing::Wide<T>>(rows(i, j)) * rows(i, j);
        }
        length = std::max(length, std::abs(static_cast<double>(std::sqrt(square) - 1)));
      }
    }
    std::ranges::sort(d, std::greater<>());
    return {d, error, orthogonality, length};
  }

  std::vector<T> Normal(int64_t n) {
    std::vector<T> values(static_cast<size_t>(n));
    for (T& x : values) x = static_cast<T>(random_.Normal());
    return values;
  }

  const uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  const std::unique_ptr<Context> ctx_ = testing::MakeContext(2);
  const Tensor any_ = ctx_->Empty({1, 1}, DTypeOf<T>());
  const Env env_ = EnvOf(*ctx_, {"test", "a", any_});
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(BidiagonalTest, Types);

// The product of the values is that of the diagonal: an error in a tiny one would show.
TYPED_TEST(BidiagonalTest, SweepsKeepTheRelativeAccuracyOfSmallValues) {
  using T = TypeParam;
  SCOPED_TRACE(::testing::Message() << "seed " << this->seed_);
  for (int round = 0; round < testing::Rounds(20); ++round) {
    const int64_t n = 1 + this->random_.Below(90);
    std::vector<T> d = this->Normal(n), e = this->Normal(n);
    if (round % 2 == 1) {
      for (int64_t i = 0; i < n; ++i) {
        const T factor = static_cast<T>(std::pow(10.0, -12 * this->random_.Uniform()));
        d[i] *= factor, e[i] *= factor;
      }
    }
    const auto got = this->Run(d, e, false);
    EXPECT_LE(got.error, 10 * static_cast<double>(n) * this->kEps);
    EXPECT_LE(got.orthogonality, 50 * this->kEps * std::sqrt(static_cast<double>(n)));
    double expected = 0, sum = 0;
    for (const T x : d) expected += std::log(std::abs(static_cast<double>(x)));
    for (const T x : got.values) sum += std::log(static_cast<double>(x));
    // Each value is within a few n eps (Demmel and Kahan, theorem 4).
    EXPECT_NEAR(expected, sum, 10 * static_cast<double>(n * n) * this->kEps) << n;
  }
}

TYPED_TEST(BidiagonalTest, VectorsKeepTheirLength) {
  SCOPED_TRACE(::testing::Message() << "seed " << this->seed_);
  for (int round = 0; round < testing::Rounds(20); ++round) {
    const int64_t n = 30 + this->random_.Below(40);
    const auto d = this->Normal(n), e = this->Normal(n);
    EXPECT_LE(this->Run(d, e, false).length, 2 * this->kEps) << n;
  }
}

TYPED_TEST(BidiagonalTest, DivideAndConquerAgreesWithSweeps) {
  using T = TypeParam;
  SCOPED_TRACE(::testing::Message() << "seed " << this->seed_);
  for (int round = 0; round < testing::Rounds(40); ++round) {
    const int64_t n = 33 + this->random_.Below(170);
    std::vector<T> d = this->Normal(n), e = this->Normal(n);
    for (int64_t i = 0; i < n; ++i) {
      switch (round % 6) {
        case 1:  // clusters
          d[i] = 1, e[i] *= T(1e-5);
          break;
        case 2:  // one value, many times
          d[i] = 1, e[i] = 1;
          break;
        case 3:  // it falls apart, also at nodes of the tree
          if (this->random_.Below(3) == 0) e[i] = 0;
          if (this->random_.Below(5) == 0) d[i] = 0;
          break;
        case 4:  // graded beyond what squares can hold
          d[i] *= std::pow(T(0.7), static_cast<T>(i)), e[i] *= std::pow(T(0.7), static_cast<T>(i));
          break;
        case 5:
          d[i] = e[i] = i % 64 == 63 ? T(1) : T(0);
          break;
        default:
          break;
      }
    }
    SCOPED_TRACE(::testing::Message() << "round " << round << ", n " << n);
    const auto expected = this->Run(d, e, false), got = this->Run(d, e, true);
    EXPECT_LE(got.error, 2 * static_cast<double>(n) * this->kEps);
    EXPECT_LE(got.orthogonality, 50 * this->kEps * std::sqrt(static_cast<double>(n)));
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_NEAR(expected.values[i], got.values[i],
                  4 * static_cast<double>(n) * this->kEps * expected.values[0]);
    }
  }
}

// Roots and poles interlace, and the squares of the roots sum to those of the matrix.
TYPED_TEST(BidiagonalTest, SecularRootsInterlace) {
  using T = TypeParam;
  SCOPED_TRACE(::testing::Message() << "seed " << this->seed_);
  for (int64_t count : {1, 2, 3, 16, 61}) {
    constexpr int64_t kPadded = 64;
    std::vector<T> d(kPadded, T(100)), squares(kPadded, T(0));
    double sum = 0;
    for (int64_t j = 0; j < count; ++j) {
      const T gap = static_cast<T>(std::pow(10.0, -4 * this->random_.Uniform()));
      d[j] = j == 0 ? T(0) : d[j - 1] + gap;
      squares[j] = static_cast<T>(std::pow(10.0, -8 * this->random_.Uniform()));
      sum += static_cast<double>(squares[j]) + static_cast<double>(d[j]) * d[j];
    }
    double roots = 0;
    for (int64_t j = 0; j < count; ++j) {
      const SecularRoot<T> root = SolveSecular<T>(SvdKernelsOf<T>(this->env_),
                                                  {d.data(), squares.data(), kPadded}, count, j);
      const double value = static_cast<double>(root.origin) + static_cast<double>(root.offset);
      EXPECT_GT(value, d[j]);
      if (j + 1 < count) {
        EXPECT_LT(value, d[j + 1]);
      }
      roots += value * value;
    }
    EXPECT_NEAR(sum, roots, 16 * static_cast<double>(count) * this->kEps * sum);
  }
}

}  // namespace
}  // namespace tern::linalg
