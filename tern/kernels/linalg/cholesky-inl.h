// SPDX-License-Identifier: MIT
// Cholesky's factor of small matrices, for vector targets.
//
// As u^T d^-1 u with d the diagonal of u: no square root lies on the way from one pivot to the
// next. Rows are made in groups of four, each from all rows before it (left-looking), so that they
// are stored once and the processor works ahead on the next group while it waits for pivots.
#pragma once

#include <algorithm>
#include <cmath>

#include "tern/kernels/linalg/transpose-inl.h"

TERN_BEGIN_TARGET

constexpr int kGroup = 4;

template <typename T>
struct PivotRows {
  T* u;            // [n], in the place of a; what is below the diagonal has no meaning
  int64_t stride;  // of u
  T* quotients;    // [n] rows of u over their pivots
  int64_t width;   // of a row of quotients: n in whole vectors
};

// Takes what the rows before k say out of rows k ... k + kRows - 1, from column j on.
template <int kRows, int kVectors, typename T>
HWY_INLINE void TakeOutRows(const PivotRows<T>& rows, int64_t k, int64_t j) {
  const TagOf<T> d;
  constexpr int kWidth = kLanesOf<T>;
  T* const out = rows.u + k * rows.stride + j;
  VecOf<T> y[kRows][kVectors];
  TERN_UNROLL
  for (int r = 0; r < kRows; ++r) {
    TERN_UNROLL
    for (int v = 0; v < kVectors; ++v) y[r][v] = hn::Load(d, out + r * rows.stride + v * kWidth);
  }
  for (int64_t t = 0; t < k; ++t) {
    const T* const row = rows.u + t * rows.stride + j;
    const T* const factors = rows.quotients + t * rows.width + k;
    VecOf<T> x[kVectors];
    TERN_UNROLL
    for (int v = 0; v < kVectors; ++v) x[v] = hn::Load(d, row + v * kWidth);
    TERN_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const VecOf<T> factor = hn::Set(d, factors[r]);
      TERN_UNROLL
      for (int v = 0; v < kVectors; ++v) y[r][v] = hn::NegMulAdd(factor, x[v], y[r][v]);
    }
  }
  TERN_UNROLL
  for (int r = 0; r < kRows; ++r) {
    TERN_UNROLL
    for (int v = 0; v < kVectors; ++v) hn::Store(y[r][v], d, out + r * rows.stride + v * kWidth);
  }
}

// Vectors of one element: they round as the lanes of longer ones do.
template <typename T>
using OneTag = hn::CappedTag<T, 1>;
template <typename T>
using OneLane = hn::Vec<OneTag<T>>;

// The rows of the kRows x kRows block at u, and quotient[i][j] = element j of row i over its pivot,
// on the diagonal 1 over the pivot. Returns kRows, or the row whose pivot is not positive.
template <int kRows, typename T>
HWY_INLINE int FactorGroup(const T* u, int64_t stride, OneLane<T> (&row)[kRows][kRows],
                           OneLane<T> (&quotient)[kRows][kRows]) {
  const OneTag<T> d;
  TERN_UNROLL
  for (int i = 0; i < kRows; ++i) {
    TERN_UNROLL
    for (int j = i; j < kRows; ++j) {
      row[i][j] = hn::Load(d, u + i * stride + j);
      TERN_UNROLL
      for (int k = 0; k < i; ++k) row[i][j] = hn::NegMulAdd(quotient[k][i], row[k][j], row[i][j]);
    }
    if (!(hn::GetLane(row[i][i]) > 0)) return i;
    quotient[i][i] = hn::Div(hn::Set(d, T(1)), row[i][i]);
    TERN_UNROLL
    for (int j = i + 1; j < kRows; ++j) quotient[i][j] = hn::Mul(row[i][j], quotient[i][i]);
  }
  return kRows;
}

// Makes rows k ... k + kRows - 1. Returns kRows, or the row among them whose pivot is not positive.
template <int kRows, typename T>
HWY_INLINE int MakeRows(const PivotRows<T>& rows, int64_t k) {
  const TagOf<T> d;
  constexpr int kVectors = kManyRegisters ? 4 : 2;
  constexpr int kWidth = kLanesOf<T>;
  const int64_t begin = k / kWidth * kWidth;
  int64_t j = begin;
  for (; j + kVectors * kWidth <= rows.width; j += kVectors * kWidth) {
    TakeOutRows<kRows, kVectors>(rows, k, j);
  }
  for (; j < rows.width; j += kWidth) TakeOutRows<kRows, 1>(rows, k, j);
  OneLane<T> row[kRows][kRows], quotient[kRows][kRows];
  T* const u = rows.u + k * rows.stride;
  const int done = FactorGroup<kRows>(u + k, rows.stride, row, quotient);
  if (done < kRows) return done;
  for (j = begin; j < rows.width; j += kWidth) {
    VecOf<T> x[kRows];
    TERN_UNROLL
    for (int i = 0; i < kRows; ++i) {
      x[i] = hn::Load(d, u + i * rows.stride + j);
      TERN_UNROLL
      for (int t = 0; t < i; ++t) {
        x[i] = hn::NegMulAdd(hn::Set(d, hn::GetLane(quotient[t][i])), x[t], x[i]);
      }
      hn::Store(x[i], d, u + i * rows.stride + j);
      const VecOf<T> inverse = hn::Set(d, hn::GetLane(quotient[i][i]));
      hn::Store(hn::Mul(x[i], inverse), d, rows.quotients + (k + i) * rows.width + j);
    }
  }
  return kRows;
}

