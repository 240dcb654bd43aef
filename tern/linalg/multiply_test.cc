// SPDX-License-Identifier: MIT
#include "tern/linalg/multiply.h"

#include <gtest/gtest.h>

#include <random>

#include "tern/linalg/test_matrices.h"

namespace tern::linalg {
namespace {

template <typename T>
class MultiplyTest : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(MultiplyTest, Types);

template <typename T>
std::vector<T> Digits(Random* random, int64_t count) {
  std::vector<T> values(static_cast<size_t>(count));
  for (T& x : values) x = static_cast<T>(static_cast<int64_t>(random->Below(19)) - 9);
  return values;
}

// Sums of small integers need no rounding: the product must be exact in every layout.
TYPED_TEST(MultiplyTest, WholeNumbersInAnyLayout) {
  using T = TypeParam;
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Random random(seed);
  for (const int threads : {1, 3}) {
    const auto ctx = testing::MakeContext(threads);
    const Tensor any = ctx->Empty({1, 1}, DTypeOf<T>());
    const Env env = EnvOf(*ctx, {"test", "a", any});
    for (int layout = 0; layout < 8; ++layout) {
      const int64_t bound = layout == 3 ? 300 : 130;
      const int64_t m = 1 + random.Below(bound), n = 1 + random.Below(bound);
      const int64_t k = 1 + random.Below(bound);
      const std::vector<T> a_values = Digits<T>(&random, m * k);
      const std::vector<T> b_values = Digits<T>(&random, k * n);
      std::vector<T> got = Digits<T>(&random, m * n);
      const auto view = [&](auto* data, int64_t rows, int64_t columns, bool transposed) {
        using Element = std::remove_pointer_t<decltype(data)>;
        return transposed ? Matrix<Element>{data, rows, columns, 1, rows}
                          : Matrix<Element>{data, rows, columns, columns, 1};
      };
      const auto a = view(a_values.data(), m, k, (layout & 1) != 0);
      const auto b = view(b_values.data(), k, n, (layout & 2) != 0);
      const auto out = view(got.data(), m, n, (layout & 4) != 0);
      std::vector<T> expected_values = got;
      const auto expected = view(expected_values.data(), m, n, (layout & 4) != 0);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          for (int64_t t = 0; t < k; ++t) expected(i, j) -= a(i, t) * b(t, j);
        }
      }
      Multiply<T>(env, T(-1), a, b, true, out);
      ASSERT_EQ(expected_values, got)
          << threads << " threads, layout " << layout << ": " << m << " x " << n << " x " << k;
    }
  }
}

}  // namespace
}  // namespace tern::linalg
