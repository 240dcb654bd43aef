// SPDX-License-Identifier: MIT
// Blocked modified Gram-Schmidt with reorthogonalization on one matrix after the other: the engine
// of Qr. Keeps its workspaces from one to the next.
#pragma once

#include "tern/base/random.h"
#include "tern/linalg/batch.h"

namespace tern::linalg {

template <typename T>
class GramSchmidt {
 public:
  // For matrices [m, n].
  GramSchmidt(const Env& env, int64_t m, int64_t n);

  // Where to put the matrix to be decomposed; its first k = min(m, n) columns then hold q.
  Matrix<T> matrix() const { return w_.view(); }
  // [k, n], upper triangular after Run().
  Matrix<T> r() const { return r_.view(); }

  // Returns how many of the k columns do not depend on those before them.
  int64_t Run();
  // Takes the column with the largest norm left at each step: permutation[j] is where column j of
  // q r stands in the matrix. Returns how many r(j, j) exceed tolerance * r(0, 0).
  int64_t RunPivoted(double tolerance, int32_t* permutation);

 private:
  static constexpr int64_t kPanel = kernels::kGramSchmidtColumns;
  static constexpr int64_t kBlock = 32;
  static constexpr int64_t kProbes = 16;

  void ScaleColumns(bool alike);
  void UnscaleColumns();
  void Factor(int64_t first, int64_t count);
  void Project(int64_t first, int64_t count, int64_t end);
  void OrthonormalizeBlock(int64_t first, int64_t count);
  void OrthonormalizeWithin(int64_t first, int64_t count);
  bool IsOrthonormal(int64_t first, int64_t count);
  void AddProbes(int64_t first, int64_t count);
  int64_t BlockWidth(int64_t first, int64_t count) const;
  void Repeat(int64_t first, int64_t count);
  void RepeatByColumns(int64_t first, int64_t count);
  void OrthonormalizeColumn(int64_t j, T* coefficients);
  void Compose(int64_t first, int64_t count);
  int64_t CountIndependent() const;
  void SwapColumns(int64_t i, int64_t j, int32_t* permutation);
  void TakeOut(int64_t j);

  const Env& env_;
  const int64_t m_, n_, k_;
  const int64_t padded_n_;  // n to whole vectors; the columns between hold zeros
  WorkMatrix<T> w_;         // [m, n]
  WorkMatrix<T> r_;         // [k, n]
  WorkMatrix<T> before_;    // [k, block]: the coefficients of a second time
  WorkMatrix<T> block_r_;   // [block, block]: the triangle of the first time
  WorkMatrix<T> products_;  // [block, block]: of a block's columns with each other, or with probes
  WorkMatrix<T> probes_;    // [m, kProbes]: random sums of the columns that are done
  Workspace panel_;         // of the kernel
  Workspace columns_;       // a column with coefficients, and numbers for each column
  T* column_;               // [m]
  T* coefficients_;         // [n]
  T* dots_;                 // [n]
  T* largest_;              // [n] greatest magnitude of each column, then its power of two
  T* squares_;              // [n] squared norm left of each column, when pivoting
  bool scaled_ = false;
  Random random_{0};  // begins anew with each matrix
};

}  // namespace tern::linalg
