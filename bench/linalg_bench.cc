// SPDX-License-Identifier: MIT
// Dense decompositions against LAPACK, where the build found one. Every result is checked.
//
//   linalg_bench accuracy [COUNT]
//     errors of COUNT random and graded matrices for each routine and dtype, ours and LAPACK's
//   linalg_bench time tern|lapack ROUTINE f32|f64 THREADS N...
//     one line for each N: routine, dtype, N, the least seconds of a call
//   linalg_bench batch tern|lapack ROUTINE f32|f64 THREADS
//     the same for 1,000 matrices of 32 x 32
//
// Who uses LAPACK's threads sets OPENBLAS_NUM_THREADS or the like; bench/linalg_compare.py does.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tern/linalg/batch.h"
#include "tern/linalg/cholesky.h"
#include "tern/linalg/qr.h"
#include "tern/linalg/sample_matrices.h"

#if defined(TERN_BENCH_LAPACK)
extern "C" {
void sgeqrf_(const int* m, const int* n, float* a, const int* lda, float* tau, float* work,
             const int* lwork, int* info);
void dgeqrf_(const int* m, const int* n, double* a, const int* lda, double* tau, double* work,
             const int* lwork, int* info);
void sorgqr_(const int* m, const int* n, const int* k, float* a, const int* lda, const float* tau,
             float* work, const int* lwork, int* info);
void dorgqr_(const int* m, const int* n, const int* k, double* a, const int* lda, const double* tau,
             double* work, const int* lwork, int* info);
void spotrf_(const char* uplo, const int* n, float* a, const int* lda, int* info);
void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info);
}
#endif

namespace tern::linalg {
namespace {

using testing::Values;
using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

[[noreturn]] void Stop(const std::string& message) {
  fmt::print(stderr, "linalg_bench: {}\n", message);
  std::exit(1);
}

struct Errors {
  double backward = 0;    // relative, Frobenius
  double orthogonal = 0;  // of q, Frobenius, over sqrt(columns)
};

#if defined(TERN_BENCH_LAPACK)
void Geqrf(int m, int n, float* a, float* tau, float* work, int lwork, int* info) {
  sgeqrf_(&m, &n, a, &m, tau, work, &lwork, info);
}
void Geqrf(int m, int n, double* a, double* tau, double* work, int lwork, int* info) {
  dgeqrf_(&m, &n, a, &m, tau, work, &lwork, info);
}
void Orgqr(int m, int k, float* a, const float* tau, float* work, int lwork, int* info) {
  sorgqr_(&m, &k, &k, a, &m, tau, work, &lwork, info);
}
void Orgqr(int m, int k, double* a, const double* tau, double* work, int lwork, int* info) {
  dorgqr_(&m, &k, &k, a, &m, tau, work, &lwork, info);
}
void Potrf(int n, float* a, int* info) { spotrf_("L", &n, a, &n, info); }
void Potrf(int n, double* a, int* info) { dpotrf_("L", &n, a, &n, info); }

// LAPACK on one column-major matrix; workspaces are allocated beforehand.
template <typename T>
class Lapack {
 public:
  Lapack(std::string_view routine, int m, int n)
      : qr_(routine == "qr"),
        m_(m),
        n_(n),
        k_(std::min(m, n)),
        a_(static_cast<size_t>(m) * n),
        r_(static_cast<size_t>(k_) * n),
        tau_(static_cast<size_t>(k_)),
        work_(static_cast<size_t>(std::max(m, n)) * 64) {}

  // Sets the matrix, given in rows.
  void Set(const Matrix<const T>& a) { CopyMatrix<T>(a, {a_.data(), m_, n_, 1, m_}); }
  void Run() {
    int info = 0;
    if (qr_) {
      const int lwork = static_cast<int>(work_.size());
      Geqrf(m_, n_, a_.data(), tau_.data(), work_.data(), lwork, &info);
      if (info == 0) {
        for (int j = 0; j < n_; ++j) {
          for (int i = 0; i < std::min(j + 1, k_); ++i) {
            r_[static_cast<size_t>(j) * k_ + i] = a_[static_cast<size_t>(j) * m_ + i];
          }
        }
        Orgqr(m_, k_, a_.data(), tau_.data(), work_.data(), lwork, &info);
      }
    } else {
      Potrf(n_, a_.data(), &info);
    }
    if (info != 0) Stop("LAPACK refused");
  }
  Errors Check(const Matrix<const T>& a) {
    if (qr_) {
      const Matrix<const T> q = {a_.data(), m_, k_, 1, m_}, r = {r_.data(), k_, n_, 1, k_};
      return {testing::ProductError<T>(a, q, r),
              testing::OrthogonalityError<T>(q) / std::sqrt(static_cast<double>(k_))};
    }
    for (int j = 0; j < n_; ++j) std::fill_n(a_.begin() + static_cast<size_t>(j) * n_, j, T(0));
    const Matrix<const T> l = {a_.data(), n_, n_, 1, n_};
    return {testing::ProductError<T>(a, l, l.Transposed()), 0};
  }

