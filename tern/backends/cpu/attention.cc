// SPDX-License-Identifier: MIT
// Rotary embedding, int8 keys and values, and causal grouped-query attention: the forward pass in
// canonical float, the gradient with fused multiply-adds.
#include "tern/kernels/attention/attention.h"

#include <algorithm>
#include <cstring>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/backends/cpu/multiplier.h"
#include "tern/base/error.h"
#include "tern/kernels/attention/reference.h"
#include "tern/kernels/gemm/reference.h"
#include "tern/kernels/rope/reference.h"

namespace tern::cpu {
namespace {

using kernels::AttentionGradRows;
using kernels::AttentionRows;
using kernels::AttentionSteps;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool IsWideFloat(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF64; }

bool HasContiguousLastAxis(const Tensor& t) { return t.dim(-1) <= 1 || t.stride(-1) == 1; }

template <typename T>
const kernels::RopeKernels<T>& Rope(const Env& env) {
  if constexpr (std::is_same_v<T, float>) {
    return env.kernels.rope;
  } else {
    return kernels::reference::kRope<T>;
  }
}

template <typename T, typename KV>
const AttentionSteps<T, KV>& Steps(const Env& env) {
  const auto& kernels = env.kernels.attention;
  if constexpr (std::is_same_v<KV, BF16>) {
    return kernels.bf16;
  } else if constexpr (std::is_same_v<KV, F16>) {
    return kernels.f16;
  } else if constexpr (std::is_same_v<KV, int8_t>) {
    return kernels.int8;
  } else if constexpr (std::is_same_v<T, float>) {
    return kernels.plain;
  } else {
    return kernels::reference::kAttentionSteps<T>;
  }
}

template <typename T>
void RunRopeOf(const Env& env, const OpCall& call) {
  const Tensor& x = call.in(0);
  const int64_t heads = x.dim(1);
  const int64_t head_dim = x.dim(2);
  const int64_t half = head_dim / 2;
  const int32_t* positions = call.in(3).data<int32_t>();
  for (int64_t t = 0; t < x.dim(0); ++t) {
    if (positions[t] < 0 || positions[t] >= call.in(1).dim(0)) {
      Fail(ErrorKind::kInvalidArgument, "Rope: position {} is not in the table of {}", positions[t],
           call.in(1).dim(0));
    }
  }
  const int64_t grain = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, heads * head_dim));
  env.threads.ParallelFor(x.dim(0), grain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t angles = positions[t] * half;
      Rope<T>(env).rotate(x.data<T>() + t * x.stride(0), x.stride(1), call.in(1).data<T>() + angles,
                          call.in(2).data<T>() + angles,
                          call.out(0).data<T>() + t * heads * head_dim, heads, half,
                          call.as<RopeAttrs>().inverse);
    }
  });
}

// The sizes of a call, and, where there are many tokens, its work cut into units: query blocks of a
// key-value head.
struct Layout {
  static constexpr int64_t kRows = 16;

  explicit Layout(const OpCall& call)
      : tokens(call.in(0).dim(1)),
        heads(call.in(0).dim(2)),
        head_dim(call.in(0).dim(3)),
        batch(call.in(0).dim(0)),
        kv_heads(call.in(1).dim(2)),
        group(heads / kv_heads),
        blocks(CeilDiv(tokens, kRows)),
        start(call.as<AttentionAttrs>().start),
        scale(call.as<AttentionAttrs>().scale) {}

  int64_t keys() const { return start + tokens; }
  // The i-th block of a head to be computed: early ones, which see few keys, and late ones take
  // turns, so that any run of units is about as much work as another.
  int64_t Block(int64_t i) const { return i % 2 == 0 ? i / 2 : blocks - 1 - i / 2; }

  int64_t tokens, heads, head_dim, batch, kv_heads, group, blocks, start;
  float scale;
};

