// SPDX-License-Identifier: MIT
// What the mathematics says of WalshHadamard, over lengths, batches and views: the signs of its
// matrix, H H = n I, |H x| = sqrt(n) |x|.
#include "tern/linalg/hadamard.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "tern/autograd/tape.h"
#include "tern/linalg/batch.h"
#include "tern/linalg/test_matrices.h"

namespace tern::linalg {
namespace {

using testing::Values;

template <typename T>
class HadamardTest : public ::testing::Test {
 protected:
  static constexpr double kEps = std::numeric_limits<T>::epsilon();

  // Elements -4 ... 4, whose sums have no rounding.
  Tensor WholeNumbers(const Shape& shape) {
    Values values(static_cast<size_t>(shape.elements()));
    for (double& x : values) x = static_cast<double>(random_.Below(9)) - 4;
    return testing::ToTensor<T>(*ctx_, values, shape);
  }

  const uint64_t seed_ = std::random_device()();
  Random random_{seed_};
  const std::unique_ptr<Context> ctx_ = testing::MakeContext(2);
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(HadamardTest, Types);

TYPED_TEST(HadamardTest, SignsOfBatchesAndViews) {
  using T = TypeParam;
  const Tensor whole = this->WholeNumbers({2, 8, 4, 32});
  for (const Tensor& x : {whole, whole.Transposed(-1, 1), whole.Transposed(0, 2),
                          whole.Sliced(3, 0, 32, 2).Sliced(2, 1, 4), whole.Sliced(3, 5, 6)}) {
    const Tensor y = WalshHadamard(*this->ctx_, x, HadamardScale::kNone);
    ASSERT_EQ(y.shape(), x.shape());
    const int64_t n = x.dim(-1);
    for (int64_t index = 0; index < BatchCount(x); ++index) {
      const Matrix<T> in = MatrixAt<T>(x, index), out = MatrixAt<T>(y, index);
      for (int64_t i = 0; i < in.rows; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          T sum = 0;
          for (int64_t k = 0; k < n; ++k) {
            sum += std::popcount(static_cast<uint64_t>(j & k)) % 2 == 0 ? in(i, k) : -in(i, k);
          }
          EXPECT_EQ(out(i, j), sum) << "seed " << this->seed_;
        }
      }
    }
  }
}

TYPED_TEST(HadamardTest, OneAxisIsOneRow) {
  const Tensor x = this->WholeNumbers({8, 2}).Selected(1, 1);
  const Tensor y = WalshHadamard(*this->ctx_, x, HadamardScale::kNone);
  EXPECT_EQ(y.shape(), Shape({8}));
  TypeParam sum = 0;
  for (int64_t i = 0; i < 8; ++i) sum += x.data<TypeParam>()[2 * i];
  EXPECT_EQ(y.data<TypeParam>()[0], sum);
}

// Each of log2(n) levels multiplies norms by sqrt(2) and rounds once, with the scale's two more
// roundings: the error of one transform is at most (log2(n) + 2) eps of the norm.
TYPED_TEST(HadamardTest, OrthonormalKeepsTheNormAndInvertsItself) {
  using T = TypeParam;
  for (int64_t n = 1; n <= 4096; n *= 2) {
    SCOPED_TRACE(::testing::Message() << n << ", seed " << this->seed_);
    const Values values = testing::RandomMatrix(this->random_, 3, n);
    const Tensor x = testing::ToTensor<T>(*this->ctx_, values, {3, n});
    const Tensor y = WalshHadamard(*this->ctx_, x), back = WalshHadamard(*this->ctx_, y);
    const double bound = (std::bit_width(static_cast<uint64_t>(n)) + 2) * this->kEps;
    for (int64_t i = 0; i < 3; ++i) {
      long double x_square = 0, y_square = 0, error = 0;
      for (int64_t j = i * n; j < (i + 1) * n; ++j) {
        const long double a = x.data<T>()[j], b = y.data<T>()[j], c = back.data<T>()[j];
        x_square += a * a, y_square += b * b, error += (a - c) * (a - c);
      }
      EXPECT_NEAR(static_cast<double>(std::sqrt(y_square / x_square)), 1, bound);
      EXPECT_LE(std::sqrt(error / x_square), 2 * bound);
    }
  }
}

TYPED_TEST(HadamardTest, NearOverflow) {
  using T = TypeParam;
  const T large = std::numeric_limits<T>::max() / 16;
  const Tensor x = this->ctx_->Empty({1, 128}, DTypeOf<T>());
  std::ranges::fill(x.span<T>(), large);
  const Tensor y = WalshHadamard(*this->ctx_, x);
  EXPECT_NEAR(y.data<T>()[0] / large, std::sqrt(128.0), 20 * this->kEps);
  EXPECT_NEAR(y.data<T>()[1] / large, 0, 20 * this->kEps);
  testing::ExpectError([&] { WalshHadamard(*this->ctx_, x, HadamardScale::kNone); },
                       ErrorKind::kNumeric, "too large");
}

TYPED_TEST(HadamardTest, Refuses) {
  Context& ctx = *this->ctx_;
  const DType dtype = DTypeOf<TypeParam>();
  for (const int64_t n : {3, 6, 12, 100}) {
    testing::ExpectError(
        [&] {
          WalshHadamard(ctx, this->WholeNumbers({2, n}));
        },
        ErrorKind::kInvalidArgument, "no power of two");
  }
  testing::ExpectError(
      [&] {
        WalshHadamard(ctx, ctx.Empty({2, 0}, dtype));
      },
      ErrorKind::kInvalidArgument, "empty");
  testing::ExpectError(
      [&] {
        WalshHadamard(ctx, ctx.Empty({2, 4}, DType::kBF16));
      },
      ErrorKind::kInvalidArgument, "bf16");
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    const Tensor x = this->WholeNumbers({3, 8});
    x.data<TypeParam>()[13] = static_cast<TypeParam>(bad);
    testing::ExpectError([&] { WalshHadamard(ctx, x); }, ErrorKind::kNumeric, "in row 1");
  }
  Tape tape(ctx);
  for (const Shape& shape : {Shape{8}, Shape{2, 8}}) {
    const Tensor x = tape.Watch(this->WholeNumbers(shape));
    testing::ExpectError([&] { WalshHadamard(ctx, x); }, ErrorKind::kInvalidArgument, "on a tape");
  }
}

}  // namespace
}  // namespace tern::linalg
