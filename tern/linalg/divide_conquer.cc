// SPDX-License-Identifier: MIT
// A node of the tree takes rows first ... first + n - 1 of B, and one column more than rows unless
// it holds the last column (`wide`). Its middle row c couples the parts above and below, whose left
// and right singular vectors are rows of ut and vt; a wide part has one right vector more, which
// its rows map to zero, in the row of vt behind its own. In these vectors the node's rows are
// [z; diag(d)] with d[c] = 0; once small z and equal d are set aside (deflated), the secular
// equation gives its decomposition, and products bring the vectors up to date.
#include <algorithm>
#include <numeric>

#include "tern/linalg/bidiagonal.h"
#include "tern/linalg/multiply.h"
#include "tern/linalg/secular.h"

namespace tern::linalg {
namespace {

constexpr int64_t kLeafRows = 32;

struct Node {
  int64_t first, n;
  bool wide;

  bool is_leaf() const { return n <= kLeafRows; }
  int64_t columns() const { return n + (wide ? 1 : 0); }
  int64_t middle() const { return first + n / 2; }
  Node Above() const { return {first, n / 2, true}; }
  Node Below() const { return {middle() + 1, n - n / 2 - 1, wide}; }
};

// The columns of a row from a multiple of 16 at or before `first` to one at or behind `end`: the
// vectors of a node are zero in what this adds.
template <typename T>
Matrix<T> Around(const Matrix<T>& rows, int64_t first, int64_t end) {
  const int64_t begin = first / 16 * 16;
  return rows.Block(0, begin, rows.rows, (end + 15) / 16 * 16 - begin);
}

template <typename T>
class Merge {
 public:
  Merge(const Env& env, const Node& node, Bidiagonal<T> b, Matrix<T> ut, Matrix<T> vt)
      : env_(env),
        kernels_(SvdKernelsOf<T>(env)),
        node_(node),
        c_(node.middle()),
        b_(b),
        ut_(ut),
        vt_(vt),
        numbers_(env.pool, static_cast<size_t>(6 * Padded()) * sizeof(T)),
        z_(numbers_.template As<T>()),
        poles_(z_ + Padded()),
        weights_(poles_ + Padded()),
        squares_(weights_ + Padded()),
        values_(squares_ + Padded()),
        indices_(env.pool, static_cast<size_t>(4 * Padded()) * sizeof(int64_t)),
        order_(indices_.As<int64_t>()),
        kept_(order_ + Padded()),
        dropped_(kept_ + Padded()),
        place_(dropped_ + Padded()),
        sides_(env.pool, static_cast<size_t>(Padded())),
        side_(sides_.As<Side>()) {}

  void Run() {
    const T alpha = b_.d[c_], beta = b_.e[c_];
    b_.d[c_] = 0;
    T norm = std::max(std::abs(alpha), std::abs(beta));
    for (int64_t i = 0; i < node_.n; ++i) norm = std::max(norm, b_.d[node_.first + i]);
    if (norm == 0) return;
    // Powers of two, so nothing is rounded. Squares then neither overflow nor vanish.
    const int exponent = std::ilogb(norm);
    for (int64_t i = 0; i < node_.n; ++i) {
      T& d = b_.d[node_.first + i];
      d = std::scalbn(d, -exponent);
    }
    MakeFirstRow(std::scalbn(alpha, -exponent), std::scalbn(beta, -exponent));
    Deflate(4 * kRounding<T> * std::scalbn(norm, -exponent));
    const WorkMatrix<T> u(env_.pool, count_, count_), v(env_.pool, count_, count_);
    Solve(v.view());
    FindVectors(u.view(), v.view());
    Update(u.view(), v.view());
    for (int64_t i = 0; i < node_.n; ++i) {
      T& d = b_.d[node_.first + i];
      d = std::scalbn(d, exponent);
    }
  }

 private:
  enum class Side : uint8_t { kAbove, kBoth, kBelow };  // where a row of ut or vt is not zero

  int64_t Padded() const { return (node_.n + 16) / 16 * 16; }
  Side& SideOf(int64_t row) { return side_[row - node_.first]; }
  T& Z(int64_t row) { return z_[row - node_.first]; }
  void Rotate(const Matrix<T>& rows, int64_t x, int64_t y, T c, T s) const {
    const Matrix<T> part = Around(rows, node_.first, node_.first + node_.columns());
    kernels_.rotate_rows(part.Row(x), (y - x) * part.row_stride, &c, &s, 1, part.columns);
  }

