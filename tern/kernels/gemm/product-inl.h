// SPDX-License-Identifier: MIT
// GemmKernels::product for vector targets, as Goto and van de Geijn ("Anatomy of high-performance
// matrix multiplication", 2008) cut it: kProductDepth of k at a time, a's rows and b's columns are
// copied into panels that the inner loop reads in order, a panel of b stays in the first-level
// cache and all of a in the second, and a tile of out is held in registers.
#pragma once

#include <algorithm>

#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET

// A tile takes two vectors of columns and as many rows as leave registers for them.
constexpr int kProductRows = HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM ? 12 : 6;
constexpr int kProductColumns = 2 * kLanes;
static_assert(kMaxProductExtent + kProductRows <= kMaxProductExtent + 32);
static_assert(kProductColumns <= 32);

// Copies k vectors of `count` elements (x[i * stride + t * step], i < count, t < k) to panels of
// kWidth: panel[t][i], zeros for what is missing in the last one.
template <int kWidth>
HWY_INLINE void PackPanels(const float* x, int64_t stride, int64_t step, int64_t count, int64_t k,
                           float* HWY_RESTRICT panel) {
  for (int64_t first = 0; first < count; first += kWidth, panel += k * kWidth) {
    const int64_t width = std::min<int64_t>(kWidth, count - first);
    const float* const from = x + first * stride;
    if (width < kWidth) {
      for (int64_t t = 0; t < k; ++t) {
        for (int64_t i = 0; i < kWidth; ++i) {
          panel[t * kWidth + i] = i < width ? from[i * stride + t * step] : 0.0f;
        }
      }
    } else if (stride == 1) {
      for (int64_t t = 0; t < k; ++t) {
        for (int i = 0; i < kWidth; ++i) panel[t * kWidth + i] = from[t * step + i];
      }
    } else {
      for (int64_t t = 0; t < k; ++t) {
        for (int i = 0; i < kWidth; ++i) panel[t * kWidth + i] = from[i * stride + t * step];
      }
    }
  }
}

// out[kProductRows][kProductColumns] (+)= a panel of a times a panel of b.
HWY_INLINE void ProductTile(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, int64_t k,
                            bool accumulate, float* HWY_RESTRICT out, int64_t out_stride) {
  const D d;
  VF sum[kProductRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kProductRows; ++r) {
    float* const row = out + r * out_stride;
    sum[r][0] = accumulate ? hn::LoadU(d, row) : hn::Zero(d);
    sum[r][1] = accumulate ? hn::LoadU(d, row + kLanes) : hn::Zero(d);
  }
  for (int64_t t = 0; t < k; ++t) {
    const VF b0 = hn::LoadU(d, b + t * kProductColumns);
    const VF b1 = hn::LoadU(d, b + t * kProductColumns + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kProductRows; ++r) {
      const VF x = hn::Set(d, a[t * kProductRows + r]);
      sum[r][0] = hn::MulAdd(x, b0, sum[r][0]);
      sum[r][1] = hn::MulAdd(x, b1, sum[r][1]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kProductRows; ++r) {
    float* const row = out + r * out_stride;
    hn::StoreU(sum[r][0], d, row);
    hn::StoreU(sum[r][1], d, row + kLanes);
  }
}

// The same where only rows x columns of the tile exist.
HWY_NOINLINE void ProductEdge(const float* a, const float* b, int64_t k, bool accumulate,
                              float* out, int64_t out_stride, int64_t rows, int64_t columns) {
  HWY_ALIGN float tile[kProductRows * kProductColumns];
  ProductTile(a, b, k, false, tile, kProductColumns);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      float& y = out[r * out_stride + c];
      y = tile[r * kProductColumns + c] + (accumulate ? y : 0.0f);
    }
  }
}

void Product(StridedMatrix<float> a, StridedMatrix<float> b, float* out, int64_t out_stride,
             int64_t m, int64_t n, int64_t k, bool accumulate, float* workspace) noexcept {
  float* const a_panels = workspace;
  float* const b_panels = workspace + (kMaxProductExtent + 32) * kProductDepth;
  for (int64_t first = 0; first < k || first == 0; first += kProductDepth) {
    const int64_t depth = std::min(kProductDepth, k - first);
    PackPanels<kProductRows>(a.data + first * a.column_stride, a.row_stride, a.column_stride, m,
                             depth, a_panels);
    PackPanels<kProductColumns>(b.data + first * b.row_stride, b.column_stride, b.row_stride, n,
                                depth, b_panels);
    for (int64_t j = 0; j < n; j += kProductColumns) {
      for (int64_t i = 0; i < m; i += kProductRows) {
        const int64_t rows = std::min<int64_t>(kProductRows, m - i);
        const int64_t columns = std::min<int64_t>(kProductColumns, n - j);
        const float* const a_panel = a_panels + i * depth;
        const float* const b_panel = b_panels + j * depth;
        float* const y = out + i * out_stride + j;
        if (rows == kProductRows && columns == kProductColumns) {
          ProductTile(a_panel, b_panel, depth, accumulate, y, out_stride);
        } else {
          ProductEdge(a_panel, b_panel, depth, accumulate, y, out_stride, rows, columns);
        }
      }
    }
    accumulate = true;
  }
}

TERN_END_TARGET
