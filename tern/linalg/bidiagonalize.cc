// SPDX-License-Identifier: MIT
// Bidiagonalize: the matrix at hand is a + p^T q, p [2 k, m] and q [2 k, n] growing by two rows a
// step until a block of steps is full; then a takes them in. A step needs a column of it, a row of
// it, and its products with the two reflectors, of which the second follows from the first's.
#include <algorithm>

#include "tern/linalg/householder.h"
#include "tern/linalg/multiply.h"

namespace tern::linalg {
namespace {

int64_t RoundDown(int64_t i) { return i / 16 * 16; }
int64_t RoundUp(int64_t i) { return (i + 15) / 16 * 16; }

template <typename T>
class Bidiagonalizer {
 public:
  Bidiagonalizer(const Env& env, Matrix<T> a, Bidiagonal<T> b, const Reflectors<T>& left,
                 const Reflectors<T>& right)
      : env_(env),
        kernels_(SvdKernelsOf<T>(env)),
        a_(a),
        b_(b),
        left_(left),
        right_(right),
        m_(RoundUp(a.rows)),
        n_(RoundUp(a.columns)),
        block_(a.columns <= 48    ? 4
               : a.columns <= 96  ? 8
               : a.columns <= 192 ? 16
                                  : 32),
        panel_((a.columns <= 512 ? 512 : 1024) / static_cast<int64_t>(sizeof(T))),
        p_(env.pool, 2 * block_, m_),
        q_(env.pool, 2 * block_, n_),
        products_(env.pool, n_ / panel_ + 1, m_),
        small_(env.pool, static_cast<size_t>(4 * block_) * sizeof(T)),
        coefficients_(small_.template As<T>()),
        projection_(coefficients_ + 2 * block_) {}

  void Run() {
    p_.FillZero();
    q_.FillZero();
    for (int64_t i = 0; i < a_.columns; ++i) {
      ReduceColumn(i);
      if (i + 1 == a_.columns) {
        std::fill_n(right_.rows().Row(i), right_.padded().columns, T(0));
        right_.rows()(i, i) = 1;
        right_.tau()[i] = 0;
        break;
      }
      ReduceRow(i);
      if (2 * block_ == k_) TakeIn(i + 1);
    }
  }

 private:
  T* P(int64_t k) const { return p_.view().Row(k); }
  T* Q(int64_t k) const { return q_.view().Row(k); }

  // Column i of the matrix at hand, reflected; d[i].
  void ReduceColumn(int64_t i) {
    T* const v = left_.rows().Row(i);
    std::fill_n(v, left_.padded().columns, T(0));
    for (int64_t r = i; r < a_.rows; ++r) v[r] = a_(r, i);
    for (int64_t k = 0; k < k_; ++k) coefficients_[k] = Q(k)[i];
    const int64_t begin = RoundDown(i);
    kernels_.left_product(coefficients_, P(0) + begin, p_.view().row_stride, k_, v + begin,
                          m_ - begin);
    b_.d[i] = MakeReflector(kernels_, v, i, a_.rows, left_.tau() + i);
  }

