// SPDX-License-Identifier: MIT
// Dense decompositions against LAPACK, where the build found one. Every result is checked.
//
//   linalg_bench accuracy [COUNT [ROUTINE]]
//     errors of COUNT random and graded matrices for each routine and dtype, ours and LAPACK's
//   linalg_bench kinds [COUNT [ROUTINE]]
//     the same for COUNT matrices of each kind that is hard
//   linalg_bench error ROUTINE f32|f64 N...
//     one line for each N: routine, dtype, N, the greatest backward errors of 20 random N x N
//     matrices (above 128 fewer, at least 2) over eps, ours and LAPACK's
//   linalg_bench time tern|lapack ROUTINE f32|f64 THREADS N...
//     one line for each N: routine, dtype, N, the least seconds of a call
//   linalg_bench batch tern|lapack ROUTINE f32|f64 THREADS
//     the same for 1,000 matrices of 32 x 32
//
// ROUTINE is qr (LAPACK: geqrf and orgqr), cholesky (potrf) or svd (gesdd and gesvd: the faster, or
// the less accurate). Who uses LAPACK's threads sets OPENBLAS_NUM_THREADS or the like;
// bench/linalg_compare.py does.
#include <chrono>
#include <cstring>
#include <string_view>

#include "bench/lapack.h"
#include "tern/linalg/batch.h"
#include "tern/linalg/cholesky.h"
#include "tern/linalg/qr.h"
#include "tern/linalg/svd.h"

namespace tern::linalg {
namespace {

using testing::Values;
using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr Routine kRoutines[] = {Routine::kQr, Routine::kCholesky, Routine::kSvd};
constexpr std::string_view kNames[] = {"qr", "cholesky", "svd"};

template <typename T>
constexpr double kEps = std::numeric_limits<T>::epsilon();
template <typename T>
constexpr const char* kDType = sizeof(T) == 8 ? "f64" : "f32";

std::string_view NameOf(Routine routine) { return kNames[static_cast<size_t>(routine)]; }

// Ours; a may be a batch.
template <typename T>
class Tern {
 public:
  Tern(Context& ctx, Routine routine) : ctx_(ctx), routine_(routine) {}

  void Run(const Tensor& a) {
    if (routine_ == Routine::kQr) {
      qr_ = Qr(ctx_, a);
    } else if (routine_ == Routine::kCholesky) {
      l_ = Cholesky(ctx_, a);
    } else {
      svd_ = Svd(ctx_, a);
    }
  }

  Errors Check(const Tensor& a, int64_t index) const {
    const Matrix<const T> matrix = MatrixAt<T>(a, index);
    if (routine_ == Routine::kQr) {
      return Measure<T>(routine_, matrix, MatrixAt<T>(qr_.q, index), nullptr,
                        MatrixAt<T>(qr_.r, index));
    }
    if (routine_ == Routine::kCholesky) {
      const Matrix<const T> l = MatrixAt<T>(l_, index);
      return Measure<T>(routine_, matrix, l, nullptr, l.Transposed());
    }
    const T* const s = svd_.s.template data<T>() + index * svd_.s.dim(-1);
    return Measure<T>(routine_, matrix, MatrixAt<T>(svd_.u, index), s, MatrixAt<T>(svd_.vt, index));
  }