 private:
  const bool qr_;
  const int m_, n_, k_;
  std::vector<T> a_, r_, tau_, work_;
};
#else
template <typename T>
class Lapack {
 public:
  Lapack(std::string_view, int, int) { Stop("this build found no LAPACK"); }
  void Set(const Matrix<const T>&) {}
  void Run() {}
  Errors Check(const Matrix<const T>&) { return {}; }
};
#endif

// The same of ours; a may be a batch.
template <typename T>
class Tern {
 public:
  Tern(Context& ctx, std::string_view routine) : ctx_(ctx), qr_(routine == "qr") {}
  void Run(const Tensor& a) {
    if (qr_) {
      result_ = Qr(ctx_, a);
    } else {
      result_.r = Cholesky(ctx_, a);
    }
  }
  Errors Check(const Tensor& a, int64_t index) const {
    const Matrix<const T> matrix = MatrixAt<T>(a, index), r = MatrixAt<T>(result_.r, index);
    if (!qr_) return {testing::ProductError<T>(matrix, r, r.Transposed()), 0};
    const Matrix<const T> q = MatrixAt<T>(result_.q, index);
    return {testing::ProductError<T>(matrix, q, r),
            testing::OrthogonalityError<T>(q) / std::sqrt(static_cast<double>(q.columns))};
  }

