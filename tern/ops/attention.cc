// SPDX-License-Identifier: MIT
// Rotary embedding, causal attention and the gate of the MLP; the last two are decomposed into
// small ops on a device that lacks them.
#include <span>

#include "tern/autograd/tape.h"
#include "tern/ops/call.h"
#include "tern/ops/ops.h"
#include "tern/ops/transformer.h"

namespace tern::ops {
namespace {

using internal::Refuse;
using internal::RequireFloats;
using internal::Run;

// `a` itself, without its link, if its last axis is contiguous, else a copy.
Tensor WithContiguousRows(Context& ctx, const Tensor& a) {
  const Tensor plain = a.Detached();
  return plain.dim(-1) <= 1 || plain.stride(-1) == 1 ? plain : Contiguous(ctx, plain);
}

// Scales [batch, keys, kv_heads] whose keys lie side by side.
Tensor WithContiguousKeys(Context& ctx, const Tensor& scales) {
  if (!scales.defined() || scales.dim(1) <= 1 || scales.stride(1) == 1) return scales;
  return Contiguous(ctx, scales.Transposed(1, 2)).Transposed(1, 2);
}

void CheckAttention(const Tensor& q, const HeadRows& keys, const HeadRows& values, int64_t start) {
  RequireFloats("Attention", {&q});
  const Tensor &k = keys.values, &v = values.values;
  const auto refuse = [&](std::string_view why) { Refuse("Attention", {&q, &k, &v}, why); };
  if (!k.defined() || !v.defined()) refuse("an operand is undefined");
  if (k.dtype() != v.dtype()) refuse("keys and values must have one dtype");
  const bool narrow =
      k.dtype() == DType::kBF16 || k.dtype() == DType::kF16 || k.dtype() == DType::kI8;
  if (k.dtype() != q.dtype() && !(narrow && q.dtype() == DType::kF32)) {
    refuse(
        "keys and values must have the queries' dtype, or be bf16, f16 or i8 beside f32 queries");
  }
  if (q.rank() != 4 || k.rank() != 4 || k.shape() != v.shape() || q.dim(0) != k.dim(0) ||
      q.dim(3) != k.dim(3)) {
    refuse(
        "operands must be [batch, tokens, heads, head_dim] and twice "
        "[batch, keys, kv_heads, head_dim]");
  }
  for (const Tensor* scales : {&keys.scales, &values.scales}) {
    const bool fits = scales->defined() && scales->dtype() == DType::kF32 &&
                      scales->shape() == Shape{k.dim(0), k.dim(1), k.dim(2)};
    if (k.dtype() == DType::kI8 ? !fits : scales->defined()) {
      refuse("int8 keys and values, and no others, need scales f32 [batch, keys, kv_heads]");
    }
  }
  if (k.dim(2) == 0 || q.dim(2) % k.dim(2) != 0) refuse("kv_heads must divide heads");
  if (start < 0 || start + q.dim(1) > k.dim(1)) {
    refuse("there must be a key for every position up to the last query's");
  }
}

// Added to the scores [tokens, start + tokens]: hides the keys behind each query.
Tensor CausalMask(Context& ctx, const Tensor& like, int64_t tokens, int64_t start) {
  constexpr double kHidden = -1e30;  // whose exponential is 0 beside any score's
  Tensor mask = ctx.EmptyLike(like, {tokens, start + tokens}, like.dtype());
  Run(ctx, Op::kFill, {}, {&mask}, ScalarAttrs{0});
  for (int64_t i = 0; i + 1 < tokens; ++i) {
    const Tensor hidden = mask.Selected(0, i).Sliced(0, start + i + 1, start + tokens);
    Run(ctx, Op::kFill, {}, {&hidden}, ScalarAttrs{kHidden});
  }
  return mask;
}

// [batch, n, kv_heads, group, head_dim] -> [batch, kv_heads, group, n, head_dim], and back.
Tensor HeadsFirst(Context& ctx, const Tensor& a) {
  return Transpose(ctx, Transpose(ctx, a, 1, 2), 2, 3);
}
Tensor HeadsLast(Context& ctx, const Tensor& a) {
  return Transpose(ctx, Transpose(ctx, a, 2, 3), 1, 2);
}

Tensor AttentionBySmallOps(Context& ctx, const Tensor& q, const HeadRows& key_rows,
                           const HeadRows& value_rows, const AttentionAttrs& attrs) {
  const auto wide = [&](const HeadRows& rows) {
    Tensor values = Cast(ctx, rows.values, q.dtype());
    if (!rows.scales.defined()) return values;
    const Shape column = {values.dim(0), values.dim(1), values.dim(2), 1};
    return Mul(ctx, values, Reshape(ctx, Contiguous(ctx, rows.scales), column));
  };
  const Tensor k = wide(key_rows), v = wide(value_rows);
  const int64_t batch = q.dim(0), tokens = q.dim(1), kv_heads = k.dim(2), head_dim = q.dim(3);
  const int64_t keys = attrs.start + tokens;
  const auto heads_first = [&](const Tensor& a, int64_t n) {
    const Shape shape = {batch, n, kv_heads, a.dim(2) / kv_heads, head_dim};
    return HeadsFirst(ctx, Reshape(ctx, Slice(ctx, a, 1, 0, n), shape));
  };
  const Tensor scores =
      MatMul(ctx, heads_first(q, tokens), Transpose(ctx, heads_first(k, keys), -1, -2));
  const Tensor masked =
      Add(ctx, MulScalar(ctx, scores, attrs.scale), CausalMask(ctx, q, tokens, attrs.start));
  const Tensor y = MatMul(ctx, Softmax(ctx, masked), heads_first(v, keys));
  return Reshape(ctx, HeadsLast(ctx, y), q.shape());
}

// GELU in its form with tanh, (1 + tanh(u)) / 2 = sigmoid(2 u): arXiv:1606.08415.
Tensor GeluTanh(Context& ctx, const Tensor& x) {
  constexpr double kTwiceRootOfTwoOverPi = 1.5957691216057308;
  const Tensor cubic = AddScalar(ctx, MulScalar(ctx, Square(ctx, x), 0.044715), 1);
  const Tensor u = MulScalar(ctx, Mul(ctx, x, cubic), kTwiceRootOfTwoOverPi);
  return Mul(ctx, x, Sigmoid(ctx, u));
}

Tensor Activate(Context& ctx, const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kRelu2:
      return Relu2(ctx, x);
    case Activation::kSilu:
      return Silu(ctx, x);
    default:
      return GeluTanh(ctx, x);
  }
}

}  // namespace

