// SPDX-License-Identifier: MIT
#include "tern/linalg/gram_schmidt.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tern/linalg/multiply.h"

namespace tern::linalg {
namespace {

template <typename T>
constexpr T kEps = std::numeric_limits<T>::epsilon();

// Columns within these bounds have squares that neither overflow nor lose what matters.
template <typename T>
constexpr T kLargest = sizeof(T) == 8 ? T(1e100) : T(1e10f);

// Blocks of which a column's products with those before it exceed this (together, their Euclidean
// norm) are orthogonalized again.
template <typename T>
constexpr T kAcceptedLoss = 24 * kEps<T>;

template <typename T>
T Norm(const T* x, int64_t n) {
  T square = 0;
  for (int64_t i = 0; i < n; ++i) square += x[i] * x[i];
  return std::sqrt(square);
}

// A column with a smaller norm has lost bits to underflow.
template <typename T>
constexpr T kNothing = sizeof(T) == 8 ? T(1e-138) : T(1e-12f);

int64_t RoundUp(int64_t x, int64_t unit) { return (x + unit - 1) / unit * unit; }

}  // namespace

template <typename T>
GramSchmidt<T>::GramSchmidt(const Env& env, int64_t m, int64_t n)
    : env_(env),
      m_(m),
      n_(n),
      k_(std::min(m, n)),
      padded_n_(RoundUp(n, 16)),
      w_(env.pool, m, n),
      r_(env.pool, k_, n),
      before_(env.pool, k_, std::min(k_, kBlock)),
      block_r_(env.pool, 2 * std::min(k_, kBlock), kBlock),
      products_(env.pool, std::min(k_, kBlock), kBlock),
      probes_(env.pool, k_ > kBlock ? m : 0, kProbes),
      panel_(env.pool, static_cast<size_t>(kPanel * (m + 16)) * sizeof(T)),
      columns_(env.pool, static_cast<size_t>(4 * n + m) * sizeof(T)),
      column_(columns_.template As<T>()),
      coefficients_(column_ + m),
      dots_(coefficients_ + n),
      largest_(dots_ + n),
      squares_(largest_ + n) {
  for (int64_t i = 0; i < m; ++i)
    std::fill(w_.view().Row(i) + n, w_.view().Row(i) + padded_n_, T(0));
}

template <typename T>
int64_t GramSchmidt<T>::Run() {
  random_ = Random(0);  // whatever was decomposed before
  ScaleColumns(false);
  r_.FillZero();
  Factor(0, k_);
  if (n_ > k_) {
    // Q^T twice: the first time leaves as much as Q has lost of orthogonality.
    const Matrix<T> q = w_.view().Block(0, 0, m_, k_);
    const Matrix<T> rest = w_.padded().Block(0, k_, m_, padded_n_ - k_);
    const Matrix<T> r = r_.padded().Block(0, k_, k_, padded_n_ - k_);
    Multiply<T>(env_, 1, q.Transposed(), rest, false, r);
    Multiply<T>(env_, -1, q, r, true, rest);
    Multiply<T>(env_, 1, q.Transposed(), rest, true, r);
  }
  const int64_t independent = CountIndependent();
  UnscaleColumns();
  return independent;
}

// Gram-Schmidt does the same to a column whatever its size, so that each may be brought to a size
// whose squares are harmless by a power of two, without an error; when pivoting, all alike.
template <typename T>
void GramSchmidt<T>::ScaleColumns(bool alike) {
  const Matrix<T> w = w_.view();
  std::fill_n(largest_, n_, T(0));
  for (int64_t i = 0; i < m_; ++i) {
    const T* const row = w.Row(i);
    for (int64_t j = 0; j < n_; ++j) largest_[j] = std::max(largest_[j], std::abs(row[j]));
  }
  scaled_ = false;
  for (int64_t j = 0; j < n_; ++j) {
    scaled_ |= largest_[j] > kLargest<T> || (largest_[j] < 1 / kLargest<T> && largest_[j] > 0);
  }
  if (!scaled_) return;
  if (alike) std::fill_n(largest_, n_, *std::max_element(largest_, largest_ + n_));
  for (int64_t j = 0; j < n_; ++j) {
    const int exponent = largest_[j] > 0 ? std::ilogb(largest_[j]) : 0;
    for (int64_t i = 0; i < m_; ++i) w(i, j) = std::ldexp(w(i, j), -exponent);
    largest_[j] = static_cast<T>(exponent);
  }
}

template <typename T>
void GramSchmidt<T>::UnscaleColumns() {
  if (!scaled_) return;
  const Matrix<T> r = r_.view();
  for (int64_t i = 0; i < k_; ++i) {
    for (int64_t j = i; j < n_; ++j) {
      r(i, j) = std::ldexp(r(i, j), static_cast<int>(largest_[j]));
    }
  }
}

// Columns first ... first + count - 1, from which everything before them has been taken.
template <typename T>
void GramSchmidt<T>::Factor(int64_t first, int64_t count) {
  if (count <= kBlock) {
    OrthonormalizeBlock(first, count);
    return;
  }
  const int64_t half = RoundUp(count / 2, kBlock);
  Factor(first, half);
  Project(first, half, first + count);
  Factor(first + half, count - half);
}

// Takes columns first ... first + count - 1 of q out of those that follow, up to `end`.
template <typename T>
void GramSchmidt<T>::Project(int64_t first, int64_t count, int64_t end) {
  const Matrix<T> w = w_.padded();
  const int64_t begin = first + count;
  // In whole vectors: what is beyond the end is zeros, or of columns that are not yet begun.
  const int64_t width = end == n_ ? padded_n_ - begin : end - begin;
  const Matrix<T> q = w.Block(0, first, m_, count);
  const Matrix<T> rest = w.Block(0, begin, m_, width);
  const Matrix<T> s = r_.padded().Block(first, begin, count, width);
  Multiply<T>(env_, 1, q.Transposed(), rest, false, s);
  Multiply<T>(env_, -1, q, s, true, rest);
}

template <typename T>
void GramSchmidt<T>::OrthonormalizeBlock(int64_t first, int64_t count) {
  OrthonormalizeWithin(first, count);
  if (!IsOrthonormal(first, count)) Repeat(first, count);
  if (first + count < k_) AddProbes(first, count);
}

template <typename T>
void GramSchmidt<T>::OrthonormalizeWithin(int64_t first, int64_t count) {
  if (count <= kPanel) {
    env_.linalg<T>().gram_schmidt(&w_.view()(0, first), w_.view().row_stride, m_, count,
                                  &r_.view()(first, first), r_.view().row_stride,
                                  panel_.template As<T>());
    return;
  }
  const int64_t half = RoundUp(count / 2, kPanel);
  OrthonormalizeWithin(first, half);
  Project(first, half, first + count);
  OrthonormalizeWithin(first + half, count - half);
}

// Whether the products of the block's columns with each other and with all before them are small.
// An estimate from r does not do: it would have to know whether the losses in r_ij q_i add up or
// cancel. Those with the columns Q before are measured through Y = Q Z for random signs Z: the
// expectation of |Y^T q_j|^2 is |Q^T q_j|^2 for each column of Y, and with kProbes of them a loss
// is taken for less than a third of what it is in 3 of 100,000 cases.
template <typename T>
bool GramSchmidt<T>::IsOrthonormal(int64_t first, int64_t count) {
  const int64_t width = BlockWidth(first, count);
  const Matrix<T> block = w_.padded().Block(0, first, m_, width);
  const Matrix<T> products = products_.padded().Block(0, 0, count, width);
  Multiply<T>(env_, 1, block.Block(0, 0, m_, count).Transposed(), block, false, products);
  T squares[kBlock] = {};
  for (int64_t i = 0; i < count; ++i) {
    if (!(products(i, i) > T(0.5))) return false;  // no column, but zeros
    for (int64_t j = i + 1; j < count; ++j) squares[j] += products(i, j) * products(i, j);
  }
  if (first > 0) {
    const Matrix<T> probed = products_.padded().Block(0, 0, count, kProbes);
    Multiply<T>(env_, 1, block.Block(0, 0, m_, count).Transposed(), probes_.view(), false, probed);
    for (int64_t j = 0; j < count; ++j) {
      T sum = 0;
      for (int64_t p = 0; p < kProbes; ++p) sum += probed(j, p) * probed(j, p);
      squares[j] += sum / kProbes;
    }
  }
  return *std::max_element(squares, squares + count) < kAcceptedLoss<T> * kAcceptedLoss<T>;
}

// Y += q Z for the columns of a block and random signs Z.
template <typename T>
void GramSchmidt<T>::AddProbes(int64_t first, int64_t count) {
  const Matrix<T> signs = products_.padded().Block(0, 0, count, kProbes);
  for (int64_t j = 0; j < count; ++j) {
    const uint32_t bits = random_.NextU32();
    for (int64_t p = 0; p < kProbes; ++p) signs(j, p) = (bits >> p & 1) != 0 ? T(1) : T(-1);
  }
  Multiply<T>(env_, 1, w_.view().Block(0, first, m_, count), signs, first > 0, probes_.view());
}

// In whole vectors: what is beyond the end is zeros.
template <typename T>
int64_t GramSchmidt<T>::BlockWidth(int64_t first, int64_t count) const {
  return first + count == n_ ? std::min(kBlock, RoundUp(count, 16)) : count;
}

// A block's columns, now all of unit size, are orthogonalized a second time.
template <typename T>
void GramSchmidt<T>::Repeat(int64_t first, int64_t count) {
  const Matrix<T> r = r_.view();
  const Matrix<T> w = w_.padded();
  const int64_t width = BlockWidth(first, count);
  CopyMatrix<T>(r.Block(first, first, count, count), block_r_.view().Block(0, 0, count, count));
  if (first > 0) {
    const Matrix<T> q = w.Block(0, 0, m_, first);
    const Matrix<T> s = before_.padded().Block(0, 0, first, width);
    Multiply<T>(env_, 1, q.Transposed(), w.Block(0, first, m_, width), false, s);
    Multiply<T>(env_, -1, q, s, true, w.Block(0, first, m_, width));
  }
  OrthonormalizeWithin(first, count);
  bool again = false;
  for (int64_t j = first; j < first + count; ++j) again |= !(r(j, j) > T(0.5));
  Compose(first, count);
  if (!again) return;
  CopyMatrix<T>(r.Block(first, first, count, count), block_r_.view().Block(0, 0, count, count));
  RepeatByColumns(first, count);
  Compose(first, count);
}

// The block was Q S + W R1, W was Q S2 + W2 R2: it is Q (S + S2 R1) + W2 (R2 R1). S2 is in before_,
// R1 in block_r_, R2 where R2 R1 belongs.
template <typename T>
void GramSchmidt<T>::Compose(int64_t first, int64_t count) {
  const Matrix<T> r = r_.view();
  const Matrix<T> r1 = block_r_.view().Block(0, 0, count, count);
  if (first > 0) {
    Multiply<T>(env_, 1, before_.view().Block(0, 0, first, count), r1, true,
                r.Block(0, first, first, count));
  }
  const Matrix<T> r2 = block_r_.view().Block(count, 0, count, count);
  CopyMatrix<T>(r.Block(first, first, count, count), r2);
  Multiply<T>(env_, 1, r2, r1, false, r.Block(first, first, count, count));
}

template <typename T>
void GramSchmidt<T>::RepeatByColumns(int64_t first, int64_t count) {
  const Matrix<T> s = before_.view();
  for (int64_t j = 0; j < count; ++j) {
    OrthonormalizeColumn(first + j, coefficients_);
    for (int64_t i = 0; i < first; ++i) s(i, j) = coefficients_[i];
    for (int64_t i = 0; i <= j; ++i) r_.view()(first + i, first + j) = coefficients_[first + i];
  }
}

// Again and again until the norm stays: then the column is as orthogonal to those before it as can
// be. Writes its j + 1 coefficients. A column of which nothing is left gives way to a random one.
template <typename T>
void GramSchmidt<T>::OrthonormalizeColumn(int64_t j, T* coefficients) {
  constexpr int kMostAttempts = 8;
  const Matrix<T> w = w_.view();
  for (int64_t t = 0; t < m_; ++t) column_[t] = w(t, j);
  std::fill_n(coefficients, j + 1, T(0));
  bool replaced = false;
  T before = Norm(column_, m_);
  for (int attempt = 0;; ++attempt) {
    if (before < kNothing<T> || attempt == kMostAttempts) {
      for (int64_t t = 0; t < m_; ++t) column_[t] = static_cast<T>(random_.Normal());
      replaced = true;
      before = Norm(column_, m_);
      attempt = 0;
    }
    std::fill_n(dots_, j, T(0));
    for (int64_t t = 0; t < m_; ++t) {
      for (int64_t i = 0; i < j; ++i) dots_[i] += column_[t] * w(t, i);
    }
    for (int64_t t = 0; t < m_; ++t) {
      T sum = 0;
      for (int64_t i = 0; i < j; ++i) sum += dots_[i] * w(t, i);
      column_[t] -= sum;
    }
    for (int64_t i = 0; i < j && !replaced; ++i) coefficients[i] += dots_[i];
    const T after = Norm(column_, m_);
    if (after > before / 2) {
      if (!replaced) coefficients[j] = after;
      for (int64_t t = 0; t < m_; ++t) w(t, j) = column_[t] / after;
      return;
    }
    before = after;
  }
}

template <typename T>
int64_t GramSchmidt<T>::CountIndependent() const {
  const Matrix<T> r = r_.view();
  std::fill_n(coefficients_, k_, T(0));
  for (int64_t i = 0; i < k_; ++i) {
    for (int64_t j = i; j < k_; ++j) coefficients_[j] += r(i, j) * r(i, j);
  }
  const T tolerance = 2 * static_cast<T>(std::max(m_, n_)) * kEps<T>;
  int64_t count = 0;
  for (int64_t j = 0; j < k_; ++j) count += r(j, j) > tolerance * std::sqrt(coefficients_[j]);
  return count;
}

template <typename T>
int64_t GramSchmidt<T>::RunPivoted(double tolerance, int32_t* permutation) {
  random_ = Random(0);
  ScaleColumns(true);
  r_.FillZero();
  const Matrix<T> w = w_.view(), r = r_.view();
  std::fill_n(squares_, n_, T(0));
  for (int64_t i = 0; i < m_; ++i) {
    for (int64_t j = 0; j < n_; ++j) squares_[j] += w(i, j) * w(i, j);
  }
  for (int64_t j = 0; j < n_; ++j) permutation[j] = static_cast<int32_t>(j);
  for (int64_t j = 0; j < k_; ++j) {
    SwapColumns(j, std::max_element(squares_ + j, squares_ + n_) - squares_, permutation);
    OrthonormalizeColumn(j, coefficients_);
    for (int64_t i = 0; i <= j; ++i) r(i, j) += coefficients_[i];
    TakeOut(j);
  }
  int64_t rank = 0;
  while (rank < k_ && r(rank, rank) > static_cast<T>(tolerance) * r(0, 0)) ++rank;
  UnscaleColumns();
  return rank;
}

template <typename T>
void GramSchmidt<T>::SwapColumns(int64_t i, int64_t j, int32_t* permutation) {
  if (i == j) return;
  const Matrix<T> w = w_.view(), r = r_.view();
  for (int64_t t = 0; t < m_; ++t) std::swap(w(t, i), w(t, j));
  for (int64_t t = 0; t < i; ++t) std::swap(r(t, i), r(t, j));
  std::swap(squares_[i], squares_[j]);
  std::swap(permutation[i], permutation[j]);
}

// Takes column j of q out of all later columns, and measures what is left of them.
template <typename T>
void GramSchmidt<T>::TakeOut(int64_t j) {
  constexpr int64_t kGrain = 128;
  const Matrix<T> w = w_.view();
  const kernels::StridedMatrix<T> q = {&w(0, j), w.row_stride, 1};
  env_.threads.ParallelFor(n_ - (j + 1), kGrain, [&](int64_t begin, int64_t end) {
    const int64_t first = j + 1 + begin, count = end - begin;
    T* const rest = &w(0, first);
    T* const s = &r_.view()(j, first);
    const auto multiply = env_.linalg<T>().direct_product;
    multiply({q.data, 1, q.row_stride}, rest, w.row_stride, s, 0, 1, count, m_, 1, false);
    multiply(q, s, 0, rest, w.row_stride, m_, count, 1, -1, true);
    std::fill_n(squares_ + first, count, T(0));
    for (int64_t t = 0; t < m_; ++t) {
      const T* const row = &w(t, first);
      for (int64_t i = 0; i < count; ++i) squares_[first + i] += row[i] * row[i];
    }
  });
}

template class GramSchmidt<float>;
template class GramSchmidt<double>;

}  // namespace tern::linalg
