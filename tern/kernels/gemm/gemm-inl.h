// SPDX-License-Identifier: MIT
// gemm.h for vector targets: tiles of kTileRows x 4 dot products whose lanes stay in registers.
#pragma once

#include <algorithm>

#include "tern/base/float16.h"
#include "tern/kernels/gemm/product-inl.h"
#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET

constexpr int kTileColumns = 4;
constexpr int kBlocks = kLanes / 4;  // of 128 bits in a vector
// As many accumulators as there are registers for: 32 with AVX-512 and NEON, else 16.
constexpr int kTileRows = HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM ? 4 : 2;
// A lone row has few accumulators, so it takes more of the 16 lanes at a time.
constexpr int kRowParts = kParts < kTileRows ? kParts : kTileRows;

// Steps of the fold of two vectors' lanes. Each adds lanes that lie `Fold` apart and packs what is
// left of a and b into one vector.
HWY_INLINE VF Fold8(VF a, VF b) {
  return hn::Add(hn::ConcatLowerLower(D(), b, a), hn::ConcatUpperUpper(D(), b, a));
}
HWY_INLINE VF Fold4(VF a, VF b) {
  return hn::Add(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a),
                 hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a)));
}
HWY_INLINE VF Fold2(VF a, VF b) {
  const hn::RepartitionToWide<D> pairs;
  const auto wide_a = hn::BitCast(pairs, a);
  const auto wide_b = hn::BitCast(pairs, b);
  return hn::Add(hn::BitCast(D(), hn::InterleaveLower(pairs, wide_a, wide_b)),
                 hn::BitCast(D(), hn::InterleaveUpper(pairs, wide_a, wide_b)));
}
HWY_INLINE VF Fold1(VF a, VF b) {
  return hn::Add(hn::OddEven(hn::DupEven(b), a), hn::OddEven(b, hn::DupOdd(a)));
}

// Folds the lanes of one column of kBlocks rows to 4 a row, by the tree's steps 8 and 4; block r of
// the result is row r.
HWY_INLINE VF FoldColumn(const V16* row) {
  if constexpr (kParts == 1) {
    return Fold4(Fold8(row[0].part[0], row[2].part[0]), Fold8(row[1].part[0], row[3].part[0]));
  } else if constexpr (kParts == 2) {
    return Fold4(hn::Add(row[0].part[0], row[0].part[1]), hn::Add(row[1].part[0], row[1].part[1]));
  } else {
    return hn::Add(hn::Add(row[0].part[0], row[0].part[2]),
                   hn::Add(row[0].part[1], row[0].part[3]));
  }
}

// A number of a narrow type as a float, exactly.
HWY_INLINE float AsFloat(float x) { return x; }
HWY_INLINE float AsFloat(BF16 x) { return ToF32(x); }
HWY_INLINE float AsFloat(F16 x) { return ToF32(x); }
HWY_INLINE float AsFloat(int8_t x) { return x; }

// kLanes numbers, and the first n < 16, as floats.
HWY_INLINE VF LoadLanes(const float* x) { return hn::LoadU(D(), x); }
HWY_INLINE VF LoadLanes(const BF16* x) {
  const hn::Rebind<uint16_t, DI> half;
  const auto bits = hn::LoadU(half, &x->bits);
  return hn::BitCast(D(), hn::ShiftLeft<16>(hn::PromoteTo(DI(), bits)));
}
HWY_INLINE VF LoadLanes(const F16* x) {
  const hn::Rebind<hwy::float16_t, DI> half;
  const auto bits = hn::LoadU(hn::RebindToUnsigned<decltype(half)>(), &x->bits);
  return hn::PromoteTo(D(), hn::BitCast(half, bits));
}
HWY_INLINE VF LoadLanes(const int8_t* x) {
  return hn::ConvertTo(D(), hn::PromoteTo(DI(), hn::LoadU(hn::Rebind<int8_t, DI>(), x)));
}
template <typename T>
HWY_INLINE V16 LoadFirst(const T* x, int64_t n) {
  float wide[16];
  for (int64_t i = 0; i < n; ++i) wide[i] = AsFloat(x[i]);
  return LoadN16(wide, n);
}

// What a tile reads: rows of a and 4 rows of b, of any type of LoadLanes(), and their last k mod 16
// elements padded with +0.
template <int kRows, typename B>
struct TileInput {
  const float* a[kRows];
  const B* b[kTileColumns];
  int64_t k = 0;
  int64_t ahead = 0;  // elements to what is fetched meanwhile: the same place of a later tile's b
};

