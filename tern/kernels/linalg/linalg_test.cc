// SPDX-License-Identifier: MIT
#include "tern/kernels/linalg/linalg.h"

#include <algorithm>
#include <memory>
#include <type_traits>

#include "tern/kernels/kernel_test.h"

namespace tern::kernels {
namespace {

template <typename T>
class LinalgKernelTest : public KernelTest {
 protected:
  static const LinalgKernels<T>& Of(const KernelTable& table) {
    if constexpr (std::is_same_v<T, double>) {
      return table.linalg_f64;
    } else {
      return table.linalg_f32;
    }
  }

  std::vector<T> Digits(int64_t count) {
    std::uniform_int_distribution<int> digit(-9, 9);
    std::vector<T> values(static_cast<size_t>(count));
    for (T& x : values) x = static_cast<T>(digit(this->random_));
    return values;
  }

  int64_t Below(int64_t bound) {
    return static_cast<int64_t>(this->random_() % static_cast<uint32_t>(bound));
  }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(LinalgKernelTest, Types);

// Sums of small integers need no rounding, so every target must give the very sum. What lies
// between the rows of out must stay.
TYPED_TEST(LinalgKernelTest, ProductsOfWholeNumbersAreExact) {
  using T = TypeParam;
  std::vector<T> workspace_space(kProductWorkspace + 64 / sizeof(T));
  void* aligned = workspace_space.data();
  size_t space = workspace_space.size() * sizeof(T);
  T* const workspace =
      static_cast<T*>(std::align(64, kProductWorkspace * sizeof(T), aligned, space));
  this->ForTargets([&](const KernelTable& table) {
    for (int round = 0; round < 32; ++round) {
      const int64_t m = round == 0 ? kMaxProductExtent : 1 + this->Below(40);
      const int64_t n = round == 0 ? kMaxProductExtent : 1 + this->Below(70);
      const int64_t k = round == 1 ? 0 : 1 + this->Below(round == 2 ? 2 * kProductDepth : 90);
      const bool accumulate = round % 2 != 0;
      const T alpha = static_cast<T>(round % 3 - 1);
      const int64_t out_stride = n + round % 3;
      const std::vector<T> a = this->Digits(m * k + 1), b = this->Digits(k * n + 1);
      const std::vector<T> out = this->Digits(m * out_stride);
      const bool a_transposed = (round & 2) != 0, b_transposed = (round & 4) != 0;
      const StridedMatrix<T> a_matrix = {a.data(), a_transposed ? 1 : k, a_transposed ? m : 1};
      const StridedMatrix<T> b_matrix = {b.data(), b_transposed ? 1 : n, b_transposed ? k : 1};
      std::vector<T> expected = out, got = out;
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          T sum = 0;
          for (int64_t t = 0; t < k; ++t) {
            sum += a[i * a_matrix.row_stride + t * a_matrix.column_stride] *
                   b[t * b_matrix.row_stride + j * b_matrix.column_stride];
          }
          T& y = expected[i * out_stride + j];
          y = alpha * sum + (accumulate ? y : T(0));
        }
      }
      SCOPED_TRACE(testing::Message() << "m " << m << " n " << n << " k " << k);
      this->Of(table).product(a_matrix, b_matrix, got.data(), out_stride, m, n, k, alpha,
                              accumulate, workspace);
      ASSERT_EQ(expected, got);
      if (b_transposed) continue;
      got = out;
      this->Of(table).direct_product(a_matrix, b.data(), n, got.data(), out_stride, m, n, k, alpha,
                                     accumulate);
      ASSERT_EQ(expected, got);
    }
  });
}

// A block's factor and a solve with it give the identity back: r^-T (r^T r) r^-1.
TYPED_TEST(LinalgKernelTest, FactorsAndSolves) {
  using T = TypeParam;
  this->ForTargets([&](const KernelTable& table) {
    for (int64_t n = 1; n <= kCholeskySide; n += n % 9 == 0 ? 1 : 2) {
      SCOPED_TRACE(testing::Message() << "n " << n);
      const int64_t stride = (n + 15) / 16 * 16;
      std::vector<T> space(static_cast<size_t>(2 * n * stride) + 64 / sizeof(T), T(0));
      void* aligned = space.data();
      size_t bytes = space.size() * sizeof(T);
      T* const a = static_cast<T*>(std::align(64, 64, aligned, bytes));
      T* const x = a + n * stride;
      // Diagonally dominant: the condition is below 4.
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j <= i; ++j) {
          const T value = i == j ? T(2) : static_cast<T>(this->Below(100)) / T(100 * n);
          a[i * stride + j] = a[j * stride + i] = value;
          x[i * stride + j] = x[j * stride + i] = value;
        }
      }
      const auto& kernels = this->Of(table);
      ASSERT_EQ(kernels.cholesky(a, stride, n), n);
      kernels.solve({a, 1, stride}, false, x, stride, n, stride);
      const StridedMatrix<T> reversed = {a + (n - 1) * (stride + 1), -stride, -1};
      kernels.solve(reversed, false, x + (n - 1) * stride, -stride, n, stride);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          ASSERT_NEAR(x[i * stride + j], i == j ? 1 : 0,
                      20 * static_cast<double>(n) * std::numeric_limits<T>::epsilon());
        }
        for (int64_t j = n; j < stride; ++j) ASSERT_EQ(x[i * stride + j], 0);
      }
      // A unit triangle's diagonal is not read.
      std::vector<T> before(x, x + n * stride);
      a[0] = std::numeric_limits<T>::quiet_NaN();
      kernels.solve({a, 1, stride}, true, x, stride, 1, stride);
      ASSERT_TRUE(std::equal(before.begin(), before.end(), x));
      const int64_t fail = this->Below(n);
      for (int64_t i = 0; i < n; ++i) {
        std::fill_n(a + i * stride, stride, T(0));
        a[i * stride + i] = i == fail ? T(-1) : T(1);
      }
      ASSERT_EQ(kernels.cholesky(a, stride, n), fail);
    }
  });
}

