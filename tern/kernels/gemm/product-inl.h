// SPDX-License-Identifier: MIT
// Matrix products for vector targets, f32 and f64.
//
// ProductOf cuts as Goto and van de Geijn ("Anatomy of high-performance matrix multiplication",
// 2008) do: kProductDepth of k at a time, a's rows and b's columns are copied into panels that the
// inner loop reads in order, a panel of b stays in the first-level cache and all of a in the
// second, and a tile of out is held in registers. DirectProduct reads a and b where they are, which
// is faster for matrices that the caches hold. In ProductOf an element's bits do not depend on
// where in the call it lies, so they do not depend on how a larger product is cut into calls.
#pragma once

#include <algorithm>

#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET

template <typename T>
using TagOf = hn::CappedTag<T, 64 / sizeof(T)>;
template <typename T>
using VecOf = hn::Vec<TagOf<T>>;
template <typename T>
constexpr int kLanesOf = kLanes * 4 / static_cast<int>(sizeof(T));

// A tile takes two vectors of columns and as many rows as leave registers for them.
constexpr bool kManyRegisters = HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM;
constexpr int kProductRows = kManyRegisters ? 12 : 6;
template <typename T>
constexpr int kProductColumns = 2 * kLanesOf<T>;
static_assert(kMaxProductExtent + kProductRows <= kMaxProductExtent + 32);
static_assert(kProductColumns<float> <= 32);

// Copies k vectors of `count` elements (x[i * stride + t * step], i < count, t < k), times alpha,
// to panels of kWidth: panel[t][i], zeros for what is missing in the last one.
template <int kWidth, typename T>
HWY_INLINE void PackPanels(const T* x, int64_t stride, int64_t step, int64_t count, int64_t k,
                           T alpha, T* HWY_RESTRICT panel) {
  for (int64_t first = 0; first < count; first += kWidth, panel += k * kWidth) {
    const int64_t width = std::min<int64_t>(kWidth, count - first);
    const T* const from = x + first * stride;
    if (width < kWidth) {
      for (int64_t t = 0; t < k; ++t) {
        for (int64_t i = 0; i < kWidth; ++i) {
          panel[t * kWidth + i] = i < width ? alpha * from[i * stride + t * step] : T(0);
        }
      }
    } else if (stride == 1) {
      for (int64_t t = 0; t < k; ++t) {
        for (int i = 0; i < kWidth; ++i) panel[t * kWidth + i] = alpha * from[t * step + i];
      }
    } else {
      for (int64_t t = 0; t < k; ++t) {
        for (int i = 0; i < kWidth; ++i)
          panel[t * kWidth + i] = alpha * from[i * stride + t * step];
      }
    }
  }
}

