// SPDX-License-Identifier: MIT
// LAPACK's decompositions, for comparison: one column-major matrix, workspaces allocated
// beforehand. Without TERN_BENCH_LAPACK there is none, and using it says so.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "tern/linalg/matrix.h"
#include "tern/linalg/sample_matrices.h"

#if defined(TERN_BENCH_LAPACK)
extern "C" {
#define TERN_DECLARE(T, p)                                                                       \
  void p##geqrf_(const int* m, const int* n, T* a, const int* lda, T* tau, T* work,              \
                 const int* lwork, int* info);                                                   \
  void p##orgqr_(const int* m, const int* n, const int* k, T* a, const int* lda, const T* tau,   \
                 T* work, const int* lwork, int* info);                                          \
  void p##potrf_(const char* uplo, const int* n, T* a, const int* lda, int* info);               \
  void p##gesdd_(const char* jobz, const int* m, const int* n, T* a, const int* lda, T* s, T* u, \
                 const int* ldu, T* vt, const int* ldvt, T* work, const int* lwork, int* iwork,  \
                 int* info);                                                                     \
  void p##gesvd_(const char* jobu, const char* jobvt, const int* m, const int* n, T* a,          \
                 const int* lda, T* s, T* u, const int* ldu, T* vt, const int* ldvt, T* work,    \
                 const int* lwork, int* info);
TERN_DECLARE(float, s)
TERN_DECLARE(double, d)
#undef TERN_DECLARE
}
#endif

namespace tern::linalg {

[[noreturn]] inline void Stop(const std::string& message) {
  fmt::print(stderr, "linalg_bench: {}\n", message);
  std::exit(1);
}

struct Errors {
  double backward = 0;    // relative, Frobenius
  double orthogonal = 0;  // the worst factor's, Frobenius, over sqrt(its columns)
};

enum class Routine { kQr, kCholesky, kSvd, kGesvd };

// Of a = left diag(s) right; no s: of a = left right.
template <typename T>
Errors Measure(Routine routine, const Matrix<const T>& a, const Matrix<const T>& left, const T* s,
               const Matrix<const T>& right) {
  Errors errors = {testing::ProductError<T>(a, left, right, s), 0};
  const double root = std::sqrt(static_cast<double>(left.columns));
  if (routine != Routine::kCholesky) {
    errors.orthogonal = testing::OrthogonalityError<T>(left) / root;
  }
  if (s != nullptr) {
    errors.orthogonal =
        std::max(errors.orthogonal, testing::OrthogonalityError<T>(right.Transposed()) / root);
  }
  return errors;
}

#if defined(TERN_BENCH_LAPACK)
template <typename T>
struct LapackFunctions;
#define TERN_FUNCTIONS(T, p)                  \
  template <>                                 \
  struct LapackFunctions<T> {                 \
    static constexpr auto geqrf = &p##geqrf_; \
    static constexpr auto orgqr = &p##orgqr_; \
    static constexpr auto potrf = &p##potrf_; \
    static constexpr auto gesdd = &p##gesdd_; \
    static constexpr auto gesvd = &p##gesvd_; \
  };
TERN_FUNCTIONS(float, s)
TERN_FUNCTIONS(double, d)
#undef TERN_FUNCTIONS

// kSvd is gesdd.
template <typename T>
class Lapack {
 public:
  Lapack(Routine routine, int m, int n)
      : routine_(routine),
        m_(m),
        n_(n),
        k_(std::min(m, n)),
        a_(static_cast<size_t>(m) * n),
        left_(svd() ? static_cast<size_t>(m) * k_ : 0),
        right_(routine == Routine::kCholesky ? 0 : static_cast<size_t>(k_) * n),
        numbers_(static_cast<size_t>(k_)),
        work_(static_cast<size_t>(std::max(m, n)) * 64),
        indices_(static_cast<size_t>(8) * k_) {
    if (!svd()) return;
    // A query for the best size of the workspace.
    lwork_ = -1;
    Run();
    work_.resize(static_cast<size_t>(work_[0]) + 1);
    lwork_ = static_cast<int>(work_.size());
  }

  // Sets the matrix, given in rows.
  void Set(const Matrix<const T>& a) { CopyMatrix<T>(a, {a_.data(), m_, n_, 1, m_}); }

  void Run() {
    int info = 0;
    switch (routine_) {
      case Routine::kQr:
        info = RunQr();
        break;
      case Routine::kCholesky:
        F::potrf("L", &n_, a_.data(), &n_, &info);
        break;
      case Routine::kSvd:
        F::gesdd("S", &m_, &n_, a_.data(), &m_, numbers_.data(), left_.data(), &m_, right_.data(),
                 &k_, work_.data(), &lwork_, indices_.data(), &info);
        break;
      case Routine::kGesvd:
        F::gesvd("S", "S", &m_, &n_, a_.data(), &m_, numbers_.data(), left_.data(), &m_,
                 right_.data(), &k_, work_.data(), &lwork_, &info);
        break;
    }
    if (info != 0) Stop("LAPACK refused");
  }

  // The result against the matrix that was set.
  Errors Check(const Matrix<const T>& a) {
    const Matrix<const T> own = {a_.data(), m_, k_, 1, m_};
    const Matrix<const T> right = {right_.data(), k_, n_, 1, k_};
    if (svd()) {
      const Matrix<const T> left = {left_.data(), m_, k_, 1, m_};
      return Measure<T>(routine_, a, left, numbers_.data(), right);
    }
    if (routine_ == Routine::kQr) return Measure<T>(routine_, a, own, nullptr, right);
    for (int j = 0; j < n_; ++j) std::fill_n(a_.begin() + static_cast<size_t>(j) * n_, j, T(0));
    return Measure<T>(routine_, a, own, nullptr, own.Transposed());
  }

 private:
  using F = LapackFunctions<T>;

  bool svd() const { return routine_ == Routine::kSvd || routine_ == Routine::kGesvd; }

  int RunQr() {
    int info = 0;
    const int lwork = static_cast<int>(work_.size());
    F::geqrf(&m_, &n_, a_.data(), &m_, numbers_.data(), work_.data(), &lwork, &info);
    if (info != 0) return info;
    for (int j = 0; j < n_; ++j) {
      for (int i = 0; i < std::min(j + 1, k_); ++i) {
        right_[static_cast<size_t>(j) * k_ + i] = a_[static_cast<size_t>(j) * m_ + i];
      }
    }
    F::orgqr(&m_, &k_, &k_, a_.data(), &m_, numbers_.data(), work_.data(), &lwork, &info);
    return info;
  }

  const Routine routine_;
  const int m_, n_, k_;
  std::vector<T> a_, left_, right_;
  std::vector<T> numbers_;  // tau, or singular values
  std::vector<T> work_;
  std::vector<int> indices_;
  int lwork_ = 0;
};
#else
template <typename T>
class Lapack {
 public:
  Lapack(Routine, int, int) { Stop("this build found no LAPACK"); }
  void Set(const Matrix<const T>&) {}
  void Run() {}
  Errors Check(const Matrix<const T>&) { return {}; }
};
#endif

}  // namespace tern::linalg