// Returns n, or the least i for which the leading minor of order i + 1 is not positive.
template <typename T>
HWY_INLINE int64_t MakeAllRows(const PivotRows<T>& rows, int64_t n) {
  int64_t k = 0;
  for (; k + kGroup <= n; k += kGroup) {
    const int done = MakeRows<kGroup>(rows, k);
    if (done < kGroup) return k + done;
  }
  for (; k < n; ++k) {
    if (MakeRows<1>(rows, k) < 1) return k;
  }
  return n;
}

template <typename T>
int64_t CholeskyBlock(T* a, int64_t stride, int64_t n) noexcept {
  const TagOf<T> d;
  constexpr int kWidth = kLanesOf<T>;
  HWY_ALIGN T quotients[kCholeskySide * kCholeskySide];
  const int64_t width = (n + kWidth - 1) / kWidth * kWidth;
  const int64_t done = MakeAllRows(PivotRows<T>{a, stride, quotients, width}, n);
  if (done < n) return done;
  for (int64_t k = 0; k < n; ++k) {
    T* const row = a + k * stride;
    const VecOf<T> scale = hn::Set(d, 1 / std::sqrt(row[k]));
    for (int64_t j = k / kWidth * kWidth; j < width; j += kWidth) {
      hn::Store(hn::Mul(hn::Load(d, row + j), scale), d, row + j);
    }
  }
  return n;
}

// Copies the squares of vectors on and above the diagonal of a [side, side] to u, rows of
// kSmallCholesky. Returns whether |a_ij - a_ji| <= roots[i] roots[j] everywhere, which also says
// that all is finite.
template <typename T>
HWY_INLINE bool LoadSymmetric(const T* a, int64_t stride, const T* roots, int64_t side, T* u) {
  const TagOf<T> d;
  constexpr int kWidth = kLanesOf<T>;
  auto close = hn::Eq(hn::Zero(d), hn::Zero(d));
  for (int64_t i = 0; i < side; i += kWidth) {
    for (int64_t j = i; j < side; j += kWidth) {
      VecOf<T> mirrored[kWidth];
      TERN_UNROLL
      for (int r = 0; r < kWidth; ++r) mirrored[r] = hn::LoadU(d, a + (j + r) * stride + i);
      ExchangeAll<kWidth / 2, T>(mirrored);
      const VecOf<T> bounds = hn::Load(d, roots + j);
      TERN_UNROLL
      for (int r = 0; r < kWidth; ++r) {
        const VecOf<T> x = hn::LoadU(d, a + (i + r) * stride + j);
        hn::Store(x, d, u + (i + r) * kSmallCholesky + j);
        const VecOf<T> bound = hn::Mul(hn::Set(d, roots[i + r]), bounds);
        close = hn::And(close, hn::Le(hn::Abs(hn::Sub(x, mirrored[r])), bound));
      }
    }
  }
  return hn::AllTrue(d, close);
}

// l [side, side] = u^T with columns times scales, zeros above the diagonal.
template <typename T>
HWY_INLINE void StoreLower(const T* u, const T* scales, int64_t side, T* l, int64_t stride) {
  const TagOf<T> d;
  constexpr int kWidth = kLanesOf<T>;
  for (int64_t i = 0; i < side; i += kWidth) {
    for (int64_t j = 0; j <= i; j += kWidth) {
      VecOf<T> x[kWidth];
      TERN_UNROLL
      for (int r = 0; r < kWidth; ++r) x[r] = hn::Load(d, u + (j + r) * kSmallCholesky + i);
      ExchangeAll<kWidth / 2, T>(x);
      const VecOf<T> scale = hn::Load(d, scales + j);
      TERN_UNROLL
      for (int r = 0; r < kWidth; ++r) {
        VecOf<T> y = hn::Mul(x[r], scale);
        if (i == j) y = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(r) + 1), y);
        hn::StoreU(y, d, l + (i + r) * stride + j);
      }
    }
    for (int64_t j = i + kWidth; j < side; j += kWidth) {
      TERN_UNROLL
      for (int r = 0; r < kWidth; ++r) hn::StoreU(hn::Zero(d), d, l + (i + r) * stride + j);
    }
  }
}

