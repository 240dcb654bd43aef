// SPDX-License-Identifier: MIT
#include "tests/conformance/cases.h"

#include <array>
#include <memory>
#include <utility>

#include "tern/pack/ternary_layout.h"

namespace tern::conformance {
namespace {

using Cases = std::vector<Case>;

// Output i of a call with the same leading operands, which therefore hold the same values.
Operand OutputOf(Case source, int i) {
  Operand operand = source.outputs[static_cast<size_t>(i)];
  operand.source = std::make_shared<const Case>(std::move(source));
  operand.source_output = i;
  return operand;
}

// Less than a vector, just around one, with a tail, and enough to be split over threads.
const Shape kElementwiseShapes[] = {{1}, {15}, {17}, {3, 5, 7}, {0}, {40'001}};

void AddElementwise(DType t, Cases* cases) {
  for (const Op op : {Op::kNeg, Op::kAbs, Op::kExp, Op::kLog, Op::kSqrt, Op::kRsqrt, Op::kSquare,
                      Op::kRelu, Op::kRelu2, Op::kSilu, Op::kSigmoid}) {
    for (const Shape& shape : kElementwiseShapes) {
      cases->push_back({op, {Values(t, shape).Special()}, {Values(t, shape)}});
    }
    cases->push_back({op, {Values(t, {9, 40}).Repeated(0)}, {Values(t, {9, 40})}});
  }
  for (const Op op : {Op::kAdd, Op::kSub, Op::kMul, Op::kDiv, Op::kMax, Op::kMin, Op::kEqualMask,
                      Op::kReluGrad, Op::kRelu2Grad, Op::kSiluGrad, Op::kSigmoidGrad}) {
    for (const Shape& shape : kElementwiseShapes) {
      const Operand a = Values(t, shape).Special();
      cases->push_back({op, {a, a}, {Values(t, shape)}});
    }
    const Operand small = Values(t, {9, 40}).Integers(0, 2);  // with ties
    cases->push_back({op, {small, small.Repeated(1)}, {small}});
    cases->push_back({op, {small.Repeated(0), small.Swapped(0)}, {small}});
  }
  for (const Op op : {Op::kAddScalar, Op::kMulScalar}) {
    for (const Shape& shape : kElementwiseShapes) {
      const Operand a = Values(t, shape).Special();
      cases->push_back({op, {a}, {a}, ScalarAttrs{-1.7}});
    }
  }
}

void AddCopies(Cases* cases) {
  const Operand all[] = {F64({5, 37}).Special(), F32({5, 37}).Special(), BF16({5, 37}).Special(),
                         F16({5, 37}).Special(), I32({5, 37}),           U8({5, 37})};
  for (const Operand& from : all) {
    // Integers take no infinities and NaNs.
    const bool whole = IsFloat(from.dtype);
    for (const Operand& to : all) {
      const bool narrows = whole && !IsFloat(to.dtype);
      const Operand source = narrows ? from.Between(0, 100) : from;
      cases->push_back({Op::kCopy, {source}, {to}});
    }
    cases->push_back({Op::kCopy, {from}, {from}});
    cases->push_back({Op::kFill, {}, {from}, ScalarAttrs{3}});
  }
  cases->push_back({Op::kCopy, {F32({40'001})}, {BF16({40'001})}});
  cases->push_back({Op::kFill, {}, {F32({40'001})}, ScalarAttrs{-0.5}});
}

void AddReductions(DType t, Cases* cases) {
  for (const Op op : {Op::kSumAxis, Op::kMaxAxis}) {
    for (int axis = 0; axis < 3; ++axis) {
      const Shape shape = {5, 37, 19};
      cases->push_back({op, {Values(t, shape)}, {Values(t, shape.With(axis, 1))}, AxisAttrs{axis}});
    }
    cases->push_back({op, {Values(t, {3, 9'001})}, {Values(t, {3, 1})}, AxisAttrs{-1}});
    cases->push_back({op, {Values(t, {151, 257})}, {Values(t, {1, 257})}, AxisAttrs{0}});
    cases->push_back({op, {Values(t, {40, 5}).Repeated(0)}, {Values(t, {1, 5})}, AxisAttrs{0}});
  }
  for (const int64_t n : {0, 1, 100, 40'003}) {
    cases->push_back({Op::kSumSquares, {Values(t, {n})}, {F64({1})}});
    cases->push_back({Op::kAllFinite, {Values(t, {n})}, {I32({1})}});
  }
  cases->push_back({Op::kAllFinite, {Values(t, {1000}).Special()}, {I32({1})}});
}

void AddRows(DType t, Cases* cases) {
  for (const int64_t n : {1, 16, 33, 1000}) {
    const Operand x = Values(t, {37, n});
    const Operand w = Values(t, {n});
    const Operand rows = Values(t, {37});
    const Operand targets = I32({37}).Integers(-1, static_cast<double>(n - 1));
    cases->push_back({Op::kSoftmax, {x}, {x}});
    cases->push_back({Op::kSoftmaxGrad, {OutputOf({Op::kSoftmax, {x}, {x}}, 0), x}, {x}});
    cases->push_back({Op::kRmsNorm, {x, w}, {x}, NormAttrs{1e-5}});
    cases->push_back({Op::kRmsNormGrad, {x, w, x}, {x, w}, NormAttrs{1e-5}});
    cases->push_back({Op::kCrossEntropy, {x, targets}, {rows}, LossAttrs{}});
    cases->push_back({Op::kCrossEntropyGrad, {x, targets, rows}, {x}, LossAttrs{.scale = 0.25f}});
    const Operand ids = I32({50}).Integers(0, 36);
    cases->push_back({Op::kGather, {x, ids}, {Values(t, {50, n})}});
    cases->push_back({Op::kScatterAdd, {Values(t, {50, n}), ids}, {x}});
  }
}

void AddProducts(DType t, Cases* cases) {
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{
           {1, 1, 1}, {1, 70, 33}, {5, 3, 16}, {17, 35, 100}, {3, 5, 0}, {70, 66, 200}}) {
    const Operand x = Values(t, {m, k});
    const Operand y = Values(t, {m, n});
    for (const Operand& bias : {None(), Values(t, {n})}) {
      cases->push_back({Op::kLinear, {x, Values(t, {n, k}), bias}, {y}});
      if (t == DType::kF32) {
        cases->push_back({Op::kLinear, {x, BF16({n, k}), bias}, {y}});
        cases->push_back({Op::kLinear, {x, F16({n, k}), bias}, {y}});
      }
    }
    if (t == DType::kF32 && k > 0) {
      for (const Operand& w : {Values(t, {n, k}), BF16({n, k}), F16({n, k})}) {
        const Case pack = {Op::kPackScreen, {w}, {U8({n, PaddedColumns(k)}), Values(t, {n, 3})}};
        cases->push_back(pack);
        const Operand one = Values(t, {1, k});
        cases->push_back({Op::kScreenedLinear,
                          {one, w, OutputOf(pack, 0), OutputOf(pack, 1)},
                          {Values(t, {1, n})},
                          ScreenAttrs{3}});
      }
    }
    const Operand a = Values(t, {3, m, k});
    const Operand b = Values(t, {3, k, n});
    const Operand batch = Values(t, {3, m, n});
    cases->push_back({Op::kMatMul, {a, b}, {batch}});
    cases->push_back({Op::kMatMul, {a.Swapped(1), b.Repeated(0)}, {batch}});
    for (const bool add : {false, true}) {
      cases->push_back({Op::kGemm, {a, b}, {batch}, GemmAttrs{.accumulate = add}});
      cases->push_back({Op::kGemm,
                        {Values(t, {3, k, m}), Values(t, {3, n, k})},
                        {batch},
                        GemmAttrs{.transpose_a = true, .transpose_b = true, .accumulate = add}});
    }
  }
}

void AddTernary(Cases* cases) {
  for (const auto& [rows, n, k] : std::vector<std::array<int64_t, 3>>{
           {1, 1, 1}, {1, 100, 200}, {7, 33, 63}, {3, 16, 64}, {70, 130, 321}, {2, 5, 4097}}) {
    const Operand panels = U8({PanelsBytes(n, k)});
    const Operand trits = I8({n, k}).Integers(-1, 1);
    const Operand one = F32({1}).Between(0.01, 2);
    const TernaryAttrs attrs = {.n = n, .k = k};
    const TernaryAttrs sign = {.n = n, .k = k, .quantizer = TernaryQuantizer::kSign};
    cases->push_back({Op::kQuantizeTernary, {F32({n, k})}, {panels, one}, attrs});
    cases->push_back({Op::kQuantizeTernary, {F32({n, k})}, {panels, one}, sign});
    cases->push_back({Op::kPackTernary, {trits}, {panels}, attrs});
    const Operand packed = OutputOf({Op::kPackTernary, {trits}, {panels}, attrs}, 0);
    TernaryAttrs base3_attrs = attrs;
    base3_attrs.layout = static_cast<uint8_t>(TernaryLayout::kPanelsBase3);
    const Operand base3_panels = U8({PanelsBytes(n, k, TernaryLayout::kPanelsBase3)});
    cases->push_back({Op::kPackBase3, {packed}, {base3_panels}, attrs});
    const Operand base3 = OutputOf({Op::kPackBase3, {packed}, {base3_panels}, attrs}, 0);
    cases->push_back({Op::kUnpackTernary, {packed}, {trits}, attrs});
    cases->push_back({Op::kUnpackTernary, {base3}, {trits}, base3_attrs});
    cases->push_back({Op::kDequantizeTernary, {packed, one}, {F32({n, k})}, attrs});
    cases->push_back({Op::kDequantizeTernary, {base3, one}, {F32({n, k})}, base3_attrs});

    const Operand x = F32({rows, k});
    for (const int64_t groups : {int64_t{1}, k}) {
      cases->push_back(
          {Op::kTernaryLinear, {x, packed, F32({n, groups})}, {F32({rows, n})}, attrs});
    }
    const Operand q = I8({rows, QuantRowStride(k)});
    const Operand scale = F32({rows}).Between(1, 200);
    const Operand sum = I32({rows});
    const Case quantize = {Op::kQuantizeRows, {x}, {q, scale, sum}};
    cases->push_back(quantize);
    cases->push_back({Op::kQuantizeRows, {x.Between(1e-9, 1e-8)}, {q, scale, sum}});
    cases->push_back({Op::kDequantizeRows, {OutputOf(quantize, 0), scale}, {x}});
    cases->push_back({Op::kRmsNormQuantize, {x, F32({k})}, {q, scale, sum}, NormAttrs{1e-5}});
    const Operand other = OutputOf({Op::kPackTernary,
                                    {I8({n + 20, k}).Integers(-1, 1)},
                                    {U8({PanelsBytes(n + 20, k)})},
                                    TernaryAttrs{.n = n + 20, .k = k}},
                                   0);
    cases->push_back({Op::kBitLinears,
                      {OutputOf(quantize, 0), OutputOf(quantize, 1), OutputOf(quantize, 2), packed,
                       one, other, one, packed, one},
                      {F32({rows, n}), F32({rows, n + 20}), F32({rows, n})},
                      attrs});
    for (const Operand& bias : {None(), F32({n})}) {
      for (const auto& [weights, of_weights] : {std::pair{packed, attrs}, {base3, base3_attrs}}) {
        cases->push_back({Op::kBitLinear,
                          {OutputOf(quantize, 0), OutputOf(quantize, 1), OutputOf(quantize, 2),
                           weights, one, bias},
                          {F32({rows, n})},
                          of_weights});
      }
    }
  }
}

void AddAttention(DType t, Cases* cases) {
  struct Dims {
    int64_t batch, tokens, start, heads, kv_heads, head_dim;
  };
  for (const Dims& d : {Dims{1, 1, 0, 1, 1, 1}, Dims{2, 5, 0, 4, 2, 24}, Dims{1, 1, 150, 6, 2, 64},
                        Dims{1, 9, 70, 2, 1, 33}, Dims{1, 130, 0, 2, 2, 16}}) {
    const int64_t keys = d.start + d.tokens;
    const Operand q = Values(t, {d.batch, d.tokens, d.heads, d.head_dim});
    const Operand kv = Values(t, {d.batch, keys, d.kv_heads, d.head_dim});
    const Operand parts = Values(t, {d.batch, d.heads, d.tokens, 2});
    const AttentionAttrs attrs = {.scale = 0.3f, .start = d.start};
    const Case forward = {Op::kAttention, {q, kv, kv}, {q, parts}, attrs};
    cases->push_back(forward);
    if (t == DType::kF32) {
      for (const DType narrow : {DType::kBF16, DType::kF16}) {
        cases->push_back({Op::kAttention, {q, kv.As(narrow), kv.As(narrow)}, {q, parts}, attrs});
      }
      // The scales of a head lie side by side.
      const Operand scales = Values(t, {d.batch, keys, d.kv_heads}).Swapped(1);
      const Case quantize = {Op::kQuantizeHeads, {kv}, {kv.As(DType::kI8), scales}};
      cases->push_back(quantize);
      const Operand codes = OutputOf(quantize, 0), key_scales = OutputOf(quantize, 1);
      cases->push_back(
          {Op::kAttention, {q, codes, codes, key_scales, key_scales}, {q, parts}, attrs});
    }
    if (d.start == 0) {
      cases->push_back({Op::kAttentionGrad,
                        {q, kv, kv, OutputOf(forward, 1), OutputOf(forward, 0), q},
                        {q, kv, kv},
                        attrs});
    }
  }
}

void AddTransformer(DType t, Cases* cases) {
  for (const int64_t half : {1, 8, 19, 64}) {
    const Operand x = Values(t, {37, 3, 2 * half});
    const Operand angles = Values(t, {50, half});
    const Operand positions = I32({37}).Integers(0, 49);
    for (const bool inverse : {false, true}) {
      cases->push_back({Op::kRope, {x, angles, angles, positions}, {x}, RopeAttrs{inverse}});
    }
    if (t == DType::kF32) {
      const Operand far = I32({50}).Integers(0, (1 << 24) - 1);
      cases->push_back({Op::kRopeTable, {far}, {angles, angles}, RopeTableAttrs{10'000}});
    }
  }
  for (const Activation activation : {Activation::kRelu2, Activation::kSilu}) {
    for (const Shape& shape : {Shape{1, 1}, Shape{7, 33}, Shape{150, 257}}) {
      const Operand x = Values(t, shape);
      cases->push_back({Op::kGatedMlp, {x, x}, {x}, ActivationAttrs{activation}});
      cases->push_back({Op::kGatedMlpGrad, {x, x, x}, {x, x}, ActivationAttrs{activation}});
    }
  }
  for (const int64_t n : {1, 100, 40'001}) {
    const Operand x = Values(t, {n});
    cases->push_back({Op::kAdamW,
                      {x},
                      {x, x, x.Between(0, 1)},
                      AdamWAttrs{.learning_rate = 1e-3,
                                 .weight_decay = 0.1,
                                 .bias_correction1 = 0.1,
                                 .bias_correction2 = 0.05,
                                 .gradient_scale = 0.5}});
  }
}

}  // namespace

std::string Case::ToString() const {
  std::string text = OpName(op);
  text += '(';
  for (size_t i = 0; i < inputs.size(); ++i) text += (i == 0 ? "" : ", ") + inputs[i].ToString();
  text += ") ->";
  for (size_t i = 0; i < outputs.size(); ++i) text += (i == 0 ? " " : ", ") + outputs[i].ToString();
  return text;
}

std::vector<Case> AllCases() {
  Cases cases;
  AddCopies(&cases);
  for (const DType t : {DType::kF32, DType::kF64}) {
    AddElementwise(t, &cases);
    AddReductions(t, &cases);
    AddRows(t, &cases);
    AddProducts(t, &cases);
    AddTransformer(t, &cases);
    AddAttention(t, &cases);
  }
  AddTernary(&cases);
  return cases;
}

}  // namespace tern::conformance
