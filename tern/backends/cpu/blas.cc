// SPDX-License-Identifier: MIT
#include "tern/backends/cpu/blas.h"

#include <cblas.h>

#include <limits>
#include <type_traits>

#include "tern/base/check.h"

namespace tern::cpu {
namespace {

blasint Int(int64_t value) {
  TERN_CHECK(value >= 0 && value <= std::numeric_limits<blasint>::max());
  return static_cast<blasint>(value);
}

CBLAS_TRANSPOSE Transpose(bool transpose) { return transpose ? CblasTrans : CblasNoTrans; }

}  // namespace

template <typename T>
void BlasGemm(int64_t m, int64_t n, int64_t k, BlasMatrix<const T> a, BlasMatrix<const T> b,
              BlasMatrix<T> c, bool accumulate) {
  const auto gemm = [] {
    if constexpr (std::is_same_v<T, float>) {
      return cblas_sgemm;
    } else {
      return cblas_dgemm;
    }
  }();
  gemm(CblasRowMajor, Transpose(a.transpose), Transpose(b.transpose), Int(m), Int(n), Int(k), T(1),
       a.data, Int(a.stride), b.data, Int(b.stride), accumulate ? T(1) : T(0), c.data,
       Int(c.stride));
}

template void BlasGemm<float>(int64_t, int64_t, int64_t, BlasMatrix<const float>,
                              BlasMatrix<const float>, BlasMatrix<float>, bool);
template void BlasGemm<double>(int64_t, int64_t, int64_t, BlasMatrix<const double>,
                               BlasMatrix<const double>, BlasMatrix<double>, bool);

}  // namespace tern::cpu
