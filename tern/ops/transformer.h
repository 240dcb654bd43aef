// SPDX-License-Identifier: MIT
// The ops of the BitNet transformer. Conventions as in ops.h. Quantized ops are f32.
//
// Gradients of quantizers are the straight-through estimator: a quantizer hands the gradient of
// its output to its input unchanged (arXiv:2402.17764; transformers integrations/bitnet.py). So
//   d BitLinear / d x = dy . W,   W = trit * multiplier
//   d BitLinear / d w = dy^T . X, X = q / scale
// where x is the quantizer's float input and w the latent weight.
#pragma once

#include <span>

#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/pack/quant_rows.h"
#include "tern/pack/ternary_layout.h"

namespace tern::ops {

// x [..., n] with w [n]: x / sqrt(mean(x^2) + eps), times w.
Tensor RmsNorm(Context& ctx, const Tensor& x, const Tensor& w, double eps);

// x [..., k] -> int8 rows; leading axes are flattened.
QuantRows QuantizeRows(Context& ctx, const Tensor& x);
// RmsNorm and QuantizeRows in one op where the backend has it: the same bits.
QuantRows RmsNormQuantize(Context& ctx, const Tensor& x, const Tensor& w, double eps);

// w f32 [n, k] -> trits in the layout that the CPU's kernels read. NaN or infinity is an
// Error(kNumeric).
TernaryWeight QuantizeTernary(Context& ctx, const Tensor& w, TernaryQuantizer quantizer);
// Trits i8 [n, k] with values -1, 0, 1 and the multiplier of a checkpoint.
TernaryWeight PackTernary(Context& ctx, const Tensor& trits, float multiplier);
// With scales f32 [n, groups], groups a divisor of k. Equal scales of a row, and of all rows,
// become one, so that the same weights are computed alike however they were stored; the scale of a
// group of zeros alone does not count.
TernaryWeight PackTernary(Context& ctx, const Tensor& trits, const Tensor& scales);
// The same weights in another run-time layout, or in the same: w itself.
TernaryWeight InLayout(Context& ctx, const TernaryWeight& w, TernaryLayout layout);
Tensor UnpackTernary(Context& ctx, const TernaryWeight& w);      // i8 [n, k]
Tensor DequantizeTernary(Context& ctx, const TernaryWeight& w);  // f32 [n, k]

// y [rows, n] = (q . trit) * (multiplier / scale) + bias [n] unless it is undefined. With a scale
// for each row of w, (q . trit) * (1 / scale) times the row's; with more, TernaryLinear of q /
// scale.
Tensor BitLinear(Context& ctx, const QuantRows& x, const TernaryWeight& w, const Tensor& bias = {});

// y[i] = BitLinear of the same rows with weights[i], at most three, in one op where the backend has
// it: the same bits.
void BitLinears(Context& ctx, const QuantRows& x, std::span<const TernaryWeight* const> weights,
                std::span<Tensor> y);

// x f32 [rows, k] -> [rows, n]: the bits of Linear with DequantizeTernary(w), which are never all
// in memory. No gradient for w.
Tensor TernaryLinear(Context& ctx, const Tensor& x, const TernaryWeight& w,
                     const Tensor& bias = {});

// Angles of rotary position embedding, as transformers computes them in f32:
// inv_freq[i] = 1 / theta^(2i / head_dim), angle = position * inv_freq[i].
struct RopeTable {
  Tensor cos;  // [positions, head_dim / 2]
  Tensor sin;
};
// A row for each of positions i32 [n], from 0 and below 2^24.
RopeTable MakeRopeTable(Context& ctx, const Tensor& positions, int64_t head_dim, double theta);

// Rotates the halves of each head of x [tokens, heads, head_dim] by its position's angles:
// cos, sin [positions, head_dim / 2], positions i32 [tokens] (RoFormer, arXiv:2104.09864, in the
// half-split order of GPT-NeoX).
Tensor Rope(Context& ctx, const Tensor& x, const Tensor& cos, const Tensor& sin,
            const Tensor& positions);

// Keys or values as attention reads them: [batch, keys, kv_heads, head_dim] in a float type, or
// int8 codes with a scale for each token and head, f32 [batch, keys, kv_heads]: code * scale.
struct HeadRows {
  Tensor values;
  Tensor scales = {};  // of int8
};
HeadRows SliceKeys(Context& ctx, const HeadRows& rows, int64_t begin, int64_t end);
// x f32 rounded to a type: as RoundTo for floats; for i8 the codes, without a gradient.
HeadRows RoundHeads(Context& ctx, const Tensor& x, DType dtype);
// The same elements into memory of the shape of x.
void RoundHeadsInto(Context& ctx, const Tensor& x, const HeadRows& target);

// Causal grouped-query attention: q [batch, tokens, heads, head_dim]; k, v [batch, keys, kv_heads,
// head_dim] with keys >= start + tokens; query i sees keys 0 .. start + i. -> [batch, tokens,
// heads, head_dim]. Gradients need start == 0 and keys and values of the queries' type.
Tensor Attention(Context& ctx, const Tensor& q, const HeadRows& k, const HeadRows& v, float scale,
                 int64_t start);
inline Tensor Attention(Context& ctx, const Tensor& q, const Tensor& k, const Tensor& v,
                        float scale, int64_t start) {
  return Attention(ctx, q, HeadRows{k}, HeadRows{v}, scale, start);
}

// activation(gate) * up, of one shape.
Tensor GatedMlp(Context& ctx, const Tensor& gate, const Tensor& up, Activation activation);

}  // namespace tern::ops
