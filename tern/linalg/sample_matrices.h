// SPDX-License-Identifier: MIT
// For tests and benchmarks, who share them: kinds of matrices that decompositions must bear, and
// errors measured in higher precision (long double). Matrices are built in double and rounded to
// the type.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/random.h"
#include "tern/core/context.h"
#include "tern/linalg/matrix.h"

namespace tern::linalg::testing {

using Values = std::vector<double>;  // row-major

inline std::unique_ptr<Context> MakeContext(int threads, const char* target = "") {
  auto ctx = std::make_unique<Context>(ContextOptions{.threads = threads, .log = {}});
  ctx->AddBackend(std::make_unique<CpuBackend>(target));
  return ctx;
}

template <typename T>
Tensor ToTensor(const Context& ctx, const Values& values, const Shape& shape) {
  Tensor t = ctx.Empty(shape, DTypeOf<T>());
  std::transform(values.begin(), values.end(), t.data<T>(),
                 [](double x) { return static_cast<T>(x); });
  return t;
}

// How many random cases a test goes through: `count` where the processor runs natively.
inline int Rounds(int count) {
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    defined(NDEBUG)
  return count;
#else
  return std::max(4, count / 20);
#endif
}

// Sides from 1 to `greatest`, equally likely in each octave: a shape of any proportion.
inline std::pair<int64_t, int64_t> RandomShape(Random* random, int64_t greatest = 300) {
  const auto side = [&] {
    const double x = std::pow(static_cast<double>(greatest) + 0.5, random->Uniform());
    return std::clamp<int64_t>(static_cast<int64_t>(x), 1, greatest);
  };
  return {side(), side()};
}

inline Values RandomMatrix(Random& random, int64_t m, int64_t n) {
  Values a(static_cast<size_t>(m * n));
  for (double& x : a) x = random.Normal();
  return a;
}

// Columns (or rows) whose sizes fall from 1 to 10^-digits.
inline Values GradedMatrix(Random& random, int64_t m, int64_t n, double digits, bool by_rows) {
  Values a = RandomMatrix(random, m, n);
  const double steps = static_cast<double>(std::max<int64_t>(1, (by_rows ? m : n) - 1));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      a[i * n + j] *= std::pow(10.0, -digits * static_cast<double>(by_rows ? i : j) / steps);
    }
  }
  return a;
}

inline Values HilbertMatrix(int64_t m, int64_t n) {
  Values a(static_cast<size_t>(m * n));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) a[i * n + j] = 1.0 / static_cast<double>(i + j + 1);
  }
  return a;
}

// Ones above delta I: [n + 1, n], columns nearly parallel (Laeuchli 1961).
inline Values LaeuchliMatrix(int64_t n, double delta) {
  Values a(static_cast<size_t>((n + 1) * n), 0.0);
  for (int64_t j = 0; j < n; ++j) a[j] = 1, a[(j + 1) * n + j] = delta;
  return a;
}

// [m, n] with orthonormal columns (m >= n), by Householder reflections of random vectors.
inline Values RandomOrthonormal(Random& random, int64_t m, int64_t n) {
  Values q(static_cast<size_t>(m * n), 0.0);
  for (int64_t j = 0; j < n; ++j) q[j * n + j] = 1;
  Values v(static_cast<size_t>(m));
  for (int64_t k = std::min(n, m) - 1; k >= 0; --k) {
    double square = 0;
    for (int64_t i = k; i < m; ++i) v[i] = random.Normal(), square += v[i] * v[i];
    if (square == 0) continue;
    for (int64_t j = 0; j < n; ++j) {
      double dot = 0;
      for (int64_t i = k; i < m; ++i) dot += v[i] * q[i * n + j];
      for (int64_t i = k; i < m; ++i) q[i * n + j] -= 2 * dot / square * v[i];
    }
  }
  return q;
}

// U diag(values) V^T with random orthonormal U [m, r], V [n, r], r = values.size().
inline Values WithSingularValues(Random& random, int64_t m, int64_t n, const Values& values) {
  const int64_t r = static_cast<int64_t>(values.size());
  const Values u = RandomOrthonormal(random, m, r);
  const Values v = RandomOrthonormal(random, n, r);
  Values a(static_cast<size_t>(m * n), 0.0);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t k = 0; k < r; ++k) {
      const double x = u[i * r + k] * values[k];
      for (int64_t j = 0; j < n; ++j) a[i * n + j] += x * v[j * r + k];
    }
  }
  return a;
}

