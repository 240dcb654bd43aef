// SPDX-License-Identifier: MIT
// int8 activations and ternary weights.
#include <algorithm>
#include <cmath>
#include <span>

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
  return {panels.data<uint8_t>(), attrs.n, attrs.k, static_cast<TernaryLayout>(attrs.layout)};
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

// Rows begin ... end - 1 of the operand of PackTernary.
void RequireTrits(const Tensor& trits, int64_t begin, int64_t end) {
  const int64_t k = trits.dim(1);
  const int8_t* const data = trits.data<int8_t>();
  uint8_t largest = 0;  // of trit + 1; sought in a loop without an exit, which becomes vectors
  for (int64_t i = begin * k; i < end * k; ++i) {
    largest = std::max(largest, static_cast<uint8_t>(data[i] + 1));
  }
  for (int64_t i = begin * k; i < end * k && largest > 2; ++i) {
    if (data[i] < -1 || data[i] > 1) {
      Fail(ErrorKind::kInvalidArgument,
           "PackTernary(i8{}): the value at [{}, {}] is {}, not a trit", trits.shape().ToString(),
           i / k, i % k, data[i]);
    }
  }
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

// One matrix of a BitLinear, with its output.
struct BitMatrix {
  BitMatrix() = default;
  BitMatrix(const Tensor& panels, const Tensor& multiplier, const Tensor* bias, const Tensor& y,
            const TernaryAttrs& attrs)
      : w(Panels(panels, attrs)),
        out{.multiplier = *multiplier.data<float>(),
            .scale = nullptr,
            .bias = bias != nullptr ? bias->data<float>() : nullptr,
            .y = y.data<float>(),
            .y_stride = attrs.n} {}

  TernaryPanels w = {};
  TernaryOutput out = {};
};

// The int8 rows of a BitLinear.
struct BitRows {
  TernaryRows x;
  const float* scale;
  int64_t count;
};
BitRows RowsOf(const OpCall& call) {
  const Tensor& q = call.in(0);
  return {
      {q.data<int8_t>(), q.dim(1), call.in(2).data<int32_t>()}, call.in(1).data<float>(), q.dim(0)};
}

// How BitLinear is shared out: a grid of row blocks by groups of panels, in the order of row
// blocks. Few rows, or panels enough for all threads, make one row block, so that weights are read
// once. Several matrices lie side by side in the grid.
constexpr int64_t kPanelsAtOnce = 4;
constexpr int64_t kRowBlock = 48;
constexpr size_t kMaxBitMatrices = 3;

int64_t Groups(const BitMatrix& matrix) {
  return (PanelCount(matrix.w.n) + kPanelsAtOnce - 1) / kPanelsAtOnce;
}

// The groups begin ... end of all matrices with one block of rows.
void MultiplyGroups(const Env& env, const BitRows& rows, std::span<const BitMatrix> matrices,
                    TernaryRange range, int64_t begin, int64_t end) {
  for (const BitMatrix& matrix : matrices) {
    const int64_t groups = Groups(matrix);
    range.panel_begin = std::max<int64_t>(begin, 0) * kPanelsAtOnce;
    range.panel_end = std::min(PanelCount(matrix.w.n), end * kPanelsAtOnce);
    if (range.panel_begin < range.panel_end) {
      TernaryOutput out = matrix.out;
      out.scale = rows.scale;
      env.kernels.ternary.bit_linear(matrix.w, rows.x, range, out);
    }
    begin -= groups;
    end -= groups;
  }
}

void Multiply(const Env& env, const BitRows& rows, std::span<const BitMatrix> matrices) {
  if (rows.count == 0) return;
  int64_t columns = 0;
  for (const BitMatrix& matrix : matrices) columns += Groups(matrix);
  const int64_t threads = env.threads.threads();
  const int64_t row_block = columns >= 4 * threads ? rows.count : std::min(rows.count, kRowBlock);
  const int64_t row_blocks = (rows.count + row_block - 1) / row_block;
  const int64_t cells = row_blocks * columns;
  const int64_t cell = row_block * kPanelsAtOnce * kPanelRows * matrices[0].w.k;
  // As many parts as there are threads, if each is worth its start, and all of one size.
  const int64_t parts = std::clamp<int64_t>(cells * cell / (16 * kGrainElements), 1, threads);
  const int64_t grain = std::max<int64_t>(1, (cells + parts - 1) / parts);
  env.threads.ParallelFor(cells, grain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t block = begin / columns;
      const int64_t stop = std::min(end, (block + 1) * columns);
      const TernaryRange range = {.row_begin = block * row_block,
                                  .row_end = std::min(rows.count, (block + 1) * row_block),
                                  .panel_begin = 0,
                                  .panel_end = 0};
      MultiplyGroups(env, rows, matrices, range, begin - block * columns, stop - block * columns);
      begin = stop;
    }
  });
}

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
  const bool is_base3 = attrs.layout == static_cast<uint8_t>(TernaryLayout::kPanelsBase3);
  if (!is_base3 && attrs.layout != static_cast<uint8_t>(TernaryLayout::kPanels2Bit)) return false;
  if (attrs.k > kMaxTernaryColumns) return false;
  using enum DType;
  const auto are = [&](std::initializer_list<DType> inputs, std::initializer_list<DType> outputs) {
    return AreContiguous(call.inputs, inputs) && AreContiguous(call.outputs, outputs);
  };
  switch (call.op) {
    case Op::kQuantizeTernary:
      return !is_base3 && are({kF32}, {kU8, kF32});
    case Op::kPackTernary:
      return !is_base3 && are({kI8}, {kU8});
    case Op::kPackBase3:
      return !is_base3 && are({kU8}, {kU8});
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
  const int64_t n = trits.dim(0), k = trits.dim(1);
  ForPanels(env, Attrs(call), [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      RequireTrits(trits, panel * kPanelRows, std::min(n, (panel + 1) * kPanelRows));
      env.kernels.ternary.pack_panels(trits.data<int8_t>(), n, k, panel, panel + 1,
                                      call.out(0).data<uint8_t>());
    }
  });
}