// Keys and values of one key-value head; the rest is the caller's.
template <typename T, typename KV>
AttentionRows<T, KV> RowsOf(const OpCall& call, const Layout& layout, int64_t batch,
                            int64_t kv_head) {
  const Tensor &k = call.in(1), &v = call.in(2);
  AttentionRows<T, KV> rows;
  rows.k = static_cast<const KV*>(k.raw()) + batch * k.stride(0) + kv_head * k.stride(2);
  rows.k_stride = k.stride(1);
  rows.v = static_cast<const KV*>(v.raw()) + batch * v.stride(0) + kv_head * v.stride(2);
  rows.v_stride = v.stride(1);
  if constexpr (std::is_same_v<KV, int8_t>) {
    const auto scales = [&](const Tensor& of) {
      return of.data<float>() + batch * of.stride(0) + kv_head * of.stride(2);
    };
    rows.k_scales = scales(call.in(3));
    rows.v_scales = scales(call.in(4));
  }
  rows.scores_stride = CeilDiv(layout.keys(), 16) * 16;
  rows.head_dim = layout.head_dim;
  rows.scale = layout.scale;
  rows.stats_stride = 2;
  return rows;
}

// The queries of one block of one key-value head: the rows of a kernel's call are the tokens of a
// head.
template <typename T, typename KV>
void AttendBlock(const Env& env, const OpCall& call, const Layout& layout, int64_t unit,
                 T* scores) {
  const Tensor& q = call.in(0);
  const int64_t kv_head = unit / layout.blocks % layout.kv_heads;
  const int64_t batch = unit / layout.blocks / layout.kv_heads;
  const int64_t first = layout.Block(unit % layout.blocks) * Layout::kRows;
  auto rows = RowsOf<T, KV>(call, layout, batch, kv_head);
  rows.scores = scores;
  rows.rows = std::min(Layout::kRows, layout.tokens - first);
  rows.q_stride = q.stride(1);
  rows.y_stride = layout.heads * layout.head_dim;
  rows.keys = layout.start + first + 1;
  rows.row_keys = 1;
  for (int64_t g = 0; g < layout.group; ++g) {
    const int64_t head = kv_head * layout.group + g;
    rows.q = q.data<T>() + batch * q.stride(0) + first * q.stride(1) + head * q.stride(2);
    rows.y = call.out(0).data<T>() +
             ((batch * layout.tokens + first) * layout.heads + head) * layout.head_dim;
    rows.stats =
        call.out(1).data<T>() + ((batch * layout.heads + head) * layout.tokens + first) * 2;
    Steps<T, KV>(env).Run(rows);
  }
}

template <typename T, typename KV>
void AttendMany(const Env& env, const OpCall& call, const Layout& layout) {
  const int64_t padded_keys = CeilDiv(layout.keys(), 16) * 16;
  const int64_t unit_work = layout.keys() * layout.head_dim * layout.group;
  const int64_t grain = std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, unit_work));
  const int64_t units = layout.batch * layout.kv_heads * layout.blocks;
  env.threads.ParallelFor(units, grain, [&](int64_t begin, int64_t end) {
    const Workspace scores(env.pool, static_cast<size_t>(Layout::kRows * padded_keys) * sizeof(T));
    for (int64_t unit = begin; unit < end; ++unit) {
      AttendBlock<T, KV>(env, call, layout, unit, scores.template As<T>());
    }
  });
}