// out[kProductRows][kProductColumns] (+)= a panel of a times a panel of b.
template <typename T>
HWY_INLINE void ProductTile(const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, int64_t k,
                            bool accumulate, T* HWY_RESTRICT out, int64_t out_stride) {
  const TagOf<T> d;
  constexpr int kWidth = kLanesOf<T>;
  VecOf<T> sum[kProductRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kProductRows; ++r) {
    T* const row = out + r * out_stride;
    sum[r][0] = accumulate ? hn::LoadU(d, row) : hn::Zero(d);
    sum[r][1] = accumulate ? hn::LoadU(d, row + kWidth) : hn::Zero(d);
  }
  for (int64_t t = 0; t < k; ++t) {
    const VecOf<T> b0 = hn::LoadU(d, b + t * kProductColumns<T>);
    const VecOf<T> b1 = hn::LoadU(d, b + t * kProductColumns<T> + kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < kProductRows; ++r) {
      const VecOf<T> x = hn::Set(d, a[t * kProductRows + r]);
      sum[r][0] = hn::MulAdd(x, b0, sum[r][0]);
      sum[r][1] = hn::MulAdd(x, b1, sum[r][1]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kProductRows; ++r) {
    T* const row = out + r * out_stride;
    hn::StoreU(sum[r][0], d, row);
    hn::StoreU(sum[r][1], d, row + kWidth);
  }
}

// The same where only rows x columns of the tile exist.
template <typename T>
HWY_NOINLINE void ProductEdge(const T* a, const T* b, int64_t k, bool accumulate, T* out,
                              int64_t out_stride, int64_t rows, int64_t columns) {
  HWY_ALIGN T tile[kProductRows * kProductColumns<T>] = {};
  for (int64_t r = 0; r < rows && accumulate; ++r) {
    std::copy_n(out + r * out_stride, columns, tile + r * kProductColumns<T>);
  }
  ProductTile(a, b, k, accumulate, tile, kProductColumns<T>);
  for (int64_t r = 0; r < rows; ++r) {
    std::copy_n(tile + r * kProductColumns<T>, columns, out + r * out_stride);
  }
}

template <typename T>
void ProductOf(StridedMatrix<T> a, StridedMatrix<T> b, T* out, int64_t out_stride, int64_t m,
               int64_t n, int64_t k, T alpha, bool accumulate, T* workspace) noexcept {
  T* const a_panels = workspace;
  T* const b_panels = workspace + (kMaxProductExtent + 32) * kProductDepth;
  for (int64_t first = 0; first < k || first == 0; first += kProductDepth) {
    const int64_t depth = std::min(kProductDepth, k - first);
    PackPanels<kProductRows>(a.data + first * a.column_stride, a.row_stride, a.column_stride, m,
                             depth, alpha, a_panels);
    PackPanels<kProductColumns<T>>(b.data + first * b.row_stride, b.column_stride, b.row_stride, n,
                                   depth, T(1), b_panels);
    for (int64_t j = 0; j < n; j += kProductColumns<T>) {
      for (int64_t i = 0; i < m; i += kProductRows) {
        const int64_t rows = std::min<int64_t>(kProductRows, m - i);
        const int64_t columns = std::min<int64_t>(kProductColumns<T>, n - j);
        const T* const a_panel = a_panels + i * depth;
        const T* const b_panel = b_panels + j * depth;
        T* const y = out + i * out_stride + j;
        if (rows == kProductRows && columns == kProductColumns<T>) {
          ProductTile(a_panel, b_panel, depth, accumulate, y, out_stride);
        } else {
          ProductEdge(a_panel, b_panel, depth, accumulate, y, out_stride, rows, columns);
        }
      }
    }
    accumulate = true;
  }
}

void Product(StridedMatrix<float> a, StridedMatrix<float> b, float* out, int64_t out_stride,
             int64_t m, int64_t n, int64_t k, bool accumulate, float* workspace) noexcept {
  ProductOf<float>(a, b, out, out_stride, m, n, k, 1.0f, accumulate, workspace);
}

template <class D>
constexpr int kWidthOf = static_cast<int>(hn::MaxLanes(D()));

// out[kRows][kVectors vectors of D] = alpha a b (+ out), k elements deep; rows of b and out
// contiguous.
template <class D, int kRows, int kVectors, typename T>
HWY_INLINE void DirectTile(StridedMatrix<T> a, const T* b, int64_t b_stride, int64_t k, T alpha,
                           bool accumulate, T* out, int64_t out_stride) {
  const D d;
  constexpr int kWidth = kWidthOf<D>;
  hn::Vec<D> sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  }
  for (int64_t t = 0; t < k; ++t) {
    hn::Vec<D> y[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) y[v] = hn::LoadU(d, b + t * b_stride + v * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const hn::Vec<D> x = hn::Set(d, a.data[r * a.row_stride + t * a.column_stride]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(x, y[v], sum[r][v]);
    }
  }
  const hn::Vec<D> factor = hn::Set(d, alpha);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      T* const place = out + r * out_stride + v * kWidth;
      hn::StoreU(accumulate ? hn::MulAdd(factor, sum[r][v], hn::LoadU(d, place))
                            : hn::Mul(factor, sum[r][v]),
                 d, place);
    }
  }
}