// Adds the products of the parts first_part ... + kPassParts - 1 of k elements, a multiple of 16.
template <int kRows, int kPassParts, typename B>
HWY_INLINE void AccumulatePass(const TileInput<kRows, B>& in, int first_part,
                               V16 (&sums)[kRows][kTileColumns]) {
  const D d;
  VF sum[kRows][kTileColumns][kPassParts];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < kTileColumns; ++c) {
#pragma GCC unroll 16
      for (int p = 0; p < kPassParts; ++p) sum[r][c][p] = sums[r][c].part[first_part + p];
    }
  }
  for (int64_t t = first_part * kLanes; t < in.k; t += 16) {
    if constexpr (sizeof(B) < sizeof(float)) {
      if (t % (64 / sizeof(B)) < 16) {
        for (const B* b : in.b) __builtin_prefetch(b + t + in.ahead);
      }
    }
#pragma GCC unroll 16
    for (int p = 0; p < kPassParts; ++p) {
      VF a[kRows];
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) a[r] = hn::LoadU(d, in.a[r] + t + p * kLanes);
#pragma GCC unroll 16
      for (int c = 0; c < kTileColumns; ++c) {
        const VF b = LoadLanes(in.b[c] + t + p * kLanes);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          sum[r][c][p] = hn::Add(sum[r][c][p], hn::Mul(a[r], b));
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int c = 0; c < kTileColumns; ++c) {
#pragma GCC unroll 16
      for (int p = 0; p < kPassParts; ++p) sums[r][c].part[first_part + p] = sum[r][c][p];
    }
  }
}

template <int kRows, typename B>
HWY_INLINE void Accumulate(const TileInput<kRows, B>& in, V16 (&sums)[kRows][kTileColumns]) {
  constexpr int kPassParts = kRows == 1 ? kRowParts : 1;
  for (int p = 0; p < kParts; p += kPassParts) AccumulatePass<kRows, kPassParts, B>(in, p, sums);
}

// The last k mod 16 elements of the rows, padded with +0.
template <int kRows, typename B>
HWY_NOINLINE void AccumulateTail(const TileInput<kRows, B>& in, V16 (&sums)[kRows][kTileColumns]) {
  V16 a[kRows];
  const int64_t done = in.k / 16 * 16;
  for (int r = 0; r < kRows; ++r) a[r] = LoadN16(in.a[r] + done, in.k - done);
  for (int c = 0; c < kTileColumns; ++c) {
    const V16 b = LoadFirst(in.b[c] + done, in.k - done);
    for (int r = 0; r < kRows; ++r) sums[r][c] = Add(sums[r][c], Mul(a[r], b));
  }
}

// Writes the 4 sums of each of kRows <= kBlocks rows, row r in block r, the first n <= 4 of them.
template <int kRows>
HWY_INLINE void StoreTile(VF sums, const float* bias, float* out, int64_t out_stride, int64_t n) {
  const hn::CappedTag<float, 4> row;
  HWY_ALIGN float block[kLanes];
  if (n == kTileColumns) {
    if (bias != nullptr) sums = hn::Add(sums, hn::LoadDup128(D(), bias));
    hn::Store(sums, D(), block);
    for (int r = 0; r < kRows; ++r) {
      hn::StoreU(hn::Load(row, block + 4 * r), row, out + r * out_stride);
    }
    return;
  }
  hn::Store(sums, D(), block);
  for (int r = 0; r < kRows; ++r) {
    for (int64_t c = 0; c < n; ++c) {
      const float sum = block[4 * r + c];
      out[r * out_stride + c] = bias != nullptr ? sum + bias[c] : sum;
    }
  }
}

// out[kRows][n <= 4].
template <int kRows, typename B>
HWY_INLINE void DotTile(TileInput<kRows, B> in, const float* bias, float* out, int64_t out_stride,
                        int64_t n) {
  V16 sums[kRows][kTileColumns];
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kTileColumns; ++c) sums[r][c] = Zero16();
  }
  const int64_t k = in.k;
  in.k = k / 16 * 16;
  Accumulate(in, sums);
  in.k = k;
  if (k % 16 != 0) AccumulateTail(in, sums);
  for (int first = 0; first < kRows; first += kBlocks) {
    constexpr int kStored = kRows < kBlocks ? kRows : kBlocks;
    VF column[kTileColumns];
    for (int c = 0; c < kTileColumns; ++c) {
      V16 rows[kBlocks];
      for (int r = 0; r < kBlocks; ++r) rows[r] = sums[first + r < kRows ? first + r : first][c];
      column[c] = FoldColumn(rows);
    }
    StoreTile<kStored>(Fold1(Fold2(column[0], column[2]), Fold2(column[1], column[3])), bias,
                       out + first * out_stride, out_stride, n);
  }
}

