// SPDX-License-Identifier: MIT
#include "tern/linalg/householder.h"

#include <algorithm>

#include "tern/linalg/multiply.h"

namespace tern::linalg {
namespace {

constexpr int64_t kBlock = 32;
constexpr int64_t kChunk = 64;

// The block's product H(0) H(1) ... is I - V^T t V with V its rows, padded with zeros, and t upper
// triangular. Dot products are summed in lanes: where all elements are alike, as in Laeuchli's
// matrices, the roundings of one long sum all go one way, and t is off by n eps.
template <typename T>
void MakeFactor(const Env& env, Matrix<T> v, const T* tau, Matrix<T> t) {
  const kernels::SvdKernels<T>& kernels = SvdKernelsOf<T>(env);
  const int64_t padded = (v.columns + 15) / 16 * 16;
  T gram[kBlock];
  for (int64_t j = 0; j < v.rows; ++j) {
    kernels.right_product(v.data, v.row_stride, j, v.Row(j), gram, padded);
    for (int64_t i = 0; i < v.rows; ++i) t(i, j) = 0;
    for (int64_t i = 0; i < j; ++i) {
      T sum = 0;
      for (int64_t k = i; k < j; ++k) sum += t(i, k) * gram[k];
      t(i, j) = -tau[j] * sum;
    }
    t(j, j) = tau[j];
  }
}

// x = x (I - V^T t V), or with t's transpose. The products x V^T are summed in chunks: where most
// elements of x are nothing beside a few, a long sum would round hundreds of times what is small.
template <typename T>
void ApplyBlock(const Env& env, Matrix<T> v, Matrix<T> t, Matrix<T> x) {
  if (x.rows == 0) return;
  const WorkMatrix<T> first(env.pool, x.rows, v.rows), second(env.pool, x.rows, v.rows);
  for (int64_t j = 0; j < x.columns; j += kChunk) {
    const int64_t width = std::min(kChunk, x.columns - j);
    Multiply<T>(env, 1, x.Block(0, j, x.rows, width), v.Block(0, j, v.rows, width).Transposed(),
                false, j == 0 ? first.view() : second.view());
    for (int64_t i = 0; i < x.rows && j > 0; ++i) {
      T* const sum = first.view().Row(i);
      const T* const part = second.view().Row(i);
      for (int64_t k = 0; k < v.rows; ++k) sum[k] += part[k];
    }
  }
  Multiply<T>(env, 1, first.view(), t, false, second.view());
  Multiply<T>(env, -1, second.view(), v, true, x);
}

}  // namespace

template <typename T>
T MakeReflector(const kernels::SvdKernels<T>& kernels, T* x, int64_t i, int64_t n, T* tau) {
  constexpr T kSmall = std::numeric_limits<T>::min() / (kRounding<T> * kRounding<T>);
  const int64_t begin = i / 16 * 16, padded = (n + 15) / 16 * 16;
  std::fill(x + begin, x + i, T(0));
  const T square = kernels.dot(x + begin, x + begin, padded - begin);
  const T alpha = x[i];
  if (square < kSmall) [[unlikely]] {
    T greatest = 0;
    for (int64_t j = i; j < n; ++j) greatest = std::max(greatest, std::abs(x[j]));
    if (greatest > 0) {  // squares have lost digits
      const int exponent = std::ilogb(greatest);
      for (int64_t j = i; j < n; ++j) x[j] = std::scalbn(x[j], -exponent);
      return std::scalbn(MakeReflector(kernels, x, i, n, tau), exponent);
    }
  }
  x[i] = 0;
  const T tail = kernels.dot(x + begin, x + begin, padded - begin);
  std::fill(x, x + begin, T(0));
  x[i] = 1;
  *tau = 0;
  if (tail == 0) {
    std::fill(x + i + 1, x + n, T(0));
    return alpha;
  }
  const T beta = -std::copysign(std::sqrt(alpha * alpha + tail), alpha);
  const T scale = 1 / (alpha - beta);
  for (int64_t j = i + 1; j < n; ++j) x[j] *= scale;
  *tau = (beta - alpha) / beta;
  return beta;
}

template <typename T>
void HouseholderQr(const Env& env, Matrix<T> at, const Reflectors<T>& reflectors) {
  const int64_t n = at.rows, m = at.columns, padded = (m + 15) / 16 * 16;
  const kernels::SvdKernels<T>& kernels = SvdKernelsOf<T>(env);
  T factor[kBlock * kBlock];
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t count = std::min(kBlock, n - first), begin = first / 16 * 16;
    for (int64_t j = 0; j < count; ++j) {
      const int64_t i = first + j;
      T* const v = reflectors.rows().Row(i);
      std::fill_n(v, reflectors.padded().columns, T(0));
      std::copy_n(at.Row(i), m, v);
      T* const tau = reflectors.tau() + i;
      at(i, i) = MakeReflector(kernels, v, i, m, tau);
      T products[kBlock];
      const int64_t rest = count - j - 1;
      kernels.right_product(at.Row(i + 1) + begin, at.row_stride, rest, v + begin, products,
                            padded - begin);
      for (int64_t k = 0; k < rest; ++k) {
        const T x = -*tau * products[k];
        kernels.left_product(&x, v + begin, 0, 1, at.Row(i + 1 + k) + begin, padded - begin);
      }
    }
    const Matrix<T> v = reflectors.rows().Block(first, first, count, m - first);
    const Matrix<T> t = {factor, count, count, kBlock, 1};
    MakeFactor(env, v, reflectors.tau() + first, t);
    ApplyBlock(env, v, t, at.Block(first + count, first, n - first - count, m - first));
  }
}

template <typename T>
void MultiplyByReflectors(const Env& env, const Reflectors<T>& reflectors, Matrix<T> x) {
  const Matrix<T> rows = reflectors.rows();
  T factor[kBlock * kBlock];
  for (int64_t first = (rows.rows - 1) / kBlock * kBlock; first >= 0; first -= kBlock) {
    const int64_t count = std::min(kBlock, rows.rows - first), length = rows.columns - first;
    const Matrix<T> v = rows.Block(first, first, count, length);
    const Matrix<T> t = {factor, count, count, kBlock, 1};
    MakeFactor(env, v, reflectors.tau() + first, t);
    ApplyBlock(env, v, t.Transposed(), x.Block(0, first, x.rows, length));
  }
}

#define TERN_INSTANTIATE(T)                                                             \
  template T MakeReflector<T>(const kernels::SvdKernels<T>&, T*, int64_t, int64_t, T*); \
  template void HouseholderQr<T>(const Env&, Matrix<T>, const Reflectors<T>&);          \
  template void MultiplyByReflectors<T>(const Env&, const Reflectors<T>&, Matrix<T>);
TERN_INSTANTIATE(float)
TERN_INSTANTIATE(double)
#undef TERN_INSTANTIATE

}  // namespace tern::linalg
