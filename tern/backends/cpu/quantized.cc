// SPDX-License-Identifier: MIT
// int8 activations and ternary weights.
#include <algorithm>
#include <cmath>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/base/error.h"
#include "tern/pack/quantizers.h"
#include "tern/pack/ternary_layout.h"

namespace tern::cpu {
namespace {

using kernels::TernaryOutput;
using kernels::TernaryPanels;
using kernels::TernaryRange;
using kernels::TernaryRows;

// Elements that are worth a thread's part of a loop: some microseconds of work.
constexpr int64_t kGrainElements = 16384;
int64_t GrainRows(int64_t k) {
  return std::max<int64_t>(1, kGrainElements / std::max<int64_t>(k, 1));
}

const TernaryAttrs& Attrs(const OpCall& call) { return call.as<TernaryAttrs>(); }

TernaryPanels Panels(const Tensor& panels, const TernaryAttrs& attrs) {
  return {panels.data<uint8_t>(), attrs.n, attrs.k};
}

// Calls body(panel_begin, panel_end) over all panels.
void ForPanels(const Env& env, const TernaryAttrs& attrs,
               FunctionRef<void(int64_t, int64_t)> body) {
  env.threads.ParallelFor(PanelCount(attrs.n), GrainRows(attrs.k * kPanelRows), body);
}

WeightSums SumWeights(const Env& env, const Tensor& w) {
  const int64_t count = w.elements();
  const int64_t chunks = (count + kWeightChunk - 1) / kWeightChunk;
  const Workspace workspace(env.pool, static_cast<size_t>(chunks) * sizeof(WeightSums));
  WeightSums* parts = workspace.As<WeightSums>();
  env.threads.ParallelFor(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      parts[i] = env.kernels.ternary.sum_weight_chunk(
          w.data<float>() + i * kWeightChunk, std::min(kWeightChunk, count - i * kWeightChunk));
    }
  });
  WeightSums sums;
  for (int64_t i = 0; i < chunks; ++i) {
    sums.sum += parts[i].sum;
    sums.abs += parts[i].abs;
  }
  return sums;
}

[[noreturn]] void FailNotFinite(const Tensor& w) {
  const float* const data = w.data<float>();
  const int64_t i =
      std::find_if(data, data + w.elements(), [](float x) { return !std::isfinite(x); }) - data;
  Fail(ErrorKind::kNumeric,
       "QuantizeTernary(f32{}): the weight at [{}, {}] is {}; ternary weights need finite numbers",
       w.shape().ToString(), i / w.dim(1), i % w.dim(1), data[i]);
}

// A panel's rows of weights in f32: trit * scale.
void ScalePanel(const Env& env, const OpCall& call, int64_t panel, float* weights) {
  const TernaryAttrs& attrs = Attrs(call);
  const Tensor& scales = call.in(2);
  const int64_t first = panel * kPanelRows;
  const int64_t count = scales.dim(1), columns = attrs.k / count;
  env.kernels.ternary.dequantize_panels(Panels(call.in(1), attrs), panel, panel + 1, 1.0f,
                                        weights - first * attrs.k);
  const float* scale = scales.data<float>() + first * count;
  for (int64_t i = 0; i < std::min(kPanelRows, attrs.n - first) * count; ++i) {
    for (int64_t column = 0; column < columns; ++column) *weights++ *= scale[i];
  }
}

// How BitLinear is shared out: a grid of row blocks by groups of panels, in the order of row
// blocks. Few rows, or panels enough for all threads, make one row block, so that weights are read
// once.
constexpr int64_t kPanelsAtOnce = 4;
constexpr int64_t kRowBlock = 48;

}  // namespace

bool SupportsQuantizeRows(const OpCall& call) {
  const Tensor& x = call.in(0);
  return x.dtype() == DType::kF32 && x.rank() == 2 && (x.stride(1) == 1 || x.dim(1) == 1) &&
         AreContiguous(call.outputs, {DType::kI8, DType::kF32, DType::kI32});
}

