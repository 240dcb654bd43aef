// SPDX-License-Identifier: MIT
// math.h for V16: the same operations in the same order as the scalar functions.
#pragma once

#include "tern/kernels/math/math.h"
#include "tern/kernels/vec16-inl.h"

TERN_BEGIN_TARGET

HWY_INLINE VF Exp(VF x) {
  using K = math::ExpF32;
  const D d;
  const DI di;
  // Comparisons, since on some targets Min and Max drop a NaN.
  const VF max = hn::Set(d, K::kMax);
  const VF min = hn::Set(d, K::kMin);
  x = hn::IfThenElse(hn::Gt(x, max), max, x);
  x = hn::IfThenElse(hn::Lt(x, min), min, x);
  const VF round = hn::Set(d, K::kRound);
  const VF shifted = hn::Add(hn::Mul(x, hn::Set(d, K::kLog2E)), round);
  const VF n = hn::Sub(shifted, round);
  const VF r =
      hn::Sub(hn::Sub(x, hn::Mul(n, hn::Set(d, K::kLn2High))), hn::Mul(n, hn::Set(d, K::kLn2Low)));
  VF q = hn::Set(d, K::kC[4]);
  for (int i = 3; i >= 0; --i) q = hn::Add(hn::Mul(q, r), hn::Set(d, K::kC[i]));
  const VF y = hn::Add(hn::Set(d, 1.0f), hn::Add(r, hn::Mul(hn::Mul(r, r), q)));
  const VI k = hn::Sub(hn::BitCast(di, shifted), hn::BitCast(di, round));
  const VI half = hn::ShiftRight<1>(k);
  const VI bias = hn::Set(di, 127);
  const VF first = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const VF second = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(k, half), bias)));
  return hn::Mul(hn::Mul(y, first), second);
}

HWY_INLINE V16 Exp(V16 x) {
  for (int p = 0; p < kParts; ++p) x.part[p] = Exp(x.part[p]);
  return x;
}

TERN_END_TARGET