 private:
  Context& ctx_;
  const Routine routine_;
  QrResult qr_;
  Tensor l_;
  SvdResult svd_;
};

// LAPACK's; of gesdd and gesvd the worse.
template <typename T>
Errors LapackErrors(Routine routine, const Matrix<const T>& a) {
  const auto run = [&](Routine of) {
    Lapack<T> lapack(of, static_cast<int>(a.rows), static_cast<int>(a.columns));
    lapack.Set(a);
    lapack.Run();
    return lapack.Check(a);
  };
  Errors errors = run(routine);
  if (routine == Routine::kSvd) {
    const Errors other = run(Routine::kGesvd);
    errors = {std::max(errors.backward, other.backward),
              std::max(errors.orthogonal, other.orthogonal)};
  }
  return errors;
}

template <typename T>
void RequireRight(const Errors& errors, int64_t m, int64_t n) {
  if (errors.backward <= 10 * static_cast<double>(std::max(m, n)) * kEps<T> &&
      errors.orthogonal <= 50 * kEps<T>) {
    return;
  }
  Stop(fmt::format("wrong: backward {}, orthogonal {}", errors.backward, errors.orthogonal));
}

// kind 0: random; 1, 2: graded by rows, by columns. For Cholesky, positive definite.
Values Sample(Random& random, Routine routine, int64_t m, int64_t n, double digits, int kind) {
  if (routine != Routine::kCholesky) {
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

// The greatest errors of some matrices, in units of eps, and the greatest quotients of ours over
// the two bounds.
template <typename T>
class Worst {
 public:
  Worst(Context& ctx, Routine routine) : ctx_(ctx), routine_(routine) {}

  void Add(const Values& values, int64_t m, int64_t n) {
    const Tensor a = testing::ToTensor<T>(ctx_, values, {m, n});
    Tern<T> tern(ctx_, routine_);
    tern.Run(a);
    const Errors ours = tern.Check(a, 0), theirs = LapackErrors<T>(routine_, MatrixAt<T>(a, 0));
    const double side = static_cast<double>(std::max(m, n));
    const double share = ours.backward / std::max(2 * theirs.backward, 10 * kEps<T>);
    ++count_;
    above_ += share > 1 ? 1 : 0;
    bound_share_ = std::max(bound_share_, ours.backward / (10 * side * kEps<T>));
    lapack_share_ = std::max(lapack_share_, share);
    orthogonal_ = std::max(orthogonal_, ours.orthogonal / kEps<T>);
    ours_ = std::max(ours_, ours.backward / kEps<T>);
    theirs_ = std::max(theirs_, theirs.backward / kEps<T>);
  }

  static void PrintHead() {
    fmt::print(
        "| routine | dtype | matrices | of them | ours / eps | LAPACK's / eps | ours / (10 max(m, "
        "n) eps) | ours / max(2 LAPACK's, 10 eps) | above 1 | orthogonality / (eps sqrt(n)) |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  }

  void Print(std::string_view kind) const {
    fmt::print("| {} | {} | {} | {} | {:.2f} | {:.2f} | {:.3f} | {:.2f} | {} | {} |\n",
               NameOf(routine_), kDType<T>, kind, count_, ours_, theirs_, bound_share_,
               lapack_share_, above_,
               routine_ == Routine::kCholesky ? "" : fmt::format("{:.2f}", orthogonal_));
  }

  double ours() const { return ours_; }
  double theirs() const { return theirs_; }

 private:
  Context& ctx_;
  const Routine routine_;
  int count_ = 0, above_ = 0;
  double bound_share_ = 0, lapack_share_ = 0, orthogonal_ = 0, ours_ = 0, theirs_ = 0;
};

template <typename T>
void Accuracy(Routine routine, int count) {
  const auto ctx = testing::MakeContext(1);
  Random random(1);
  Worst<T> worst(*ctx, routine);
  for (int i = 0; i < count; ++i) {
    auto [m, n] = testing::RandomShape(&random);
    if (routine == Routine::kCholesky) m = n;
    worst.Add(Sample(random, routine, m, n, sizeof(T) == 8 ? 15 : 6, i % 3), m, n);
  }
  worst.Print("random and graded");
}

struct Kind {
  std::string_view name;
  bool definite;  // there are positive definite ones
};
constexpr Kind kKinds[] = {
    {"Hilbert", true},         {"Laeuchli", false},     {"planted rank", false}, {"zeros", false},
    {"repeated values", true}, {"near overflow", true}, {"near underflow", true}};

// One m x n matrix of kKinds[kind] (m x m for Cholesky), or another size where the kind asks it.
template <typename T>
Values SampleKind(Random& random, Routine routine, size_t kind, int64_t* m, int64_t* n) {
  constexpr double kLargest = std::numeric_limits<T>::max(), kLeast = std::numeric_limits<T>::min();
  const bool definite = routine == Routine::kCholesky;
  const int64_t small = std::min(*m, *n);
  if (definite) *n = *m;
  Values a;
  switch (kind) {
    case 0:
      // Beyond these sides rounding leaves none that is positive definite.
      if (definite) *m = *n = 1 + *n % (sizeof(T) == 8 ? 11 : 5);
      return testing::HilbertMatrix(*m, *n);
    case 1:
      *m = *n + 1;
      return testing::LaeuchliMatrix(*n, std::pow(10.0, -20 * random.Uniform()));
    case 2:
      return testing::WithSingularValues(random, *m, *n,
                                         testing::FallingValues(1 + random.Below(small), 100));
    case 3:
      return Values(static_cast<size_t>(*m * *n), 0.0);
    case 4: {
      if (definite) {
        a.assign(static_cast<size_t>(*n * *n), 0.0);
        for (int64_t i = 0; i < *n; ++i) a[i * *n + i] = 3;
        return a;
      }
      Values values(static_cast<size_t>(small), 1.0);
      std::fill(values.begin() + (small + 1) / 2, values.end(), 0.5);
      return testing::WithSingularValues(random, *m, *n, values);
    }
    default:
      a = Sample(random, routine, *m, *n, 0, 0);
      testing::Scale(kind == 5 ? kLargest / 1000 : kLeast * 1e9, &a);
      return a;
  }
}

template <typename T>
void AccuracyOfKinds(Routine routine, int count) {
  const auto ctx = testing::MakeContext(1);
  Random random(2);
  for (size_t kind = 0; kind < std::size(kKinds); ++kind) {
    if (routine == Routine::kCholesky && !kKinds[kind].definite) continue;
    Worst<T> worst(*ctx, routine);
    for (int i = 0; i < count; ++i) {
      auto [m, n] = testing::RandomShape(&random);
      const Values a = SampleKind<T>(random, routine, kind, &m, &n);
      worst.Add(a, m, n);
    }
    worst.Print(kKinds[kind].name);
  }
}

template <typename T>
void ErrorAt(Routine routine, int64_t n) {
  const auto ctx = testing::MakeContext(1);
  Random random(3);
  Worst<T> worst(*ctx, routine);
  const int64_t count = std::clamp<int64_t>(2560 / n, 2, 20);
  for (int64_t i = 0; i < count; ++i) worst.Add(Sample(random, routine, n, n, 0, 0), n, n);
  fmt::print("{} {} {} {:.3f} {:.3f}\n", NameOf(routine), kDType<T>, n, worst.ours(),
             worst.theirs());
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
double LapackTime(Routine routine, const Tensor& a) {
  const int64_t count = a.dim(0), n = a.dim(1);
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

template <typename T>
double Time(bool is_tern, Routine routine, int threads, int64_t count, int64_t n) {
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
  const double seconds = LapackTime<T>(routine, a);
  if (routine != Routine::kSvd) return seconds;
  return std::min(seconds, LapackTime<T>(Routine::kGesvd, a));
}

Routine RoutineOf(std::string_view name) {
  for (const Routine routine : kRoutines) {
    if (name == NameOf(routine)) return routine;
  }
  Stop(fmt::format("no routine {}; there are qr, cholesky, svd", name));
}

int Main(int argc, char** argv) {
  const std::vector<std::string_view> args(argv + 1, argv + argc);
  const std::string_view mode = args.empty() ? "" : args[0];
  if (mode == "accuracy" || mode == "kinds") {
    const int given = args.size() > 1 ? std::atoi(argv[2]) : 0;
    Worst<float>::PrintHead();
    for (const Routine routine : kRoutines) {
      if (args.size() > 2 && routine != RoutineOf(args[2])) continue;
      if (mode == "accuracy") {
        Accuracy<float>(routine, given > 0 ? given : 1000);
        Accuracy<double>(routine, given > 0 ? given : 1000);
      } else {
        AccuracyOfKinds<float>(routine, given > 0 ? given : 100);
        AccuracyOfKinds<double>(routine, given > 0 ? given : 100);
      }
    }
    return 0;
  }
  if (mode == "error" && args.size() > 3) {
    for (size_t i = 3; i < args.size(); ++i) {
      const int64_t n = std::atoll(argv[i + 1]);
      args[2] == "f64" ? ErrorAt<double>(RoutineOf(args[1]), n)
                       : ErrorAt<float>(RoutineOf(args[1]), n);
    }
    return 0;
  }
  if (args.size() < 5 || (mode != "time" && mode != "batch")) {
    Stop(
        "usage: accuracy|kinds [COUNT [ROUTINE]] | error ROUTINE f32|f64 N... | time tern|lapack "
        "ROUTINE "
        "f32|f64 THREADS N... | batch tern|lapack ROUTINE f32|f64 THREADS");
  }
  const bool is_tern = args[1] == "tern", is_f64 = args[3] == "f64";
  const Routine routine = RoutineOf(args[2]);
  const int threads = std::atoi(argv[5]);
  const auto report = [&](int64_t count, int64_t n) {
    const double seconds = is_f64 ? Time<double>(is_tern, routine, threads, count, n)
                                  : Time<float>(is_tern, routine, threads, count, n);
    fmt::print("{} {} {} {:.4e}\n", args[2], args[3], n, seconds);
  };
  if (mode == "batch") {
    report(1000, 32);
  } else {
    for (size_t i = 5; i < args.size(); ++i) report(1, std::atoll(argv[i + 1]));
  }
  return 0;
}

}  // namespace
}  // namespace tern::linalg

int main(int argc, char** argv) { return tern::linalg::Main(argc, argv); }
