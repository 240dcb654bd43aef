// SPDX-License-Identifier: MIT
#include "tern/linalg/solve.h"

#include <gtest/gtest.h>

#include <random>

#include "tern/linalg/batch.h"
#include "tern/linalg/test_matrices.h"

namespace tern::linalg {
namespace {

using testing::Values;

template <typename T>
class SolveTest : public ::testing::Test {
 protected:
  static constexpr double kEps = std::numeric_limits<T>::epsilon();

  Tensor Make(const Values& values, const Shape& shape) const {
    return testing::ToTensor<T>(*ctx_, values, shape);
  }
  // ||b - a x|| / (||a|| ||x|| + ||b||), the normwise backward error (Rigal and Gaches).
  static double BackwardError(Matrix<T> a, Matrix<T> x, Matrix<T> b) {
    double residual = 0, a_square = 0, x_square = 0, b_square = 0;
    for (int64_t i = 0; i < a.rows; ++i) {
      for (int64_t j = 0; j < b.columns; ++j) {
        testing::Wide<T> sum = b(i, j);
        for (int64_t k = 0; k < a.columns; ++k) sum -= testing::Wide<T>(a(i, k)) * x(k, j);
        residual += static_cast<double>(sum * sum);
        b_square += double(b(i, j)) * b(i, j);
      }
      for (int64_t k = 0; k < a.columns; ++k) a_square += double(a(i, k)) * a(i, k);
    }
    for (int64_t k = 0; k < x.rows; ++k) {
      for (int64_t j = 0; j < x.columns; ++j) x_square += double(x(k, j)) * x(k, j);
    }
    return std::sqrt(residual) / (std::sqrt(a_square) * std::sqrt(x_square) + std::sqrt(b_square));
  }

  const uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  const std::unique_ptr<Context> ctx_ = testing::MakeContext(2);
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SolveTest, Types);

TYPED_TEST(SolveTest, Triangles) {
  for (int round = 0; round < testing::Rounds(200); ++round) {
    const auto [n, columns] = testing::RandomShape(&this->random_, 150);
    const TriangleOptions options = {(round & 1) != 0, (round & 2) != 0, (round & 4) != 0};
    SCOPED_TRACE(::testing::Message() << n << ", " << columns << " columns, options " << (round & 7)
                                      << ", seed " << this->seed_);
    // The other triangle holds ones that must not be read.
    Values values = testing::RandomMatrix(this->random_, n, n), clean(values.size(), 0.0);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double& x = values[i * n + j];
        if (i == j) {
          x += x > 0 ? 2 : -2;
          clean[i * n + j] = options.unit_diagonal ? 1 : x;
        } else if ((j > i) == options.upper) {
          clean[i * n + j] = x /= std::sqrt(static_cast<double>(n));
        } else {
          x = 1;
        }
      }
    }
    const Tensor t = this->Make(values, {n, n});
    const Tensor b = this->Make(testing::RandomMatrix(this->random_, n, columns), {n, columns});
    const Tensor x = SolveTriangular(*this->ctx_, t, b, options);
    Tensor used = this->Make(clean, {n, n});
    if (options.transposed) used = used.Transposed(0, 1);
    EXPECT_LE(this->BackwardError(MatrixAt<TypeParam>(used, 0), MatrixAt<TypeParam>(x, 0),
                                  MatrixAt<TypeParam>(b, 0)),
              10 * static_cast<double>(n) * this->kEps);
    if (this->HasFailure()) return;
  }
}

TYPED_TEST(SolveTest, SquareSystems) {
  for (int round = 0; round < testing::Rounds(200); ++round) {
    const auto [n, columns] = testing::RandomShape(&this->random_, 150);
    SCOPED_TRACE(::testing::Message() << n << ", " << columns << " columns, seed " << this->seed_);
    Values values = testing::RandomMatrix(this->random_, n, n);
    for (int64_t i = 0; i < n; ++i) values[i * (n + 1)] += 3 * std::sqrt(static_cast<double>(n));
    const Tensor a = this->Make(values, {n, n});
    const Tensor b = this->Make(testing::RandomMatrix(this->random_, n, columns), {n, columns});
    const Tensor x = Solve(*this->ctx_, a, b);
    EXPECT_LE(this->BackwardError(MatrixAt<TypeParam>(a, 0), MatrixAt<TypeParam>(x, 0),
                                  MatrixAt<TypeParam>(b, 0)),
              10 * static_cast<double>(n) * this->kEps);
    if (this->HasFailure()) return;
  }
}

