// SPDX-License-Identifier: MIT
#include <algorithm>
#include <utility>

#include "tern/base/error.h"
#include "tern/linalg/bidiagonal.h"

namespace tern::linalg {
namespace {

// Rotations of neighbouring rows, kept until there are enough to pass over a strip of columns that
// stays in the cache.
template <typename T>
class RotationBuffer {
 public:
  RotationBuffer(const Env& env, Matrix<T> rows)
      : env_(env),
        rows_(rows),
        capacity_(rows.rows == 0 ? 0 : kSweeps * rows.rows),
        space_(env.pool, static_cast<size_t>(2 * capacity_) * sizeof(T)),
        c_(space_.template As<T>()),
        s_(c_ + capacity_) {}

  bool active() const { return capacity_ > 0; }

  // A sweep of `count` rotations from `row` on in the direction of step. Then Add each.
  void Begin(int64_t row, int64_t step, int64_t count) {
    if (!active()) return;
    if (sweeps_ == kSweeps || used_ + count > capacity_) Flush();
    sweep_[sweeps_++] = {row, step, used_, count};
  }
  void Add(const Rotation<T>& rotation) {
    if (!active()) return;
    c_[used_] = rotation.c;
    s_[used_++] = rotation.s;
  }

  void Flush() {
    if (sweeps_ == 0) return;
    constexpr int64_t kStrip = 64;
    const int64_t strips = (rows_.columns + kStrip - 1) / kStrip;
    // Waking the threads costs about as much as 20,000 elements' rotations.
    const int64_t grain = std::max<int64_t>(1, 20000 / (kStrip * used_));
    env_.threads.ParallelFor(strips, grain, [&](int64_t begin, int64_t end) {
      for (int64_t strip = begin; strip < end; ++strip) {
        const int64_t column = strip * kStrip;
        for (int k = 0; k < sweeps_; ++k) {
          const Sweep& w = sweep_[k];
          SvdKernelsOf<T>(env_).rotate_rows(&rows_(w.row, column), w.step * rows_.row_stride,
                                            c_ + w.first, s_ + w.first, w.count,
                                            std::min(kStrip, rows_.columns - column));
        }
      }
    });
    sweeps_ = 0;
    used_ = 0;
  }

 private:
  static constexpr int kSweeps = 32;
  struct Sweep {
    int64_t row, step, first, count;
  };

  const Env& env_;
  Matrix<T> rows_;
  int64_t capacity_;
  Workspace space_;
  T* c_;
  T* s_;
  Sweep sweep_[kSweeps];
  int sweeps_ = 0;
  int64_t used_ = 0;
};

// The smaller singular value of [f g; 0 h], to full relative accuracy (Demmel and Kahan, section
// 5).
template <typename T>
T SmallerSingularValue(T f, T g, T h) {
  const T least = std::min(std::abs(f), std::abs(h)), most = std::max(std::abs(f), std::abs(h));
  const T off = std::abs(g);
  if (least == 0) return 0;
  const T as = 1 + least / most, at = (most - least) / most;
  if (off < most) {
    const T au = off / most * (off / most);
    return least * (2 / (std::sqrt(as * as + au) + std::sqrt(at * at + au)));
  }
  const T au = most / off;
  if (au == 0) return least * most / off;
  const T c = 1 / (std::sqrt(1 + as * au * (as * au)) + std::sqrt(1 + at * au * (at * au)));
  return 2 * (least * c * au);
}

template <typename T>
class QrIteration {
 public:
  QrIteration(const Env& env, Bidiagonal<T> b, Matrix<T> ut, Matrix<T> vt)
      : b_(b), left_(env, ut), right_(env, vt) {
    T smallest = std::abs(b.d[0]);
    T mu = smallest;
    for (int64_t i = 1; i < b.n && smallest > 0; ++i) {
      mu = std::abs(b.d[i]) * (mu / (mu + std::abs(b.e[i - 1])));
      smallest = std::min(smallest, mu);
    }
    const T n = static_cast<T>(b.n);
    negligible_ = std::max(kTolerance * smallest / std::sqrt(n),
                           kPasses * n * n * std::numeric_limits<T>::min());
  }