Tensor Rope(Context& ctx, const Tensor& x, const Tensor& cos, const Tensor& sin,
            const Tensor& positions) {
  RequireFloats("Rope", {&x, &cos, &sin});
  if (x.rank() != 3 || x.dim(2) % 2 != 0 || cos.rank() != 2 || cos.shape() != sin.shape() ||
      2 * cos.dim(1) != x.dim(2)) {
    Refuse("Rope", {&x, &cos, &sin},
           "operands must be [tokens, heads, head_dim], head_dim even, and twice "
           "[positions, head_dim / 2]");
  }
  if (!positions.defined() || positions.dtype() != DType::kI32 ||
      positions.shape() != Shape{x.dim(0)} || !positions.is_contiguous()) {
    Refuse("Rope", {&x, &positions}, "positions must be i32 [tokens]");
  }
  const Tensor from = WithContiguousRows(ctx, x);
  const Tensor cosines = Contiguous(ctx, cos.Detached());
  const Tensor sines = Contiguous(ctx, sin.Detached());
  Tensor y = ctx.EmptyLike(x, x.shape(), x.dtype());
  Run(ctx, Op::kRope, {&from, &cosines, &sines, &positions}, {&y}, RopeAttrs{});
  RecordBackward({&x}, {&y}, [cosines, sines, positions](GradientPass& pass) {
    const Tensor dy = WithContiguousRows(pass.ctx(), pass.OutputGradient());
    const Tensor dx = pass.ctx().EmptyLike(dy, dy.shape(), dy.dtype());
    Run(pass.ctx(), Op::kRope, {&dy, &cosines, &sines, &positions}, {&dx},
        RopeAttrs{.inverse = true});
    pass.Add(0, dx);
  });
  return y;
}

HeadRows SliceKeys(Context& ctx, const HeadRows& rows, int64_t begin, int64_t end) {
  const bool scaled = rows.scales.defined();
  return {.values = Slice(ctx, rows.values, 1, begin, end),
          .scales = scaled ? rows.scales.Sliced(1, begin, end) : Tensor()};
}

HeadRows RoundHeads(Context& ctx, const Tensor& x, DType dtype) {
  if (dtype != DType::kI8) return {RoundTo(ctx, x, dtype)};
  RequireFloats("RoundHeads", {&x});
  if (x.rank() != 4) Refuse("RoundHeads", {&x}, "heads must be [batch, tokens, heads, head_dim]");
  HeadRows rows = {
      .values = ctx.EmptyLike(x, x.shape(), dtype),
      .scales = ctx.EmptyLike(x, {x.dim(0), x.dim(2), x.dim(1)}, DType::kF32).Transposed(1, 2)};
  RoundHeadsInto(ctx, x, rows);
  return rows;
}