// The same for n <= kSide, a few rows, which registers and scalars do faster.
template <int kSide, typename T>
HWY_NOINLINE bool TinyCholesky(const T* a, int64_t a_stride, T tolerance, T* l, int64_t l_stride,
                               int64_t n) {
  const OneTag<T> d;
  T padded[kSide * kSide];
  if (n < kSide) {
    for (int64_t i = 0; i < kSide; ++i) {
      for (int64_t j = 0; j < kSide; ++j) {
        padded[i * kSide + j] = i < n && j < n ? a[i * a_stride + j] : i == j ? T(1) : T(0);
      }
    }
    a = padded;
    a_stride = kSide;
  }
  // First what waits for one pivot after the other, so that the rest can be done meanwhile.
  OneLane<T> row[kSide][kSide], quotient[kSide][kSide];
  if (FactorGroup<kSide>(a, a_stride, row, quotient) < kSide) return false;
  T roots[kSide];
  for (int i = 0; i < kSide; ++i) roots[i] = std::sqrt(std::abs(a[i * a_stride + i]) * tolerance);
  bool close = true;
  for (int i = 0; i < kSide; ++i) {
    for (int j = i; j < kSide; ++j) {
      close &= std::abs(a[i * a_stride + j] - a[j * a_stride + i]) <= roots[i] * roots[j];
    }
  }
  if (!close) return false;
  T* const out = n < kSide ? padded : l;
  const int64_t stride = n < kSide ? kSide : l_stride;
  TERN_UNROLL
  for (int j = 0; j < kSide; ++j) {
    const OneLane<T> root = hn::Sqrt(row[j][j]);
    TERN_UNROLL
    for (int i = 0; i < j; ++i) out[i * stride + j] = 0;
    hn::Store(root, d, out + j * stride + j);
    TERN_UNROLL
    for (int i = j + 1; i < kSide; ++i) {
      hn::Store(hn::Mul(quotient[j][i], root), d, out + i * stride + j);
    }
  }
  for (int64_t i = 0; i < n && n < kSide; ++i) std::copy_n(padded + i * kSide, n, l + i * l_stride);
  return true;
}

template <typename T>
bool SmallCholesky(const T* a, int64_t a_stride, T tolerance, T* l, int64_t l_stride,
                   int64_t n) noexcept {
  if (n <= 4) return TinyCholesky<4>(a, a_stride, tolerance, l, l_stride, n);
  if (n <= 8) return TinyCholesky<8>(a, a_stride, tolerance, l, l_stride, n);
  const TagOf<T> d;
  constexpr int64_t kWidth = kLanesOf<T>, kSide = kSmallCholesky;
  const int64_t side = (n + kWidth - 1) / kWidth * kWidth;
  // In `spare` at first a with zeros to whole vectors, then quotients, then l.
  HWY_ALIGN T u[kSide * kSide], spare[kSide * kSide], numbers[kSide];
  // By the time that l is stored, its lines are there.
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; j += 64 / static_cast<int64_t>(sizeof(T))) {
      __builtin_prefetch(l + i * l_stride + j, 1, 2);
    }
  }
  if (side != n) {
    std::fill_n(spare, side * kSide, T(0));
    for (int64_t i = 0; i < n; ++i) std::copy_n(a + i * a_stride, n, spare + i * kSide);
    a = spare;
    a_stride = kSide;
  }
  for (int64_t i = 0; i < side; ++i) numbers[i] = a[i * a_stride + i];
  for (int64_t i = 0; i < side; i += kWidth) {
    const VecOf<T> x = hn::Abs(hn::Load(d, numbers + i));
    hn::Store(hn::Sqrt(hn::Mul(x, hn::Set(d, tolerance))), d, numbers + i);
  }
  if (!LoadSymmetric(a, a_stride, numbers, side, u)) return false;
  if (MakeAllRows(PivotRows<T>{u, kSide, spare, side}, n) < n) return false;
  for (int64_t i = 0; i < side; ++i) numbers[i] = i < n ? u[i * kSide + i] : T(1);
  for (int64_t i = 0; i < side; i += kWidth) {
    const VecOf<T> x = hn::Load(d, numbers + i);
    hn::Store(hn::Div(hn::Set(d, T(1)), hn::Sqrt(x)), d, numbers + i);
  }
  if (side == n) {
    StoreLower(u, numbers, side, l, l_stride);
  } else {
    StoreLower(u, numbers, side, spare, kSide);
    for (int64_t i = 0; i < n; ++i) std::copy_n(spare + i * kSide, n, l + i * l_stride);
  }
  return true;
}

TERN_END_TARGET