// l l^T = a with zeros above the diagonal and nothing written beside l; one element that breaks the
// symmetry, or makes a not finite or not positive definite, is seen wherever it is.
TYPED_TEST(LinalgKernelTest, SmallCholesky) {
  using T = TypeParam;
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  constexpr T kNan = std::numeric_limits<T>::quiet_NaN();
  this->ForTargets([&](const KernelTable& table) {
    const auto small_cholesky = this->Of(table).small_cholesky;
    for (int64_t n = 1; n <= kSmallCholesky; ++n) {
      const int64_t a_stride = n + this->Below(3), l_stride = n + this->Below(3);
      const T tolerance = static_cast<T>(n) * std::numeric_limits<T>::epsilon();
      SCOPED_TRACE(testing::Message() << "n " << n);
      std::vector<T> a(static_cast<size_t>(n * a_stride), kNan);
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j <= i; ++j) {
          a[i * a_stride + j] = a[j * a_stride + i] =
              i == j ? T(2) : static_cast<T>(this->Below(200) - 100) / T(100 * n);
        }
      }
      std::vector<T> l(static_cast<size_t>(n * l_stride), T(7));
      ASSERT_TRUE(small_cholesky(a.data(), a_stride, tolerance, l.data(), l_stride, n));
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t k = 0; k <= std::min(i, j); ++k) {
            sum += static_cast<double>(l[i * l_stride + k]) * l[j * l_stride + k];
          }
          ASSERT_NEAR(sum, a[i * a_stride + j],
                      4 * static_cast<double>(n) * std::numeric_limits<T>::epsilon());
          ASSERT_TRUE(j <= i || l[i * l_stride + j] == 0);
        }
        for (int64_t j = n; j < l_stride; ++j) ASSERT_EQ(l[i * l_stride + j], 7);
      }
      const auto refuses = [&](int64_t i, int64_t j, T value, bool both) {
        std::vector<T> bad = a;
        bad[i * a_stride + j] = value;
        if (both) bad[j * a_stride + i] = value;
        ASSERT_FALSE(small_cholesky(bad.data(), a_stride, tolerance, l.data(), l_stride, n))
            << value << " at " << i << ", " << j;
      };
      for (int round = 0; round < 8; ++round) {
        const int64_t i = this->Below(n), j = this->Below(n);
        for (const T value : {kNan, kInfinity, -kInfinity}) refuses(i, j, value, round % 2 == 0);
        refuses(i, i, round % 2 == 0 ? T(0) : T(-1), true);
        if (i == j) continue;
        const T asymmetric = a[i * a_stride + j] + 5 * tolerance;
        refuses(i, j, asymmetric, false);
        refuses(i, j, T(3), true);
      }
    }
  });
}