// One token of each sequence: the rows of a kernel's call are the heads of a group, and each step
// is shared out by itself, over blocks of keys, heads, and blocks of elements.
template <typename T, typename KV>
void AttendLone(const Env& env, const OpCall& call, const Layout& layout) {
  constexpr int64_t kKeys = 256, kElements = 64;
  constexpr int64_t kProducts = 1 << 16, kExponentials = 1 << 12;  // some microseconds
  const int64_t keys = layout.keys(), group = layout.group;
  const int64_t padded_keys = CeilDiv(keys, 16) * 16;
  const Workspace scores(
      env.pool, static_cast<size_t>(layout.batch * layout.heads * padded_keys) * sizeof(T));
  const AttentionSteps<T, KV>& steps = Steps<T, KV>(env);
  const auto rows_of = [&](int64_t unit) {
    const Tensor& q = call.in(0);
    const int64_t batch = unit / layout.kv_heads, kv_head = unit % layout.kv_heads;
    auto rows = RowsOf<T, KV>(call, layout, batch, kv_head);
    rows.q = q.data<T>() + batch * q.stride(0) + kv_head * group * q.stride(2);
    rows.q_stride = q.stride(2);
    rows.y = call.out(0).data<T>() + unit * group * layout.head_dim;
    rows.y_stride = layout.head_dim;
    rows.stats = call.out(1).data<T>() + unit * group * 2;
    rows.scores = scores.template As<T>() + unit * group * padded_keys;
    rows.rows = group;
    rows.keys = keys;
    return rows;
  };
  // Calls run(rows, first, last) on the `count` that each key-value head has, cut at multiples of
  // `size`.
  const auto for_pieces = [&](int64_t count, int64_t size, int64_t grain, auto run) {
    const int64_t pieces = CeilDiv(count, size);
    const int64_t units = layout.batch * layout.kv_heads * pieces;
    env.threads.ParallelFor(units, std::max<int64_t>(1, grain), [&](int64_t begin, int64_t end) {
      while (begin < end) {
        const int64_t unit = begin / pieces, first = unit * pieces;
        const int64_t stop = std::min(end, first + pieces);
        run(rows_of(unit), (begin - first) * size, std::min(count, (stop - first) * size));
        begin = stop;
      }
    });
  };
  const int64_t head_keys = std::max<int64_t>(1, group * keys);
  for_pieces(keys, kKeys, kProducts / (group * std::min(keys, kKeys) * layout.head_dim),
             steps.score);
  for_pieces(group, 1, kExponentials / keys, steps.weigh);
  for_pieces(layout.head_dim, kElements,
             kProducts / (head_keys * std::min(layout.head_dim, kElements)), steps.mix);
}

template <typename T, typename KV>
void Attend(const Env& env, const OpCall& call) {
  const Layout layout(call);
  if (layout.tokens == 1) return AttendLone<T, KV>(env, call, layout);
  AttendMany<T, KV>(env, call, layout);
}

// Everything that the gradient of one key-value head needs: rows of each tensor, with strides.
template <typename T>
struct GradHead {
  StridedMatrix<T> q, k, v, y, dy;
  T *dq, *dk, *dv;
  int64_t dq_stride, dkv_stride;
  const T* stats;  // [tokens, 2]
};

void Dot(const Env& env, const float* a, const float* b, float* out, int64_t k) {
  env.kernels.gemm.dot_rows(a, k, b, k, nullptr, out, 1, 1, 1, k);
}
void Dot(const Env&, const double* a, const double* b, double* out, int64_t k) {
  kernels::reference::DotRows<double>(a, k, b, k, nullptr, out, 1, 1, 1, k);
}

void AttendGrad(const Env& env, const AttentionGradRows<float>& rows) {
  env.kernels.attention.grad(rows);
}
void AttendGrad(const Env&, const AttentionGradRows<double>& rows) {
  kernels::reference::AttendGrad(rows);
}

// Workspaces of one thread.
template <typename T>
struct GradScratch {
  static constexpr int64_t kRows = 64;

  GradScratch(const Env& env, int64_t keys)
      : multiplier(env),
        scores(env.pool, static_cast<size_t>(kRows * keys) * sizeof(T)),
        dp(env.pool, static_cast<size_t>(kRows * keys) * sizeof(T)),
        delta(env.pool, static_cast<size_t>(kRows) * sizeof(T)) {}

  Multiplier<T> multiplier;
  Workspace scores, dp, delta;
};