  // z, the node's row c in the right vectors of its parts; a wide node's surplus vector gets out.
  void MakeFirstRow(T alpha, T beta) {
    const int64_t end = node_.first + node_.n;
    for (int64_t i = node_.first; i < end; ++i) {
      Z(i) = i <= c_ ? alpha * vt_(i, c_) : beta * vt_(i, c_ + 1);
      SideOf(i) = i < c_ ? Side::kAbove : i == c_ ? Side::kBoth : Side::kBelow;
    }
    if (node_.wide) {
      const Rotation<T> rotation = MakeRotation(Z(c_), beta * vt_(end, c_ + 1));
      if (rotation.s != 0) Rotate(vt_, c_, end, rotation.c, rotation.s);
      Z(c_) = rotation.r;
    }
  }

  // Splits the rows into kept_ (ascending d, c first) and dropped_, after rotating pairs of equal d
  // so that one of each has z = 0.
  void Deflate(T tolerance) {
    const int64_t n = node_.n;
    std::iota(order_, order_ + n, node_.first);
    std::sort(order_, order_ + n, [&](int64_t i, int64_t j) {
      if (i == c_ || j == c_) return i == c_ && j != c_;
      return b_.d[i] != b_.d[j] ? b_.d[i] < b_.d[j] : i < j;
    });
    // Row c is never set aside, for its pole is 0; with no z at all there would be none.
    const T least = tolerance / 128;
    if (std::abs(Z(c_)) < least) Z(c_) = std::copysign(least, Z(c_));
    count_ = 0;
    int64_t drop = 0;
    kept_[count_++] = c_;
    for (int64_t k = 1; k < n; ++k) {
      const int64_t i = order_[k];
      const int64_t last = kept_[count_ - 1];
      if (std::abs(Z(i)) <= tolerance) {
        dropped_[drop++] = i;
      } else if (last != c_ && b_.d[i] - b_.d[last] <= tolerance) {
        const Rotation<T> rotation = MakeRotation(Z(i), Z(last));
        Rotate(ut_, last, i, rotation.c, -rotation.s);
        Rotate(vt_, last, i, rotation.c, -rotation.s);
        Z(i) = rotation.r;
        if (SideOf(i) != SideOf(last)) SideOf(i) = Side::kBoth;
        dropped_[drop++] = last;
        kept_[count_ - 1] = i;
      } else {
        kept_[count_++] = i;
      }
    }
    // The second pole may not be taken for the first, 0.
    for (int64_t k = 0; k < count_; ++k) {
      poles_[k] = k == 0 ? 0 : std::max(b_.d[kept_[k]], tolerance / 2);
      squares_[k] = Z(kept_[k]) * Z(kept_[k]);
    }
    padded_count_ = (count_ + 15) / 16 * 16;
    std::fill(poles_ + count_, poles_ + padded_count_, 8 * poles_[count_ - 1] + 8);
    std::fill(squares_ + count_, squares_ + padded_count_, T(0));
  }

  // values_, and the rows of `differences`: d^2 - value^2. Then weights_: the z of which these
  // values are exact, so that the vectors will be orthogonal (Gu and Eisenstat, section 3).
  void Solve(const Matrix<T>& differences) {
    const int64_t grain = std::max<int64_t>(1, 8192 / count_);
    env_.threads.ParallelFor(count_, grain, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        const SecularRoot<T> root =
            SolveSecular<T>(kernels_, {poles_, squares_, padded_count_}, count_, j);
        values_[j] = root.value();
        kernels_.secular_differences(poles_, root.origin, root.offset, differences.Row(j), count_);
      }
    });
    std::copy_n(differences.Row(count_ - 1), count_, weights_);
    env_.threads.ParallelFor(count_, std::max<int64_t>(16, grain), [&](int64_t begin, int64_t end) {
      for (int64_t j = 0; j + 1 < count_; ++j) {
        const int64_t split = std::clamp(j + 1, begin, end);
        const T* const row = differences.Row(j);
        kernels_.secular_weights(row + begin, poles_ + begin, poles_[j + 1], weights_ + begin,
                                 split - begin);
        kernels_.secular_weights(row + split, poles_ + split, poles_[j], weights_ + split,
                                 end - split);
      }
      for (int64_t i = begin; i < end; ++i) {
        weights_[i] = std::copysign(std::sqrt(std::abs(weights_[i])), Z(kept_[i]));
      }
    });
  }