void RunPackBase3(const Env& env, const OpCall& call) {
  ForPanels(env, Attrs(call), [&](int64_t begin, int64_t end) {
    env.kernels.ternary.pack_base3(Panels(call.in(0), Attrs(call)), begin, end,
                                   call.out(0).data<uint8_t>());
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
  const BitMatrix matrix(call.in(3), call.in(4), call.has(5) ? &call.in(5) : nullptr, call.out(0),
                         Attrs(call));
  Multiply(env, RowsOf(call), {&matrix, 1});
}

bool SupportsBitLinears(const OpCall& call) {
  const size_t count = call.outputs.size();
  if (count == 0 || count > kMaxBitMatrices || call.inputs.size() != 3 + 2 * count) return false;
  const Tensor no_bias;
  for (size_t i = 0; i < count; ++i) {
    const Tensor* const inputs[] = {call.inputs[0],         call.inputs[1],         call.inputs[2],
                                    call.inputs[3 + 2 * i], call.inputs[4 + 2 * i], &no_bias};
    const OpCall one = {.op = Op::kBitLinear,
                        .inputs = inputs,
                        .outputs = call.outputs.subspan(i, 1),
                        .attrs = call.attrs};
    if (!SupportsTernary(one)) return false;
  }
  return true;
}

void RunBitLinears(const Env& env, const OpCall& call) {
  BitMatrix matrices[kMaxBitMatrices];
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    TernaryAttrs attrs = Attrs(call);
    attrs.n = call.out(i).dim(1);
    matrices[i] = BitMatrix(call.in(3 + 2 * i), call.in(4 + 2 * i), nullptr, call.out(i), attrs);
  }
  Multiply(env, RowsOf(call), std::span(matrices).first(call.outputs.size()));
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
