// SPDX-License-Identifier: MIT
// Every op that the CPU backend has, on every target of this machine and with 1 and 3 threads,
// gives the bits of the scalar target with one thread, and writes its outputs alone. The ops are
// those of cpu_ops.inc: a new line there without a case in cases.cc fails. Products for gradients
// need not be canonical: there each target has its bits, and comes near the scalar's.
//
// Each case is then varied: operand by operand, other dtypes and strided layouts. Where Supports()
// takes a variant, the targets must agree on it too, and a layout must not change the result.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/cpu_features.h"
#include "tern/base/float16.h"
#include "tern/core/context.h"
#include "tern/kernels/kernel_table.h"
#include "tests/conformance/cases.h"

namespace tern::conformance {
namespace {

constexpr int64_t kMaxVariedElements = 5000;

struct Machine {
  std::string name;  // target and threads
  std::unique_ptr<Context> ctx;
};

// The first is the reference: scalar, one thread.
std::vector<Machine> MakeMachines() {
  std::vector<Machine> machines;
  for (const kernels::Target& target : kernels::ListTargets(CpuFeatures::Detect())) {
    if (!target.supported) continue;
    for (const int threads : {1, 3}) {
      auto ctx = std::make_unique<Context>(ContextOptions{.threads = threads, .log = {}});
      ctx->AddBackend(std::make_unique<CpuBackend>(target.name));
      machines.push_back(
          {std::string(target.name) + " with " + std::to_string(threads) + " threads",
           std::move(ctx)});
    }
  }
  return machines;
}

// What the operands of a case hold.
struct Content {
  std::vector<Elements> inputs;
  std::vector<Elements> outputs;
};

// A case in the memory of a machine.
class PlacedCase {
 public:
  PlacedCase(Context& ctx, const Case& of, const Content& content) : ctx_(ctx) {
    Place(of.inputs, content.inputs, &inputs_, &in_);
    Place(of.outputs, content.outputs, &outputs_, &out_);
    call_ = {.op = of.op, .inputs = in_, .outputs = out_, .attrs = of.attrs};
  }

  bool Supported() const { return ctx_.default_backend().Supports(call_); }

  // The elements of each output.
  std::vector<Elements> Run() {
    ctx_.Run(call_);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      EXPECT_TRUE(inputs_[i]->Unchanged()) << "input " << i << " was written";
    }
    std::vector<Elements> results;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      EXPECT_TRUE(outputs_[i]->OnlyElementsChanged()) << "written beside output " << i;
      results.push_back(ElementsOf(outputs_[i]->tensor()));
    }
    return results;
  }

 private:
  using Operands = std::vector<std::unique_ptr<Placed>>;

  void Place(const std::vector<Operand>& operands, const std::vector<Elements>& content,
             Operands* placed, std::vector<const Tensor*>* tensors) {
    for (size_t i = 0; i < operands.size(); ++i) {
      placed->push_back(std::make_unique<Placed>(ctx_.pool(), operands[i], content[i]));
      tensors->push_back(&placed->back()->tensor());
    }
  }

  Context& ctx_;
  Operands inputs_, outputs_;
  std::vector<const Tensor*> in_, out_;
  OpCall call_{};
};

// Operands in the same place of two cases hold the same values.
Content Draw(Context& reference, const Case& of, uint64_t seed) {
  const auto draw = [&](const Operand& operand, uint64_t stream) {
    if (!operand.defined) return Elements();
    if (operand.source == nullptr) return DrawElements(operand, seed + stream);
    const Case& source = *operand.source;
    return PlacedCase(reference, source, Draw(reference, source, seed))
        .Run()[operand.source_output];
  };
  Content content;
  for (const Operand& input : of.inputs) {
    content.inputs.push_back(draw(input, content.inputs.size()));
  }
  for (const Operand& output : of.outputs) {
    content.outputs.push_back(draw(output, 100 + content.outputs.size()));
  }
  return content;
}

double ValueOf(DType dtype, const std::byte* element) {
  const auto read = [&](auto value) {
    std::memcpy(&value, element, sizeof(value));
    return value;
  };
  switch (dtype) {
    case DType::kF64:
      return read(double{});
    case DType::kF32:
      return read(float{});
    case DType::kBF16:
      return ToF32(tern::BF16{read(uint16_t{})});
    case DType::kF16:
      return ToF32(tern::F16{read(uint16_t{})});
    case DType::kI8:
      return read(int8_t{});
    case DType::kU8:
      return read(uint8_t{});
    case DType::kI32:
      return read(int32_t{});
  }
  return 0;
}

bool IsCanonical(Op op) { return op != Op::kGemm && op != Op::kAttentionGrad; }

// How far apart two orders of summation may come: each of at most kTerms terms is rounded to
// within epsilon of the largest sum, of numbers that were drawn of order 1.
double OrderBound(DType dtype, const Elements& elements) {
  constexpr double kTerms = 512;
  const double epsilon = dtype == DType::kF64 ? std::numeric_limits<double>::epsilon()
                                              : std::numeric_limits<float>::epsilon();
  double largest = 1;
  for (size_t at = 0; at < elements.size(); at += ElementBytes(dtype)) {
    largest = std::max(largest, std::abs(ValueOf(dtype, elements.data() + at)));
  }
  return kTerms * epsilon * largest;
}