// Queries first ... of one head: recomputes their probabilities p from the saved statistics, then
//   dv += p^T dy,  ds = p (dy v^T - dy . y) scale,  dq = ds k,  dk += ds^T q.
template <typename T>
void GradBlock(const Env& env, const Layout& layout, const GradHead<T>& head, int64_t first,
               const GradScratch<T>& scratch) {
  const int64_t rows = std::min(GradScratch<T>::kRows, layout.tokens - first);
  const int64_t keys = first + rows;
  const int64_t head_dim = layout.head_dim;
  const auto at = [](StridedMatrix<T> matrix, int64_t row) {
    matrix.data += row * matrix.row_stride;
    return matrix;
  };
  T* scores = scratch.scores.template As<T>();
  T* dp = scratch.dp.template As<T>();
  T* delta = scratch.delta.template As<T>();
  const Multiplier<T>& multiplier = scratch.multiplier;
  const StridedMatrix<T> q = at(head.q, first);
  const StridedMatrix<T> dy = at(head.dy, first);
  multiplier.Run(q, Transposed(head.k), scores, keys, {rows, keys, head_dim}, false);
  multiplier.Run(dy, Transposed(head.v), dp, keys, {rows, keys, head_dim}, false);
  for (int64_t r = 0; r < rows; ++r) {
    Dot(env, at(dy, r).data, at(head.y, first + r).data, delta + r, head_dim);
  }
  AttendGrad(env, AttentionGradRows<T>{.scores = scores,
                                       .dp = dp,
                                       .stride = keys,
                                       .stats = head.stats + 2 * first,
                                       .stats_stride = 2,
                                       .delta = delta,
                                       .rows = rows,
                                       .columns = keys,
                                       .keys = first + 1,
                                       .scale = layout.scale});
  const StridedMatrix<T> p = {scores, keys, 1};
  const StridedMatrix<T> ds = {dp, keys, 1};
  multiplier.Run(Transposed(p), dy, head.dv, head.dkv_stride, {keys, head_dim, rows}, true);
  multiplier.Run(ds, head.k, head.dq + first * head.dq_stride, head.dq_stride,
                 {rows, head_dim, keys}, false);
  multiplier.Run(Transposed(ds), q, head.dk, head.dkv_stride, {keys, head_dim, rows}, true);
}

template <typename T>
T* HeadData(const Tensor& t, int64_t batch, int64_t head) {
  return t.data<T>() + batch * t.stride(0) + head * t.stride(2);
}

template <typename T>
StridedMatrix<T> HeadOf(const Tensor& t, int64_t batch, int64_t head) {
  return {HeadData<T>(t, batch, head), t.stride(1), 1};
}

template <typename T>
void RunAttentionGradOf(const Env& env, const OpCall& call) {
  const Layout layout(call);
  const int64_t units = layout.batch * layout.kv_heads;
  env.threads.ParallelFor(units, 1, [&](int64_t begin, int64_t end) {
    const GradScratch<T> scratch(env, layout.keys());
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t batch = unit / layout.kv_heads;
      const int64_t kv_head = unit % layout.kv_heads;
      GradHead<T> head = {};
      head.k = HeadOf<T>(call.in(1), batch, kv_head);
      head.v = HeadOf<T>(call.in(2), batch, kv_head);
      head.dk = HeadData<T>(call.out(1), batch, kv_head);
      head.dv = HeadData<T>(call.out(2), batch, kv_head);
      head.dkv_stride = call.out(1).stride(1);
      for (int64_t j = 0; j < call.in(1).dim(1); ++j) {
        std::fill_n(head.dk + j * head.dkv_stride, layout.head_dim, T(0));
        std::fill_n(head.dv + j * head.dkv_stride, layout.head_dim, T(0));
      }
      for (int64_t h = kv_head * layout.group; h < (kv_head + 1) * layout.group; ++h) {
        head.q = HeadOf<T>(call.in(0), batch, h);
        head.y = HeadOf<T>(call.in(4), batch, h);
        head.dy = HeadOf<T>(call.in(5), batch, h);
        head.dq = HeadData<T>(call.out(0), batch, h);
        head.dq_stride = call.out(0).stride(1);
        head.stats = call.in(3).data<T>() + (batch * layout.heads + h) * layout.tokens * 2;
        for (int64_t first = 0; first < layout.tokens; first += GradScratch<T>::kRows) {
          GradBlock(env, layout, head, first, scratch);
        }
      }
    }
  });
}

}  // namespace