  void Run() {
    int64_t steps_left = kPasses * b_.n * b_.n;
    int64_t last = b_.n - 1;
    while (last > 0) {
      const int64_t first = FindBlock(last);
      if (first == last) {
        --last;
        continue;
      }
      if (first > old_last_ || last < old_first_) {
        // A new block is chased from its larger end to its smaller one.
        downwards_ = std::abs(b_.d[first]) >= std::abs(b_.d[last]);
      }
      old_first_ = first, old_last_ = last;
      Face(first, last);
      if (!Deflate()) {
        steps_left -= count_;
        if (steps_left < 0) {
          Fail(ErrorKind::kNumeric, "svd: the QR iteration of a {0} x {0} matrix did not converge",
               b_.n);
        }
        const T shift = ChooseShift();
        shift == 0 ? SweepWithoutShift() : SweepWithShift(shift);
        if (std::abs(E(count_ - 1)) <= negligible_) E(count_ - 1) = 0;
      }
    }
    left_.Flush();
    right_.Flush();
  }

 private:
  static constexpr int64_t kPasses = 6;
  // Demmel and Kahan's criteria with LAPACK's 100 roundings would drop elements of 50 eps beside
  // the greatest value of a small matrix.
  static constexpr T kTolerance = 4 * kRounding<T>;

  // The block, seen from the end where its sweeps begin: D(0), E(0), D(1), ... D(count_).
  void Face(int64_t first, int64_t last) {
    count_ = last - first;
    step_ = downwards_ ? 1 : -1;
    begin_ = downwards_ ? first : last;
  }
  T& D(int64_t k) { return b_.d[begin_ + k * step_]; }
  T& E(int64_t k) { return b_.e[downwards_ ? begin_ + k : begin_ - 1 - k]; }
  // Seen from below, B is transposed.
  RotationBuffer<T>& right() { return downwards_ ? right_ : left_; }
  RotationBuffer<T>& left() { return downwards_ ? left_ : right_; }

  // The first row of the unreduced block that ends with row `last`; `last` where it has converged.
  int64_t FindBlock(int64_t last) {
    largest_ = std::abs(b_.d[last]);
    int64_t i = last - 1;
    for (; i >= 0; --i) {
      const T off = std::abs(b_.e[i]);
      if (off <= negligible_) {
        b_.e[i] = 0;
        break;
      }
      largest_ = std::max({largest_, std::abs(b_.d[i]), off});
    }
    return i + 1;
  }

  // Whether an off-diagonal element was negligible by the criteria of Demmel and Kahan, section 3.
  // Else smallest_ is a lower bound of the block's values.
  bool Deflate() {
    if (std::abs(E(count_ - 1)) <= kTolerance * std::abs(D(count_))) {
      E(count_ - 1) = 0;
      return true;
    }
    T mu = std::abs(D(0));
    smallest_ = mu;
    for (int64_t k = 0; k < count_; ++k) {
      if (std::abs(E(k)) <= kTolerance * mu) {
        E(k) = 0;
        return true;
      }
      mu = std::abs(D(k + 1)) * (mu / (mu + std::abs(E(k))));
      smallest_ = std::min(smallest_, mu);
    }
    return false;
  }

  // 0 where a shift would cost the small values their accuracy.
  T ChooseShift() {
    if (static_cast<T>(b_.n) * kTolerance * (smallest_ / largest_) <=
        std::max(kRounding<T>, kTolerance / 100)) {
      return 0;
    }
    const T shift = SmallerSingularValue(D(count_ - 1), E(count_ - 1), D(count_));
    const T top = std::abs(D(0));
    if (top > 0 && shift / top * (shift / top) < kRounding<T>) return 0;
    return shift;
  }

