// SPDX-License-Identifier: MIT
// V16: the 16 virtual lanes of canonical float, held in as many vectors as the target needs.
// Element i of a reduction goes to lane i mod 16; Sum() folds the lanes by the fixed tree
// 8, 4, 2, 1 (lane j with lane j + 8, then j + 4, ...). Multiplies and adds stay two roundings.
// Included only by target sources, after targets/begin-inl.h.
#pragma once

#include <cstdint>

TERN_BEGIN_TARGET

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using DI = hn::RebindToSigned<D>;
using VF = hn::Vec<D>;
using VI = hn::Vec<DI>;
constexpr int kLanes =
    static_cast<int>(HWY_MAX_BYTES / sizeof(float) < 16 ? HWY_MAX_BYTES / sizeof(float) : 16);
constexpr int kParts = 16 / kLanes;

struct V16 {
  VF part[kParts];
};

HWY_INLINE V16 Zero16() {
  V16 r;
  for (int p = 0; p < kParts; ++p) r.part[p] = hn::Zero(D());
  return r;
}

HWY_INLINE V16 Set16(float x) {
  V16 r;
  for (int p = 0; p < kParts; ++p) r.part[p] = hn::Set(D(), x);
  return r;
}

HWY_INLINE V16 Load16(const float* x) {
  V16 r;
  for (int p = 0; p < kParts; ++p) r.part[p] = hn::LoadU(D(), x + p * kLanes);
  return r;
}

HWY_INLINE void Store16(V16 v, float* x) {
  for (int p = 0; p < kParts; ++p) hn::StoreU(v.part[p], D(), x + p * kLanes);
}

// The first n < 16 elements; the other lanes are the padding.
HWY_INLINE V16 LoadN16(const float* x, int64_t n, float padding = 0) {
  HWY_ALIGN float padded[16];
  Store16(Set16(padding), padded);
  for (int64_t i = 0; i < n; ++i) padded[i] = x[i];
  return Load16(padded);
}

HWY_INLINE void StoreN16(V16 v, float* x, int64_t n) {
  HWY_ALIGN float padded[16];
  Store16(v, padded);
  for (int64_t i = 0; i < n; ++i) x[i] = padded[i];
}

HWY_INLINE V16 Add(V16 a, V16 b) {
  for (int p = 0; p < kParts; ++p) a.part[p] = hn::Add(a.part[p], b.part[p]);
  return a;
}

HWY_INLINE V16 Mul(V16 a, V16 b) {
  for (int p = 0; p < kParts; ++p) a.part[p] = hn::Mul(a.part[p], b.part[p]);
  return a;
}

HWY_INLINE V16 Sub(V16 a, V16 b) {
  for (int p = 0; p < kParts; ++p) a.part[p] = hn::Sub(a.part[p], b.part[p]);
  return a;
}

HWY_INLINE V16 Div(V16 a, V16 b) {
  for (int p = 0; p < kParts; ++p) a.part[p] = hn::Div(a.part[p], b.part[p]);
  return a;
}

// Where one is NaN, or both are zeros, targets differ in which of the two they take.
HWY_INLINE V16 Max(V16 a, V16 b) {
  for (int p = 0; p < kParts; ++p) a.part[p] = hn::Max(a.part[p], b.part[p]);
  return a;
}

// The 8, 4, 2, 1 tree.
HWY_INLINE float Sum(V16 v) {
  HWY_ALIGN float lane[16];
  Store16(v, lane);
  for (int half = 8; half >= 1; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

// The greatest lane, as Max() takes them.
HWY_INLINE float MaxOf(V16 v) {
  HWY_ALIGN float lane[16];
  Store16(v, lane);
  for (int half = 8; half >= 1; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  }
  return lane[0];
}

TERN_END_TARGET