bool SupportsRope(const OpCall& call) {
  const DType dtype = call.out(0).dtype();
  return IsWideFloat(dtype) && call.in(0).dtype() == dtype && HasContiguousLastAxis(call.in(0)) &&
         AreContiguous(call.inputs.subspan(1), {dtype, dtype, DType::kI32}) &&
         AreContiguous(call.outputs, {dtype});
}

void RunRope(const Env& env, const OpCall& call) {
  WithFloat(call, [&](auto t) { RunRopeOf<decltype(t)>(env, call); });
}

bool SupportsAttention(const OpCall& call) {
  const DType dtype = call.out(0).dtype();
  const Tensor &k = call.in(1), &v = call.in(2);
  if (!IsWideFloat(dtype) || call.in(0).dtype() != dtype || k.dtype() != v.dtype()) return false;
  const bool narrow =
      k.dtype() == DType::kBF16 || k.dtype() == DType::kF16 || k.dtype() == DType::kI8;
  if (k.dtype() != dtype && !(narrow && dtype == DType::kF32)) return false;
  for (size_t i = 0; i < 3; ++i) {
    if (!HasContiguousLastAxis(call.in(i))) return false;
  }
  for (size_t i = 3; i < 5; ++i) {
    if (call.has(i) != (k.dtype() == DType::kI8)) return false;
    if (!call.has(i)) continue;
    const Tensor& scales = call.in(i);
    if (scales.dtype() != DType::kF32 || (scales.dim(1) > 1 && scales.stride(1) != 1)) return false;
  }
  return AreContiguous(call.outputs, {dtype, dtype});
}

void RunAttention(const Env& env, const OpCall& call) {
  if (call.out(0).elements() == 0) return;
  if (call.out(0).dtype() == DType::kF64) return Attend<double, double>(env, call);
  switch (call.in(1).dtype()) {
    case DType::kBF16:
      return Attend<float, BF16>(env, call);
    case DType::kF16:
      return Attend<float, F16>(env, call);
    case DType::kI8:
      return Attend<float, int8_t>(env, call);
    default:
      return Attend<float, float>(env, call);
  }
}

bool SupportsQuantizeHeads(const OpCall& call) {
  return call.in(0).dtype() == DType::kF32 && call.out(0).dtype() == DType::kI8 &&
         call.out(1).dtype() == DType::kF32 && HasContiguousLastAxis(call.in(0)) &&
         HasContiguousLastAxis(call.out(0));
}

void RunQuantizeHeads(const Env& env, const OpCall& call) {
  const Tensor &x = call.in(0), &codes = call.out(0), &scales = call.out(1);
  const int64_t tokens = x.dim(1), heads = x.dim(2), head_dim = x.dim(3);
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, heads * head_dim));
  env.threads.ParallelFor(x.dim(0) * tokens, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t batch = row / tokens, token = row % tokens;
      const auto at = [&](const Tensor& t) { return batch * t.stride(0) + token * t.stride(1); };
      for (int64_t h = 0; h < heads; ++h) {
        float scale = 0;
        int32_t sum = 0;
        env.kernels.ternary.quantize_rows(
            x.data<float>() + at(x) + h * x.stride(2), head_dim, 1, head_dim,
            codes.data<int8_t>() + at(codes) + h * codes.stride(2), head_dim, &scale, &sum);
        scales.data<float>()[at(scales) + h * scales.stride(2)] = 1.0f / scale;
      }
    }
  });
}

bool SupportsAttentionGrad(const OpCall& call) {
  const DType dtype = call.out(0).dtype();
  if (!IsWideFloat(dtype) || call.as<AttentionAttrs>().start != 0) return false;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const Tensor& t = call.in(i);
    if (t.dtype() != dtype || !HasContiguousLastAxis(t)) return false;
  }
  return AreContiguous(call.inputs.subspan(3), {dtype, dtype, dtype}) &&
         AreContiguous(call.outputs, {dtype, dtype, dtype});
}

void RunAttentionGrad(const Env& env, const OpCall& call) {
  WithFloat(call, [&](auto t) { RunAttentionGradOf<decltype(t)>(env, call); });
}

}  // namespace tern::cpu