  // Rows of u and v: the vectors of [z; diag(d)], their elements in the order in which Update packs
  // the rows of ut and vt. v holds the differences before.
  void FindVectors(const Matrix<T>& u, const Matrix<T>& v) {
    int64_t next[3] = {};
    for (int64_t k = 0; k < count_; ++k) ++next[static_cast<int>(SideOf(kept_[k]))];
    above_ = next[0], both_ = next[1];
    next[1] = above_, next[2] = above_ + both_, next[0] = 0;
    for (int64_t k = 0; k < count_; ++k) place_[k] = next[static_cast<int>(SideOf(kept_[k]))]++;
    const int64_t grain = std::max<int64_t>(1, 8192 / count_);
    env_.threads.ParallelFor(count_, grain, [&](int64_t begin, int64_t end) {
      const Workspace space(env_.pool, static_cast<size_t>(2 * count_) * sizeof(T));
      T* const left = space.template As<T>();
      T* const right = left + count_;
      for (int64_t j = begin; j < end; ++j) {
        std::copy_n(v.Row(j), count_, right);
        kernels_.secular_vectors(poles_, weights_, left, right, count_);
        for (int64_t k = 0; k < count_; ++k) {
          u(j, place_[k]) = left[k];
          v(j, place_[k]) = right[k];
        }
      }
    });
  }

  // The rows of `vectors` become, first, combinations of those that were kept, which are zero on
  // one side of column `split` unless they belong to the middle group; then those that were
  // dropped.
  void Combine(const Matrix<T>& combinations, const Matrix<T>& vectors, int64_t split) {
    const int64_t first = node_.first, columns = vectors.columns;
    const WorkMatrix<T> packed(env_.pool, node_.n, columns);
    const Matrix<T>& old = packed.view();
    for (int64_t k = 0; k < count_; ++k) {
      std::copy_n(vectors.Row(kept_[k]), columns, old.Row(place_[k]));
    }
    for (int64_t k = count_; k < node_.n; ++k) {
      std::copy_n(vectors.Row(dropped_[k - count_]), columns, old.Row(k));
    }
    const int64_t upper = above_ + both_, lower = count_ - above_;
    Multiply<T>(env_, 1, combinations.Block(0, 0, count_, upper), old.Block(0, 0, upper, split),
                false, vectors.Block(first, 0, count_, split));
    Multiply<T>(env_, 1, combinations.Block(0, above_, count_, lower),
                old.Block(above_, split, lower, columns - split), false,
                vectors.Block(first, split, count_, columns - split));
    for (int64_t k = count_; k < node_.n; ++k) {
      std::copy_n(old.Row(k), columns, vectors.Row(first + k));
    }
  }

  void Update(const Matrix<T>& u, const Matrix<T>& v) {
    // Row c of ut is the unit vector c and belongs to the middle group.
    Combine(u, ut_.Block(0, node_.first, ut_.rows, node_.n), c_ + 1 - node_.first);
    Combine(v, vt_.Block(0, node_.first, vt_.rows, node_.columns()), c_ + 1 - node_.first);
    for (int64_t k = count_; k < node_.n; ++k) values_[k] = b_.d[dropped_[k - count_]];
    std::copy_n(values_, node_.n, b_.d + node_.first);
  }

  const Env& env_;
  const kernels::SvdKernels<T>& kernels_;
  const Node node_;
  const int64_t c_;
  Bidiagonal<T> b_;
  Matrix<T> ut_, vt_;
  Workspace numbers_;
  T *z_, *poles_, *weights_, *squares_, *values_;
  Workspace indices_;
  int64_t *order_, *kept_, *dropped_, *place_;
  Workspace sides_;
  Side* side_;
  int64_t count_ = 0, padded_count_ = 0;  // rows kept
  int64_t above_ = 0, both_ = 0;          // of these, on which side
};