// Equal bits; two NaNs may differ in sign and payload, which IEEE 754 leaves to the machine.
void ExpectSame(const Case& of, const std::vector<Elements>& expected,
                const std::vector<Elements>& actual, bool exactly) {
  for (size_t output = 0; output < expected.size(); ++output) {
    ASSERT_EQ(expected[output].size(), actual[output].size());
    if (expected[output] == actual[output]) continue;
    const DType dtype = of.outputs[output].dtype;
    const double bound = exactly ? 0 : OrderBound(dtype, expected[output]);
    const size_t bytes = ElementBytes(dtype);
    for (size_t at = 0; at < expected[output].size(); at += bytes) {
      const std::byte* want = expected[output].data() + at;
      const std::byte* have = actual[output].data() + at;
      if (std::memcmp(want, have, bytes) == 0) continue;
      const double wanted = ValueOf(dtype, want);
      const double had = ValueOf(dtype, have);
      if (std::isnan(wanted) && std::isnan(had)) continue;
      if (!exactly && std::abs(wanted - had) <= bound) continue;
      FAIL() << "output " << output << ", element " << at / bytes << " is " << had << ", not "
             << wanted << (exactly ? "" : " but for rounding");
    }
  }
}

class Conformance : public testing::TestWithParam<Op> {
 protected:
  static void SetUpTestSuite() {
    machines_ = new std::vector<Machine>(MakeMachines());
    cases_ = new std::vector<Case>(AllCases());
  }
  static void TearDownTestSuite() {
    for (const Machine& machine : *machines_) {
      EXPECT_EQ(machine.ctx->pool().stats().live_bytes, 0u) << machine.ctx->pool().LeakReport();
    }
    delete machines_;
    delete cases_;
  }

  static std::vector<Case> CasesOfOp() {
    std::vector<Case> cases;
    for (const Case& of : *cases_) {
      if (of.op == GetParam()) cases.push_back(of);
    }
    return cases;
  }

  // Runs the case everywhere; returns the result, empty where it is not supported.
  static std::vector<Elements> Agree(const Case& of) {
    SCOPED_TRACE(of.ToString());
    const Content content = Draw(*machines_->front().ctx, of, seed_);
    std::vector<Elements> expected, of_target;
    for (const Machine& machine : *machines_) {
      SCOPED_TRACE(machine.name);
      PlacedCase placed(*machine.ctx, of, content);
      if (!placed.Supported()) {
        EXPECT_TRUE(expected.empty()) << "the scalar target has it";
        return {};
      }
      std::vector<Elements> actual = placed.Run();
      if (expected.empty()) expected = actual;
      ExpectSame(of, expected, actual, IsCanonical(of.op));
      if (machine.ctx->threads().threads() == 1) {
        of_target = std::move(actual);
      } else {
        ExpectSame(of, of_target, actual, true);
      }
    }
    return expected;
  }

  static void VaryLayout(const Case& of, const std::vector<Elements>& expected, Operand* operand) {
    const Operand kept = *operand;
    if (kept.layout != Layout::kContiguous) return;
    for (int axis = 0; axis < kept.shape.rank(); ++axis) {
      for (const Operand& variant : {kept.Stepped(axis), kept.Swapped(axis)}) {
        *operand = variant;
        const std::vector<Elements> actual = Agree(of);
        SCOPED_TRACE(of.ToString());
        if (!actual.empty()) ExpectSame(of, expected, actual, IsCanonical(of.op));
      }
    }
    *operand = kept;
  }

  static void VaryDType(const Case& of, Operand* operand) {
    const Operand kept = *operand;
    for (int i = 0; i < kDTypeCount; ++i) {
      const auto dtype = static_cast<DType>(i);
      if (dtype == kept.dtype) continue;
      *operand = IsFloat(dtype) ? kept.As(dtype) : kept.As(dtype).Integers(0, 1);
      operand->source = nullptr;
      Agree(of);
    }
    *operand = kept;
  }

  static std::vector<Machine>* machines_;
  static std::vector<Case>* cases_;
  static uint64_t seed_;
};

std::vector<Machine>* Conformance::machines_ = nullptr;
std::vector<Case>* Conformance::cases_ = nullptr;
uint64_t Conformance::seed_ = std::random_device()();

TEST_P(Conformance, EveryTargetGivesTheSameBits) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  const std::vector<Case> cases = CasesOfOp();
  ASSERT_FALSE(cases.empty()) << "cases.cc has no case of " << OpName(GetParam());
  for (const Case& of : cases) {
    EXPECT_FALSE(Agree(of).empty()) << "not supported: " << of.ToString();
  }
}

TEST_P(Conformance, WhatIsSupportedIsRight) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  for (Case of : CasesOfOp()) {
    int64_t elements = 0;
    for (const auto* operands : {&of.inputs, &of.outputs}) {
      for (const Operand& operand : *operands) elements += operand.shape.elements();
    }
    if (elements > kMaxVariedElements) continue;
    const std::vector<Elements> expected = Agree(of);
    for (auto* operands : {&of.inputs, &of.outputs}) {
      for (Operand& operand : *operands) {
        if (!operand.defined) continue;
        VaryLayout(of, expected, &operand);
        VaryDType(of, &operand);
      }
    }
    if (HasFailure()) return;
  }
}

constexpr Op kCpuOps[] = {
#define TERN_CPU_OP(op, supports) Op::k##op,
#include "tern/backends/cpu/cpu_ops.inc"
#undef TERN_CPU_OP
};

INSTANTIATE_TEST_SUITE_P(Cpu, Conformance, testing::ValuesIn(kCpuOps),
                         [](const testing::TestParamInfo<Op>& op) { return OpName(op.param); });

}  // namespace
}  // namespace tern::conformance