// All rows of kVectors vectors of columns.
template <class D, int kVectors, typename T>
HWY_INLINE void DirectStrip(StridedMatrix<T> a, const T* b, int64_t b_stride, T* out,
                            int64_t out_stride, int64_t m, int64_t k, T alpha, bool accumulate) {
  constexpr int kRows = kManyRegisters ? 8 : 4;
  int64_t i = 0;
  const auto at = [&] {
    return StridedMatrix<T>{a.data + i * a.row_stride, a.row_stride, a.column_stride};
  };
  for (; i + kRows <= m; i += kRows) {
    DirectTile<D, kRows, kVectors>(at(), b, b_stride, k, alpha, accumulate, out + i * out_stride,
                                   out_stride);
  }
  for (; i + 2 <= m; i += 2) {
    DirectTile<D, 2, kVectors>(at(), b, b_stride, k, alpha, accumulate, out + i * out_stride,
                               out_stride);
  }
  if (i < m) {
    DirectTile<D, 1, kVectors>(at(), b, b_stride, k, alpha, accumulate, out + i * out_stride,
                               out_stride);
  }
}

// The last n < a vector's columns, through padded copies.
template <typename T>
HWY_NOINLINE void DirectTail(StridedMatrix<T> a, const T* b, int64_t b_stride, T* out,
                             int64_t out_stride, int64_t m, int64_t n, int64_t k, T alpha,
                             bool accumulate) {
  constexpr int kWidth = kLanesOf<T>;
  constexpr int64_t kDepth = 64, kRows = 8;
  HWY_ALIGN T rows_of_b[kDepth * kWidth];
  HWY_ALIGN T tile[kRows * kWidth];
  std::fill_n(rows_of_b, kDepth * kWidth, T(0));
  for (int64_t first = 0; first < k || first == 0; first += kDepth) {
    const int64_t depth = std::min(kDepth, k - first);
    for (int64_t t = 0; t < depth; ++t) {
      for (int64_t j = 0; j < n; ++j) rows_of_b[t * kWidth + j] = b[(first + t) * b_stride + j];
    }
    for (int64_t i = 0; i < m; i += kRows) {
      const int64_t rows = std::min(kRows, m - i);
      DirectStrip<TagOf<T>, 1>(
          {a.data + i * a.row_stride + first * a.column_stride, a.row_stride, a.column_stride},
          rows_of_b, kWidth, tile, kWidth, rows, depth, alpha, false);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t j = 0; j < n; ++j) {
          T& y = out[(i + r) * out_stride + j];
          y = tile[r * kWidth + j] + (accumulate ? y : T(0));
        }
      }
    }
    accumulate = true;
  }
}

template <typename T>
void DirectProduct(StridedMatrix<T> a, const T* b, int64_t b_stride, T* out, int64_t out_stride,
                   int64_t m, int64_t n, int64_t k, T alpha, bool accumulate) noexcept {
  constexpr int kWidth = kLanesOf<T>;
  int64_t j = 0;
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) {
    DirectStrip<TagOf<T>, 2>(a, b + j, b_stride, out + j, out_stride, m, k, alpha, accumulate);
  }
  if (j + kWidth <= n) {
    DirectStrip<TagOf<T>, 1>(a, b + j, b_stride, out + j, out_stride, m, k, alpha, accumulate);
    j += kWidth;
  }
  if (j + kWidth / 2 <= n) {
    DirectStrip<hn::Half<TagOf<T>>, 1>(a, b + j, b_stride, out + j, out_stride, m, k, alpha,
                                       accumulate);
    j += kWidth / 2;
  }
  if (j < n) DirectTail(a, b + j, b_stride, out + j, out_stride, m, n - j, k, alpha, accumulate);
}

TERN_END_TARGET
