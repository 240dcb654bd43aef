// SPDX-License-Identifier: MIT
#include "tern/kernels/linalg/linalg.h"

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

}  // namespace
}  // namespace tern::kernels