// `count` values that fall from 1 to 1 / condition in equal ratios.
inline Values FallingValues(int64_t count, double condition) {
  Values values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    values[i] = std::pow(
        condition, -static_cast<double>(i) / static_cast<double>(std::max<int64_t>(1, count - 1)));
  }
  return values;
}

// X X^T / n + shift I of random X, symmetric to the last bit.
inline Values PositiveDefinite(Random& random, int64_t n, double shift) {
  const Values x = RandomMatrix(random, n, n);
  Values a(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double sum = i == j ? shift * static_cast<double>(n) : 0;
      for (int64_t k = 0; k < n; ++k) sum += x[i * n + k] * x[j * n + k];
      a[i * n + j] = a[j * n + i] = sum / static_cast<double>(n);
    }
  }
  return a;
}

inline void Scale(double factor, Values* a) {
  for (double& x : *a) x *= factor;
}

// A quotient of two Frobenius norms, both taken relative to `scale`, so that they do not overflow.
class RelativeNorm {
 public:
  explicit RelativeNorm(long double scale) : scale_(scale) {}
  void Add(long double difference, long double value) {
    difference_ += difference / scale_ * (difference / scale_);
    value_ += value / scale_ * (value / scale_);
  }
  // The difference's norm over the value's; 0 where both are 0.
  double Get() const {
    if (difference_ == 0) return 0;
    return static_cast<double>(std::sqrt(difference_) / std::sqrt(value_));
  }

 private:
  long double scale_;
  long double difference_ = 0;
  long double value_ = 0;
};

// What accumulates products of T. Where a long double is no type of the processor's, a double must
// do: its own errors stay well below the bounds that tests ask for.
#if defined(__x86_64__)
using WiderThanDouble = long double;
#else
using WiderThanDouble = double;
#endif
template <typename T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, WiderThanDouble>;

// ||a - x y||_F / ||a||_F for a [m, n], x [m, k], y [k, n]; with d, ||a - x diag(d) y||_F.
template <typename T>
double ProductError(Matrix<const T> a, Matrix<const T> x, Matrix<const T> y, const T* d = nullptr) {
  long double scale = 0;
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.columns; ++j) {
      scale = std::max<long double>(scale, std::abs(a(i, j)));
    }
  }
  RelativeNorm error(scale > 0 ? scale : 1);
  std::vector<Wide<T>> row(static_cast<size_t>(a.columns));
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.columns; ++j) row[j] = a(i, j);
    for (int64_t k = 0; k < x.columns; ++k) {
      const Wide<T> factor = static_cast<Wide<T>>(x(i, k)) * (d == nullptr ? T(1) : d[k]);
      if (factor == 0) continue;
      for (int64_t j = 0; j < a.columns; ++j) row[j] -= factor * static_cast<Wide<T>>(y(k, j));
    }
    for (int64_t j = 0; j < a.columns; ++j) error.Add(row[j], a(i, j));
  }
  return error.Get();
}

// ||q^T q - I||_F.
template <typename T>
double OrthogonalityError(Matrix<const T> q) {
  std::vector<Wide<T>> gram(static_cast<size_t>(q.columns * q.columns), 0);
  for (int64_t t = 0; t < q.rows; ++t) {
    for (int64_t i = 0; i < q.columns; ++i) {
      const Wide<T> factor = q(t, i);
      for (int64_t j = i; j < q.columns; ++j) {
        gram[i * q.columns + j] += factor * static_cast<Wide<T>>(q(t, j));
      }
    }
  }
  Wide<T> square = 0;
  for (int64_t i = 0; i < q.columns; ++i) {
    for (int64_t j = i; j < q.columns; ++j) {
      const Wide<T> off = gram[i * q.columns + j] - (i == j ? 1 : 0);
      square += (i == j ? 1 : 2) * off * off;
    }
  }
  return static_cast<double>(std::sqrt(square));
}

}  // namespace tern::linalg::testing