 private:
  Context& ctx_;
  const bool qr_;
  QrResult result_;
};

template <typename T>
constexpr double kEps = std::numeric_limits<T>::epsilon();

template <typename T>
void RequireRight(const Errors& errors, int64_t m, int64_t n) {
  if (errors.backward <= 10 * static_cast<double>(std::max(m, n)) * kEps<T> &&
      errors.orthogonal <= 50 * kEps<T>) {
    return;
  }
  Stop(fmt::format("wrong: backward {}, orthogonal {}", errors.backward, errors.orthogonal));
}

Values Sample(Random& random, std::string_view routine, int64_t m, int64_t n, double digits,
              int kind) {
  if (routine == "qr") {
    return kind == 0 ? testing::RandomMatrix(random, m, n)
                     : testing::GradedMatrix(random, m, n, digits, kind == 1);
  }
  Values a = testing::PositiveDefinite(random, n, 0.01);
  for (int64_t i = 0; i < n && kind != 0; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      a[i * n + j] *= std::pow(10.0, -digits * static_cast<double>(i + j) / static_cast<double>(n));
    }
  }
  return a;
}

// Prints the greatest errors in units of eps, and the greatest quotient of ours over
// max(2 LAPACK's, 10 eps).
template <typename T>
void Accuracy(std::string_view routine, int count) {
  const auto ctx = testing::MakeContext(1);
  Random random(1);
  double bound_share = 0, lapack_share = 0, orthogonal = 0, ours_max = 0, theirs_max = 0;
  for (int i = 0; i < count; ++i) {
    auto [m, n] = testing::RandomShape(&random);
    if (routine != "qr") m = n;
    const double digits = sizeof(T) == 8 ? 15 : 6;
    const Tensor a =
        testing::ToTensor<T>(*ctx, Sample(random, routine, m, n, digits, i % 3), {m, n});
    Tern<T> tern(*ctx, routine);
    tern.Run(a);
    const Errors ours = tern.Check(a, 0);
    Lapack<T> lapack(routine, static_cast<int>(m), static_cast<int>(n));
    lapack.Set(MatrixAt<T>(a, 0));
    lapack.Run();
    const Errors theirs = lapack.Check(MatrixAt<T>(a, 0));
    const double side = static_cast<double>(std::max(m, n));
    bound_share = std::max(bound_share, ours.backward / (10 * side * kEps<T>));
    lapack_share =
        std::max(lapack_share, ours.backward / std::max(2 * theirs.backward, 10 * kEps<T>));
    orthogonal = std::max(orthogonal, ours.orthogonal / kEps<T>);
    ours_max = std::max(ours_max, ours.backward / kEps<T>);
    theirs_max = std::max(theirs_max, theirs.backward / kEps<T>);
  }
  fmt::print("| {} | {} | {} | {:.2f} | {:.2f} | {:.3f} | {:.2f} | {:.2f} |\n", routine,
             sizeof(T) == 8 ? "f64" : "f32", count, ours_max, theirs_max, bound_share, lapack_share,
             orthogonal);
}

// The least of the times of run(), each after prepare(), for about half a second.
template <typename Prepare, typename Run>
double LeastSeconds(Prepare prepare, Run run) {
  double least = HUGE_VAL;
  const Clock::time_point start = Clock::now();
  for (int round = 0; round < 3 || SecondsSince(start) < 0.4; ++round) {
    prepare();
    const Clock::time_point begin = Clock::now();
    run();
    least = std::min(least, SecondsSince(begin));
  }
  return least;
}

template <typename T>
double Time(bool is_tern, std::string_view routine, int threads, int64_t count, int64_t n) {
  const auto ctx = testing::MakeContext(threads);
  Random random(2);
  Values values;
  for (int64_t i = 0; i < count; ++i) {
    const Values one = Sample(random, routine, n, n, 0, 0);
    values.insert(values.end(), one.begin(), one.end());
  }
  const Tensor a = testing::ToTensor<T>(*ctx, values, {count, n, n});
  if (is_tern) {
    Tern<T> tern(*ctx, routine);
    tern.Run(a);
    for (int64_t i = 0; i < count; ++i) RequireRight<T>(tern.Check(a, i), n, n);
    return LeastSeconds([] {}, [&] { tern.Run(a); });
  }
  std::vector<Lapack<T>> lapacks;
  for (int64_t i = 0; i < count; ++i) {
    lapacks.emplace_back(routine, static_cast<int>(n), static_cast<int>(n));
  }
  const auto set = [&] {
    for (int64_t i = 0; i < count; ++i) lapacks[i].Set(MatrixAt<T>(a, i));
  };
  const auto run = [&] {
    for (Lapack<T>& lapack : lapacks) lapack.Run();
  };
  set(), run();
  for (int64_t i = 0; i < count; ++i) {
    RequireRight<T>(lapacks[i].Check(MatrixAt<T>(a, i)), n, n);
  }
  return LeastSeconds(set, run);
}

int Main(int argc, char** argv) {
  const std::vector<std::string_view> args(argv + 1, argv + argc);
  if (!args.empty() && args[0] == "accuracy") {
    const int count = args.size() > 1 ? std::atoi(argv[2]) : 1000;
    fmt::print(
        "| routine | dtype | matrices | ours / eps | LAPACK's / eps | ours / (10 max(m, n) "
        "eps) | ours / max(2 LAPACK's, 10 eps) | orthogonality / (eps sqrt(n)) |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (const std::string_view routine : {"qr", "cholesky"}) {
      Accuracy<float>(routine, count);
      Accuracy<double>(routine, count);
    }
    return 0;
  }
  if (args.size() < 5 || (args[0] != "time" && args[0] != "batch") ||
      (args[2] != "qr" && args[2] != "cholesky")) {
    Stop("usage: accuracy [COUNT] | time|batch tern|lapack qr|cholesky f32|f64 THREADS [N...]");
  }
  const bool is_tern = args[1] == "tern", is_f64 = args[3] == "f64";
  const int threads = std::atoi(argv[5]);
  const auto report = [&](int64_t count, int64_t n) {
    const double seconds = is_f64 ? Time<double>(is_tern, args[2], threads, count, n)
                                  : Time<float>(is_tern, args[2], threads, count, n);
    fmt::print("{} {} {} {:.4e}\n", args[2], args[3], n, seconds);
  };
  if (args[0] == "batch") {
    report(1000, 32);
  } else {
    for (size_t i = 5; i < args.size(); ++i) report(1, std::atoll(argv[i + 1]));
  }
  return 0;
}

}  // namespace
}  // namespace tern::linalg

int main(int argc, char** argv) { return tern::linalg::Main(argc, argv); }