// out[kRows][n]: kRows rows of a with every row of b.
template <int kRows, typename B>
HWY_INLINE void DotStrip(const float* a, int64_t a_stride, const B* b, int64_t b_stride,
                         const float* bias, float* out, int64_t out_stride, int64_t n, int64_t k) {
  TileInput<kRows, B> in;
  in.k = k;
  // The next tile, or, of short rows, one that is far enough for memory to answer.
  constexpr int64_t kFetchedElements = 2048 / sizeof(B);
  const int64_t tile = kTileColumns * std::max<int64_t>(1, b_stride);
  in.ahead = tile * (1 + kFetchedElements / tile);
  for (int r = 0; r < kRows; ++r) in.a[r] = a + r * a_stride;
  for (int64_t j = 0; j < n; j += kTileColumns) {
    // Past the last column its row is read again and the result dropped.
    for (int c = 0; c < kTileColumns; ++c) in.b[c] = b + std::min(j + c, n - 1) * b_stride;
    DotTile(in, bias == nullptr ? nullptr : bias + j, out + j, out_stride,
            std::min<int64_t>(kTileColumns, n - j));
  }
}

template <typename B>
void DotRowsOf(const float* a, int64_t a_stride, const B* b, int64_t b_stride, const float* bias,
               float* out, int64_t out_stride, int64_t m, int64_t n, int64_t k) noexcept {
  int64_t i = 0;
  for (; i + kTileRows <= m; i += kTileRows) {
    DotStrip<kTileRows>(a + i * a_stride, a_stride, b, b_stride, bias, out + i * out_stride,
                        out_stride, n, k);
  }
  for (; i < m; ++i) {
    DotStrip<1>(a + i * a_stride, a_stride, b, b_stride, bias, out + i * out_stride, out_stride, n,
                k);
  }
}

void DotBF16(const float* a, const uint16_t* b, int64_t b_stride, const float* bias, float* out,
             int64_t n, int64_t k) noexcept {
  DotStrip<1>(a, k, reinterpret_cast<const BF16*>(b), b_stride, bias, out, n, n, k);
}

// The loops over t become the target's integer dot products; the sums of a make up for the 128.
void DotCodes(const int8_t* a, int64_t a_stride, const uint8_t* b, int64_t b_stride, int32_t* out,
              int64_t out_stride, int64_t n, int64_t k) noexcept {
  const int8_t* HWY_RESTRICT a0 = a;
  const int8_t* HWY_RESTRICT a1 = a + a_stride;
  int32_t bias0 = 0, bias1 = 0;
  for (int64_t t = 0; t < k; ++t) {
    bias0 += 128 * a0[t];
    bias1 += 128 * a1[t];
  }
  for (int64_t j = 0; j < n; ++j) {
    const uint8_t* HWY_RESTRICT row = b + j * b_stride;
    for (int64_t t = 0; t < k; t += 64) __builtin_prefetch(row + 2 * b_stride + t);
    int32_t sum0 = 0, sum1 = 0;
    for (int64_t t = 0; t < k; ++t) {
      sum0 += a0[t] * row[t];
      sum1 += a1[t] * row[t];
    }
    out[j] = sum0 - bias0;
    out[out_stride + j] = sum1 - bias1;
  }
}

void WidenBF16(const uint16_t* HWY_RESTRICT x, float* HWY_RESTRICT out, int64_t n) noexcept {
  const DI d;
  const hn::Rebind<uint16_t, DI> half;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const VI bits = hn::PromoteTo(d, hn::LoadU(half, x + i));
    hn::StoreU(hn::BitCast(D(), hn::ShiftLeft<16>(bits)), D(), out + i);
  }
  for (; i < n; ++i) out[i] = ToF32(BF16{x[i]});
}

// Half precision has its exponent and mantissa where float has them, 13 bits lower; multiplying by
// 2^112 corrects the bias of the exponent, subnormals included. What was infinity or NaN gets the
// largest exponent.
void WidenF16(const uint16_t* HWY_RESTRICT x, float* HWY_RESTRICT out, int64_t n) noexcept {
  const DI d;
  const hn::Rebind<uint16_t, DI> half;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const VI bits = hn::PromoteTo(d, hn::LoadU(half, x + i));
    const VI magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(d, 0x7fff)));
    const VI sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(d, 0x8000)));
    const VI scaled = hn::BitCast(d, hn::Mul(hn::BitCast(D(), magnitude), hn::Set(D(), 0x1p112f)));
    const auto special = hn::Gt(magnitude, hn::Set(d, 0x0f7fffff));
    const VI top = hn::IfThenElseZero(special, hn::Set(d, 0x7f800000));
    hn::StoreU(hn::BitCast(D(), hn::Or(hn::Or(scaled, top), sign)), D(), out + i);
  }
  for (; i < n; ++i) out[i] = ToF32(F16{x[i]});
}

constexpr GemmKernels kGemm = {
    .dot_rows = DotRowsOf<float>,
    .dot_bf16 = DotBF16,
    .dot_codes = DotCodes,
    .product = Product,
    .widen_bf16 = WidenBF16,
    .widen_f16 = WidenF16,
};

TERN_END_TARGET