void RunQuantizeRows(const Env& env, const OpCall& call) {
  const Tensor& x = call.in(0);
  const int64_t k = x.dim(1);
  const int64_t x_stride = x.stride(0);
  const int64_t q_stride = call.out(0).dim(1);
  env.threads.ParallelFor(x.dim(0), GrainRows(k), [&](int64_t begin, int64_t end) {
    env.kernels.ternary.quantize_rows(x.data<float>() + begin * x_stride, x_stride, end - begin, k,
                                      call.out(0).data<int8_t>() + begin * q_stride, q_stride,
                                      call.out(1).data<float>() + begin,
                                      call.out(2).data<int32_t>() + begin);
  });
}

bool SupportsRmsNormQuantize(const OpCall& call) {
  return SupportsQuantizeRows(call) && call.in(1).dtype() == DType::kF32 &&
         call.in(1).is_contiguous();
}

void RunRmsNormQuantize(const Env& env, const OpCall& call) {
  const Tensor& x = call.in(0);
  const int64_t k = x.dim(1);
  const int64_t q_stride = call.out(0).dim(1);
  const float eps = static_cast<float>(call.as<NormAttrs>().eps);
  env.threads.ParallelFor(x.dim(0), GrainRows(k), [&](int64_t begin, int64_t end) {
    const Workspace normed(env.pool, static_cast<size_t>(k) * sizeof(float));
    for (int64_t row = begin; row < end; ++row) {
      env.kernels.norm.rms_norm(x.data<float>() + row * x.stride(0), call.in(1).data<float>(), eps,
                                normed.As<float>(), k);
      env.kernels.ternary.quantize_rows(
          normed.As<float>(), k, 1, k, call.out(0).data<int8_t>() + row * q_stride, q_stride,
          call.out(1).data<float>() + row, call.out(2).data<int32_t>() + row);
    }
  });
}

bool SupportsDequantizeRows(const OpCall& call) {
  return AreContiguous(call.inputs, {DType::kI8, DType::kF32}) &&
         AreContiguous(call.outputs, {DType::kF32});
}

void RunDequantizeRows(const Env& env, const OpCall& call) {
  const Tensor& x = call.out(0);
  const int64_t k = x.dim(1);
  const int64_t q_stride = call.in(0).dim(1);
  env.threads.ParallelFor(x.dim(0), GrainRows(k), [&](int64_t begin, int64_t end) {
    env.kernels.ternary.dequantize_rows(call.in(0).data<int8_t>() + begin * q_stride, q_stride,
                                        call.in(1).data<float>() + begin, end - begin, k,
                                        x.data<float>() + begin * k);
  });
}

bool SupportsTernary(const OpCall& call) {
  const TernaryAttrs& attrs = Attrs(call);
  if (attrs.layout != static_cast<uint8_t>(TernaryLayout::kPanels2Bit)) return false;
  if (attrs.k > kMaxTernaryColumns) return false;
  using enum DType;
  const auto are = [&](std::initializer_list<DType> inputs, std::initializer_list<DType> outputs) {
    return AreContiguous(call.inputs, inputs) && AreContiguous(call.outputs, outputs);
  };
  switch (call.op) {
    case Op::kQuantizeTernary:
      return are({kF32}, {kU8, kF32});
    case Op::kPackTernary:
      return are({kI8}, {kU8});
    case Op::kUnpackTernary:
      return are({kU8}, {kI8});
    case Op::kDequantizeTernary:
      return are({kU8, kF32}, {kF32});
    case Op::kTernaryLinear:
      return are({kF32, kU8, kF32}, {kF32});
    default:  // BitLinear
      return are({kI8, kF32, kI32, kU8, kF32, kF32}, {kF32});
  }
}

void RunQuantizeTernary(const Env& env, const OpCall& call) {
  const Tensor& w = call.in(0);
  const WeightSums sums = SumWeights(env, w);
  if (!std::isfinite(sums.abs)) FailNotFinite(w);
  const TernaryRule rule = MakeTernaryRule(Attrs(call).quantizer, sums, w.elements());
  call.out(1).data<float>()[0] = rule.multiplier;
  ForPanels(env, Attrs(call), [&](int64_t begin, int64_t end) {
    env.kernels.ternary.quantize_panels(w.data<float>(), w.dim(0), w.dim(1), rule, begin, end,
                                        call.out(0).data<uint8_t>());
  });
}