  // p[k] = v and q[k] = -tau (the matrix at hand)^T v take the left reflector in. Row i of the
  // result is r; its reflector u, beta = e[i], is (r - beta e1) / (r[i + 1] - beta), so that a u
  // follows from a r, which is summed while a panel of a is still in the cache.
  void ReduceRow(int64_t i) {
    const T* const v = left_.rows().Row(i);
    T* const u = right_.rows().Row(i);
    const T tau = left_.tau()[i];
    const int64_t top = RoundDown(i), begin = RoundDown(i + 1);
    std::copy(v + top, v + m_, P(k_) + top);
    kernels_.right_product(P(0) + top, p_.view().row_stride, k_, v + top, projection_, m_ - top);
    for (int64_t k = 0; k <= k_; ++k) coefficients_[k] = P(k)[i];
    std::fill_n(u, right_.padded().columns, T(0));
    const int64_t panels = (n_ - begin + panel_ - 1) / panel_;
    const int64_t rows = a_.rows - i;
    // Waking the threads costs about as much as this many elements.
    const int64_t grain = rows * (n_ - begin) < 40000 ? panels : 1;
    env_.threads.ParallelFor(panels, grain, [&](int64_t first, int64_t last) {
      for (int64_t panel = first; panel < last; ++panel) {
        const int64_t j = begin + panel * panel_, width = std::min(panel_, n_ - j);
        T* const y = Q(k_) + j;
        std::fill_n(y, width, T(0));
        kernels_.left_product(v + i, a_.Row(i) + j, a_.row_stride, rows, y, width);
        kernels_.left_product(projection_, Q(0) + j, q_.view().row_stride, k_, y, width);
        for (int64_t c = 0; c < width; ++c) y[c] *= -tau;
        std::copy_n(a_.Row(i) + j, width, u + j);
        kernels_.left_product(coefficients_, Q(0) + j, q_.view().row_stride, k_ + 1, u + j, width);
        for (int64_t c = j; c <= i; ++c) u[c] = 0;
        kernels_.right_product(a_.Row(i + 1) + j, a_.row_stride, rows - 1, u + j,
                               products_.view().Row(panel), width);
      }
    });
    const T alpha = u[i + 1];
    b_.e[i] = MakeReflector(kernels_, u, i + 1, a_.columns, right_.tau() + i);
    ++k_;
    TakeRightReflector(i, panels, alpha - b_.e[i]);
  }

  // p[k] = -tau (the matrix at hand) u, q[k] = u. `scale` is what u has been divided by.
  void TakeRightReflector(int64_t i, int64_t panels, T scale) {
    const T* const u = right_.rows().Row(i);
    const T tau = right_.tau()[i];
    const int64_t begin = RoundDown(i + 1);
    T* const x = P(k_);
    std::copy(u + begin, u + n_, Q(k_) + begin);
    std::fill(x + begin, x + m_, T(0));
    if (tau != 0) {
      const T* const y = products_.view().Row(0);
      const int64_t rows = a_.rows - i - 1;
      for (int64_t r = 0; r < rows; ++r) {
        T sum = y[r] - b_.e[i] * a_(i + 1 + r, i + 1);
        for (int64_t panel = 1; panel < panels; ++panel) sum += products_.view()(panel, r);
        x[i + 1 + r] = sum / scale;
      }
      kernels_.right_product(Q(0) + begin, q_.view().row_stride, k_, u + begin, coefficients_,
                             n_ - begin);
      kernels_.left_product(coefficients_, P(0) + begin, p_.view().row_stride, k_, x + begin,
                            m_ - begin);
      for (int64_t r = begin; r < m_; ++r) x[r] *= r > i ? -tau : T(0);
    }
    ++k_;
  }

  // a += p^T q from row and column i on.
  void TakeIn(int64_t i) {
    const int64_t rows = a_.rows - i, columns = a_.columns - i;
    Multiply<T>(env_, 1, p_.view().Block(0, i, k_, rows).Transposed(),
                q_.view().Block(0, i, k_, columns), true, a_.Block(i, i, rows, columns));
    k_ = 0;
  }

  const Env& env_;
  const kernels::SvdKernels<T>& kernels_;
  const Matrix<T> a_;
  const Bidiagonal<T> b_;
  const Reflectors<T>&left_, &right_;
  const int64_t m_, n_;  // padded
  const int64_t block_;  // steps that p and q have room for
  const int64_t panel_;  // columns of a that the second-level cache holds
  WorkMatrix<T> p_, q_;
  WorkMatrix<T> products_;  // [panels, m]: a's panels times r
  Workspace small_;
  T *coefficients_, *projection_;
  int64_t k_ = 0;  // rows of p and q in use
};

}  // namespace

template <typename T>
void Bidiagonalize(const Env& env, Matrix<T> a, Bidiagonal<T> b, const Reflectors<T>& left,
                   const Reflectors<T>& right) {
  Bidiagonalizer<T>(env, a, b, left, right).Run();
}

#define TERN_INSTANTIATE(T)                                                                  \
  template void Bidiagonalize<T>(const Env&, Matrix<T>, Bidiagonal<T>, const Reflectors<T>&, \
                                 const Reflectors<T>&);
TERN_INSTANTIATE(float)
TERN_INSTANTIATE(double)
#undef TERN_INSTANTIATE

}  // namespace tern::linalg