  void BeginSweep() {
    right().Begin(begin_, step_, count_);
    left().Begin(begin_, step_, count_);
  }

  void SweepWithoutShift() {
    BeginSweep();
    Rotation<T> left_rotation = {1, 0, 0};
    T c = 1;
    for (int64_t k = 0; k < count_; ++k) {
      const Rotation<T> right_rotation = MakeRotation(D(k) * c, E(k));
      if (k > 0) E(k - 1) = left_rotation.s * right_rotation.r;
      left_rotation = MakeRotation(left_rotation.c * right_rotation.r, D(k + 1) * right_rotation.s);
      D(k) = left_rotation.r;
      c = right_rotation.c;
      right().Add(right_rotation);
      left().Add(left_rotation);
    }
    const T h = D(count_) * c;
    D(count_) = h * left_rotation.c;
    E(count_ - 1) = h * left_rotation.s;
  }

  void SweepWithShift(T shift) {
    BeginSweep();
    T f = (std::abs(D(0)) - shift) * (std::copysign(T(1), D(0)) + shift / D(0));
    T g = E(0);
    T d = D(0), e = E(0);  // of step k, as the steps before left them
    for (int64_t k = 0; k < count_; ++k) {
      const Rotation<T> a = MakeRotation(f, g);
      if (k > 0) E(k - 1) = a.r;
      const T next = D(k + 1);
      const Rotation<T> z = MakeRotation(a.c * d + a.s * e, a.s * next);
      e = a.c * e - a.s * d;
      D(k) = z.r;
      f = z.c * e + z.s * (a.c * next);
      d = z.c * (a.c * next) - z.s * e;
      if (k + 1 < count_) {
        g = z.s * E(k + 1);
        e = z.c * E(k + 1);
      }
      right().Add(a);
      left().Add(z);
    }
    D(count_) = d;
    E(count_ - 1) = f;
  }

  Bidiagonal<T> b_;
  RotationBuffer<T> left_, right_;
  T negligible_;           // an off-diagonal element that all values can spare
  bool downwards_ = true;  // sweeps begin with the first row
  int64_t begin_ = 0, step_ = 1, count_ = 0;
  int64_t old_first_ = -1, old_last_ = -1;
  T largest_ = 0, smallest_ = 0;
};

}  // namespace

template <typename T>
void NormalizeRows(const Env& env, const Matrix<T>& rows) {
  const int64_t width = (rows.columns + 15) / 16 * 16;
  for (int64_t i = 0; i < rows.rows; ++i) {
    T* const row = rows.Row(i);
    const T factor = 1 / std::sqrt(SvdKernelsOf<T>(env).dot(row, row, width));
    for (int64_t j = 0; j < rows.columns; ++j) row[j] *= factor;
  }
}

template <typename T>
void BidiagonalQr(const Env& env, Bidiagonal<T> b, Matrix<T> ut, Matrix<T> vt) {
  QrIteration<T>(env, b, ut, vt).Run();
  NormalizeRows<T>(env, ut);
  NormalizeRows<T>(env, vt);
  for (int64_t i = 0; i < b.n; ++i) {
    if (!std::signbit(b.d[i])) continue;
    b.d[i] = -b.d[i];
    if (vt.rows == 0) continue;
    for (int64_t j = 0; j < vt.columns; ++j) vt(i, j) = -vt(i, j);
  }
}

template void NormalizeRows<float>(const Env&, const Matrix<float>&);
template void NormalizeRows<double>(const Env&, const Matrix<double>&);
template void BidiagonalQr<float>(const Env&, Bidiagonal<float>, Matrix<float>, Matrix<float>);
template void BidiagonalQr<double>(const Env&, Bidiagonal<double>, Matrix<double>, Matrix<double>);

}  // namespace tern::linalg