void RunPackTernary(const Env& env, const OpCall& call) {
  const Tensor& trits = call.in(0);
  const int8_t* const data = trits.data<int8_t>();
  const int64_t k = trits.dim(1);
  env.threads.ParallelFor(trits.dim(0), GrainRows(k), [&](int64_t begin, int64_t end) {
    bool wrong = false;  // looked for in a loop without an exit, which becomes vectors
    for (int64_t i = begin * k; i < end * k; ++i) wrong |= data[i] < -1 || data[i] > 1;
    for (int64_t i = begin * k; i < end * k && wrong; ++i) {
      if (data[i] < -1 || data[i] > 1) {
        Fail(ErrorKind::kInvalidArgument,
             "PackTernary(i8{}): the value at [{}, {}] is {}, not a trit", trits.shape().ToString(),
             i / k, i % k, data[i]);
      }
    }
  });
  ForPanels(env, Attrs(call), [&](int64_t begin, int64_t end) {
    env.kernels.ternary.pack_panels(data, trits.dim(0), k, begin, end, call.out(0).data<uint8_t>());
  });
}

void RunUnpackTernary(const Env& env, const OpCall& call) {
  ForPanels(env, Attrs(call), [&](int64_t begin, int64_t end) {
    env.kernels.ternary.unpack_panels(Panels(call.in(0), Attrs(call)), begin, end,
                                      call.out(0).data<int8_t>());
  });
}

void RunDequantizeTernary(const Env& env, const OpCall& call) {
  ForPanels(env, Attrs(call), [&](int64_t begin, int64_t end) {
    env.kernels.ternary.dequantize_panels(Panels(call.in(0), Attrs(call)), begin, end,
                                          *call.in(1).data<float>(), call.out(0).data<float>());
  });
}

void RunBitLinear(const Env& env, const OpCall& call) {
  const Tensor& q = call.in(0);
  const TernaryAttrs& attrs = Attrs(call);
  const TernaryPanels w = Panels(call.in(3), attrs);
  const TernaryRows x = {q.data<int8_t>(), q.dim(1), call.in(2).data<int32_t>()};
  const TernaryOutput out = {.multiplier = *call.in(4).data<float>(),
                             .scale = call.in(1).data<float>(),
                             .bias = call.has(5) ? call.in(5).data<float>() : nullptr,
                             .y = call.out(0).data<float>(),
                             .y_stride = attrs.n};
  const int64_t rows = q.dim(0);
  const int64_t panels = PanelCount(attrs.n);
  const int64_t columns = (panels + kPanelsAtOnce - 1) / kPanelsAtOnce;
  const int64_t row_block = columns >= 4 * env.threads.threads() ? rows : std::min(rows, kRowBlock);
  if (rows == 0) return;
  const int64_t row_blocks = (rows + row_block - 1) / row_block;
  const int64_t cell = row_block * kPanelsAtOnce * kPanelRows * attrs.k;
  const int64_t grain = std::max<int64_t>(1, 16 * kGrainElements / std::max<int64_t>(cell, 1));
  env.threads.ParallelFor(row_blocks * columns, grain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t block = begin / columns;
      const int64_t stop = std::min(end, (block + 1) * columns);
      const TernaryRange range = {
          .row_begin = block * row_block,
          .row_end = std::min(rows, (block + 1) * row_block),
          .panel_begin = (begin - block * columns) * kPanelsAtOnce,
          .panel_end = std::min(panels, (stop - block * columns) * kPanelsAtOnce)};
      env.kernels.ternary.bit_linear(w, x, range, out);
      begin = stop;
    }
  });
}

void RunTernaryLinear(const Env& env, const OpCall& call) {
  const Tensor& x = call.in(0);
  const TernaryAttrs& attrs = Attrs(call);
  const int64_t k = attrs.k, n = attrs.n;
  ForPanels(env, attrs, [&](int64_t begin, int64_t end) {
    const Workspace weights(env.pool, static_cast<size_t>(kPanelRows * k) * sizeof(float));
    for (int64_t panel = begin; panel < end; ++panel) {
      ScalePanel(env, call, panel, weights.As<float>());
      const int64_t first = panel * kPanelRows;
      env.kernels.gemm.dot_rows(x.data<float>(), k, weights.As<float>(), k, nullptr,
                                call.out(0).data<float>() + first, n, x.dim(0),
                                std::min(kPanelRows, n - first), k);
    }
  });
}

}  // namespace tern::cpu