TYPED_TEST(LinalgKernelTest, TransposesAndScans) {
  using T = TypeParam;
  this->ForTargets([&](const KernelTable& table) {
    const auto& kernels = this->Of(table);
    for (int round = 0; round < 20; ++round) {
      const int64_t rows = 1 + this->Below(70), columns = 1 + this->Below(70);
      const int64_t in_stride = columns + this->Below(3), out_stride = rows + this->Below(3);
      std::vector<T> in = this->Digits(rows * in_stride), out = this->Digits(columns * out_stride);
      std::vector<T> expected = out;
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) expected[j * out_stride + i] = in[i * in_stride + j];
      }
      kernels.transpose(in.data(), in_stride, out.data(), out_stride, rows, columns);
      ASSERT_EQ(expected, out) << rows << " x " << columns;

      const int64_t place = this->Below(columns);
      const std::vector<T> bounds(static_cast<size_t>(columns), T(0.5));
      std::vector<T> other(in.begin(), in.begin() + columns);
      ASSERT_TRUE(kernels.all_finite(in.data(), columns));
      ASSERT_TRUE(kernels.all_close(in.data(), other.data(), T(2), bounds.data(), columns));
      other[place] += round % 2 == 0 ? T(1) : T(-1);
      ASSERT_TRUE(kernels.all_close(in.data(), other.data(), T(2), bounds.data(), columns));
      ASSERT_FALSE(kernels.all_close(in.data(), other.data(), T(1.9), bounds.data(), columns));
      constexpr T kBad[] = {std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                            std::numeric_limits<T>::quiet_NaN()};
      in[place] = kBad[round % 3];
      ASSERT_FALSE(kernels.all_finite(in.data(), columns));
    }
  });
}

// Unit columns that are orthogonal, and w = q r. Dependent columns become zeros.
TYPED_TEST(LinalgKernelTest, GramSchmidtOfPanels) {
  using T = TypeParam;
  this->ForTargets([&](const KernelTable& table) {
    for (int64_t count = 1; count <= kGramSchmidtColumns; ++count) {
      const int64_t m = count + this->Below(60), stride = count + this->Below(3);
      SCOPED_TRACE(testing::Message() << m << " x " << count);
      std::vector<T> w = this->Digits(m * stride);
      for (int64_t j = 0; j < count; ++j) w[j * stride + j] += 40;
      if (count > 2) {
        for (int64_t i = 0; i < m; ++i) w[i * stride + 1] = 0;
      }
      const std::vector<T> original = w;
      std::vector<T> r(static_cast<size_t>(count * 8), T(0));
      std::vector<T> space(static_cast<size_t>(kGramSchmidtColumns * (m + 16)) + 64 / sizeof(T));
      void* aligned = space.data();
      size_t bytes = space.size() * sizeof(T);
      this->Of(table).gram_schmidt(w.data(), stride, m, count, r.data(), 8,
                                   static_cast<T*>(std::align(64, 64, aligned, bytes)));
      const double bound = 20 * static_cast<double>(m) * std::numeric_limits<T>::epsilon();
      for (int64_t j = 0; j < count; ++j) {
        for (int64_t k = 0; k < count; ++k) {
          double dot = 0;
          for (int64_t i = 0; i < m; ++i) dot += double(w[i * stride + j]) * w[i * stride + k];
          const bool zero = count > 2 && (j == 1 || k == 1);
          ASSERT_NEAR(dot, j == k && !zero ? 1 : 0, bound) << j << " " << k;
        }
        for (int64_t i = 0; i < m; ++i) {
          double sum = 0;
          for (int64_t k = 0; k <= j; ++k) sum += double(w[i * stride + k]) * r[k * 8 + j];
          ASSERT_NEAR(sum, original[i * stride + j], 100 * bound);
        }
      }
    }
  });
}

}  // namespace
}  // namespace tern::kernels