void RoundHeadsInto(Context& ctx, const Tensor& x, const HeadRows& target) {
  const Tensor &codes = target.values, &scales = target.scales;
  if (!scales.defined()) return CopyInto(ctx, x, codes);
  const auto refuse = [&](std::string_view why) {
    Refuse("RoundHeadsInto", {&x, &codes, &scales}, why);
  };
  if (!x.defined() || x.dtype() != DType::kF32 || codes.dtype() != DType::kI8 ||
      scales.dtype() != DType::kF32) {
    refuse("heads must be f32, their codes i8, the scales f32");
  }
  if (x.rank() != 4 || codes.shape() != x.shape() ||
      scales.shape() != Shape{x.dim(0), x.dim(1), x.dim(2)}) {
    refuse("operands must be twice [batch, tokens, heads, head_dim] and [batch, tokens, heads]");
  }
  if (LinkedTape(std::initializer_list<const Tensor*>{&x}) != nullptr)
    refuse("rounding to int8 has no gradient");
  const Tensor rows = WithContiguousRows(ctx, x);
  Run(ctx, Op::kQuantizeHeads, {&rows}, {&codes, &scales});
}

Tensor Attention(Context& ctx, const Tensor& q, const HeadRows& k_rows, const HeadRows& v_rows,
                 float scale, int64_t start) {
  CheckAttention(q, k_rows, v_rows, start);
  const Tensor &k = k_rows.values, &v = v_rows.values;
  const AttentionAttrs attrs = {.scale = scale, .start = start};
  const Tensor queries = WithContiguousRows(ctx, q);
  const Tensor keys = WithContiguousRows(ctx, k);
  const Tensor values = WithContiguousRows(ctx, v);
  const Tensor key_scales = WithContiguousKeys(ctx, k_rows.scales);
  const Tensor value_scales = WithContiguousKeys(ctx, v_rows.scales);
  Tensor y = ctx.EmptyLike(q, q.shape(), q.dtype());
  const Tensor stats = ctx.EmptyLike(q, {q.dim(0), q.dim(2), q.dim(1), 2}, q.dtype());
  const Tensor* inputs[] = {&queries, &keys, &values, &key_scales, &value_scales};
  const Tensor* outputs[] = {&y, &stats};
  const OpCall call = {.op = Op::kAttention,
                       .inputs = std::span(inputs).first(key_scales.defined() ? 5 : 3),
                       .outputs = outputs,
                       .attrs = attrs};
  if (!ctx.backend(q.device()).Supports(call)) {
    return AttentionBySmallOps(ctx, q, k_rows, v_rows, attrs);
  }
  ctx.Run(call);
  const bool linked = LinkedTape(std::initializer_list<const Tensor*>{&q, &k, &v}) != nullptr;
  if (!linked) return y;
  if (start != 0 || k.dtype() != q.dtype()) {
    Refuse("Attention", {&q, &k, &v},
           "gradients need start 0, and keys and values of the queries' dtype");
  }
  RecordBackward({&q, &k, &v}, {&y},
                 [queries, keys, values, stats, y = y.Detached(), attrs](GradientPass& pass) {
                   Context& c = pass.ctx();
                   const Tensor dy = Contiguous(c, pass.OutputGradient());
                   const Tensor dq = c.EmptyLike(dy, queries.shape(), dy.dtype());
                   const Tensor dk = c.EmptyLike(dy, keys.shape(), dy.dtype());
                   const Tensor dv = c.EmptyLike(dy, keys.shape(), dy.dtype());
                   Run(c, Op::kAttentionGrad, {&queries, &keys, &values, &stats, &y, &dy},
                       {&dq, &dk, &dv}, attrs);
                   pass.Add(0, dq);
                   pass.Add(1, dk);
                   pass.Add(2, dv);
                 });
  return y;
}

Tensor GatedMlp(Context& ctx, const Tensor& gate, const Tensor& up, Activation activation) {
  RequireFloats("GatedMlp", {&gate, &up});
  if (gate.shape() != up.shape()) Refuse("GatedMlp", {&gate, &up}, "operands must have one shape");
  const Tensor gates = Contiguous(ctx, gate.Detached());
  const Tensor ups = Contiguous(ctx, up.Detached());
  Tensor y = ctx.EmptyLike(gate, gate.shape(), gate.dtype());
  const ActivationAttrs attrs = {activation};
  const Tensor* inputs[] = {&gates, &ups};
  const Tensor* outputs[] = {&y};
  const OpCall call = {.op = Op::kGatedMlp, .inputs = inputs, .outputs = outputs, .attrs = attrs};
  if (!ctx.backend(gate.device()).Supports(call)) {
    return Mul(ctx, Activate(ctx, gate, activation), up);
  }
  ctx.Run(call);
  RecordBackward({&gate, &up}, {&y}, [gates, ups, attrs](GradientPass& pass) {
    Context& c = pass.ctx();
    const Tensor dy = Contiguous(c, pass.OutputGradient());
    const Tensor dgate = c.EmptyLike(dy, dy.shape(), dy.dtype());
    const Tensor dup = c.EmptyLike(dy, dy.shape(), dy.dtype());
    Run(c, Op::kGatedMlpGrad, {&gates, &ups, &dy}, {&dgate, &dup}, attrs);
    pass.Add(0, dgate);
    pass.Add(1, dup);
  });
  return y;
}

}  // namespace tern::ops