// b = a x + r with r orthogonal to a's columns and x in the span of a's rows: x is the answer.
TYPED_TEST(SolveTest, LeastSquaresOfAnyRank) {
  for (int round = 0; round < testing::Rounds(100); ++round) {
    const int64_t m = 1 + this->random_.Below(70), n = 1 + this->random_.Below(70);
    const int64_t rank = 1 + this->random_.Below(std::min(m, n)), columns = 1 + round % 3;
    SCOPED_TRACE(::testing::Message()
                 << m << " x " << n << ", rank " << rank << ", seed " << this->seed_);
    const Values q = testing::RandomOrthonormal(this->random_, m, m);
    const Values v = testing::RandomOrthonormal(this->random_, n, rank);
    Values a(static_cast<size_t>(m * n), 0.0), x(static_cast<size_t>(n * columns), 0.0);
    Values b(static_cast<size_t>(m * columns), 0.0);
    for (int64_t k = 0; k < rank; ++k) {
      const double value = 1 + this->random_.Uniform();
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) a[i * n + j] += q[i * m + k] * value * v[j * rank + k];
      }
      for (int64_t c = 0; c < columns; ++c) {
        const double weight = this->random_.Normal();
        for (int64_t j = 0; j < n; ++j) x[j * columns + c] += weight * v[j * rank + k];
        for (int64_t i = 0; i < m; ++i) b[i * columns + c] += weight * value * q[i * m + k];
      }
    }
    for (int64_t k = rank; k < m; ++k) {
      for (int64_t c = 0; c < columns; ++c) {
        const double weight = this->random_.Normal() / static_cast<double>(m);
        for (int64_t i = 0; i < m; ++i) b[i * columns + c] += weight * q[i * m + k];
      }
    }
    const LstsqResult got =
        Lstsq(*this->ctx_, this->Make(a, {m, n}), this->Make(b, {m, columns}), 1e-4);
    EXPECT_EQ(got.rank.template item<int32_t>(), rank);
    // The condition is at most 2, the residual no larger than the solution: 100 n eps bound both.
    double difference = 0, size = 0;
    for (int64_t i = 0; i < n * columns; ++i) {
      difference += std::pow(got.x.template data<TypeParam>()[i] - x[i], 2);
      size += x[i] * x[i];
    }
    EXPECT_LE(std::sqrt(difference),
              100 * static_cast<double>(std::max(m, n)) * this->kEps * std::sqrt(size + 1));
    if (this->HasFailure()) return;
  }
}

TYPED_TEST(SolveTest, ZerosHaveTheLeastSolutionZero) {
  const Tensor a = this->Make(Values(12, 0.0), {4, 3}), b = this->Make(Values(8, 1.0), {4, 2});
  const LstsqResult got = Lstsq(*this->ctx_, a, b);
  EXPECT_EQ(got.rank.template item<int32_t>(), 0);
  for (const TypeParam x : got.x.template span<TypeParam>()) EXPECT_EQ(x, 0);
}

TYPED_TEST(SolveTest, RefusesWhatHasNoSolution) {
  Context& ctx = *this->ctx_;
  Values values = testing::RandomMatrix(this->random_, 2 * 20, 20);
  values[400 + 13 * 21] = 0;
  const Tensor t = this->Make(values, {2, 20, 20});
  const Tensor b = this->Make(testing::RandomMatrix(this->random_, 2 * 20, 3), {2, 20, 3});
  testing::ExpectError([&] { SolveTriangular(ctx, t, b); }, ErrorKind::kInvalidArgument,
                       "t[1] is singular: its diagonal is 0 at row 13");
  for (int64_t i = 0; i < 20; ++i) values[400 + i * 20 + 4] = values[400 + i * 20 + 3];
  testing::ExpectError(
      [&] {
        Solve(ctx, this->Make(values, {2, 20, 20}), b);
      },
      ErrorKind::kInvalidArgument, "a[1] is singular");
  testing::ExpectError([&] { Solve(ctx, t, b.Sliced(1, 0, 19)); }, ErrorKind::kInvalidArgument,
                       "does not fit");
  testing::ExpectError([&] { Solve(ctx, t, b.Selected(0, 0)); }, ErrorKind::kInvalidArgument,
                       "does not fit");
  Values tiny(16, 0.0);
  for (int64_t i = 0; i < 4; ++i) tiny[i * 5] = std::numeric_limits<TypeParam>::min();
  Values large(4, std::numeric_limits<TypeParam>::max());
  testing::ExpectError(
      [&] {
        SolveTriangular(ctx, this->Make(tiny, {4, 4}), this->Make(large, {4, 1}));
      },
      ErrorKind::kNumeric, "too large");
}

}  // namespace
}  // namespace tern::linalg