// A leaf with one column more than rows: rotations of neighbouring columns move the surplus to the
// last column and leave a lower bidiagonal matrix, rotations of rows make it upper bidiagonal.
template <typename T>
void DropLastColumn(const kernels::SvdKernels<T>& kernels, Bidiagonal<T> b, const Matrix<T>& ut,
                    const Matrix<T>& vt) {
  T c[kLeafRows], s[kLeafRows];
  for (bool right : {true, false}) {
    const int64_t count = right ? b.n : b.n - 1;
    for (int64_t i = 0; i < count; ++i) {
      const Rotation<T> rotation = MakeRotation(b.d[i], b.e[i]);
      c[i] = rotation.c, s[i] = rotation.s;
      b.d[i] = rotation.r;
      b.e[i] = 0;
      if (i + 1 < b.n) {
        b.e[i] = rotation.s * b.d[i + 1];
        b.d[i + 1] *= rotation.c;
      }
    }
    const Matrix<T>& rows = right ? vt : ut;
    kernels.rotate_rows(rows.data, rows.row_stride, c, s, count, rows.columns);
  }
}

template <typename T>
void SolveLeaf(const Env& env, const Node& node, Bidiagonal<T> b, const Matrix<T>& ut,
               const Matrix<T>& vt) {
  const Matrix<T> u = Around(ut, node.first, node.first + node.columns());
  const Matrix<T> v = Around(vt, node.first, node.first + node.columns());
  const Bidiagonal<T> part = b.Part(node.first, node.n);
  const auto rows = [&](const Matrix<T>& all) {
    return all.Block(node.first, 0, node.columns(), all.columns);
  };
  if (node.wide) DropLastColumn(SvdKernelsOf<T>(env), part, rows(u), rows(v));
  BidiagonalQr<T>(env, part, u.Block(node.first, 0, node.n, u.columns),
                  v.Block(node.first, 0, node.n, v.columns));
}

}  // namespace

template <typename T>
void BidiagonalDivideAndConquer(const Env& env, Bidiagonal<T> b, Matrix<T> ut, Matrix<T> vt) {
  for (const Matrix<T>& vectors : {ut, vt}) {
    for (int64_t i = 0; i < vectors.rows; ++i) {
      std::fill_n(vectors.Row(i), vectors.row_stride, T(0));
      vectors(i, i) = 1;
    }
  }
  // Rows begin at multiples of 64 bytes, and kernels may go on into the padding.
  const auto padded = [](Matrix<T> m) { return m.columns = m.row_stride, m; };
  const Matrix<T> u = padded(ut), v = padded(vt);
  PoolVector<Node> nodes({&env.pool, MemoryTag::kWorkspace});
  nodes.reserve(static_cast<size_t>(2 * b.n / kLeafRows + 64));
  PoolVector<size_t> levels({&env.pool, MemoryTag::kWorkspace});  // where each begins
  nodes.push_back({0, b.n, false});
  for (size_t begin = 0; begin < nodes.size();) {
    levels.push_back(begin);
    const size_t end = nodes.size();
    for (; begin < end; ++begin) {
      const Node node = nodes[begin];
      if (node.is_leaf()) continue;
      nodes.push_back(node.Above());
      nodes.push_back(node.Below());
    }
  }
  // Few large nodes use the threads inside.
  size_t end = nodes.size();
  for (size_t level = levels.size(); level-- > 0; end = levels[level]) {
    const auto run = [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        const Node& node = nodes[levels[level] + static_cast<size_t>(i)];
        node.is_leaf() ? SolveLeaf<T>(env, node, b, u, v) : Merge<T>(env, node, b, u, v).Run();
      }
    };
    const int64_t count = static_cast<int64_t>(end - levels[level]);
    count < env.threads.threads() ? run(0, count) : env.threads.ParallelFor(count, 1, run);
  }
}

#define TERN_INSTANTIATE(T) \
  template void BidiagonalDivideAndConquer<T>(const Env&, Bidiagonal<T>, Matrix<T>, Matrix<T>);
TERN_INSTANTIATE(float)
TERN_INSTANTIATE(double)
#undef TERN_INSTANTIATE

}  // namespace tern::linalg
