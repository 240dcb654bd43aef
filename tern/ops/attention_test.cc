// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tern/ops/op_test.h"
#include "tern/ops/transformer.h"

namespace tern::ops {
namespace {

// The CPU without some of its ops.
class LesserCpu final : public Backend {
 public:
  explicit LesserCpu(std::set<Op> missing) : missing_(std::move(missing)) {}

  std::string_view name() const override { return "lesser cpu"; }
  Device device() const override { return cpu_.device(); }
  MemoryPool& pool() override { return cpu_.pool(); }
  bool Supports(const OpCall& call) const override {
    return !missing_.contains(call.op) && cpu_.Supports(call);
  }
  void Run(Context& ctx, const OpCall& call) override { cpu_.Run(ctx, call); }
  void Synchronize() override {}

 private:
  CpuBackend cpu_;
  std::set<Op> missing_;
};

class AttentionOpTest : public OpTest {
 protected:
  AttentionOpTest() {
    lesser_.AddBackend(std::make_unique<LesserCpu>(std::set<Op>{Op::kAttention, Op::kGatedMlp}));
  }

  Tensor Floats(const Shape& shape) { return Random<float>(ctx_, shape, random_); }

  Context lesser_{ContextOptions{.threads = 1, .log = {}}};
};

TEST_F(AttentionOpTest, RopeTurnsByThePositionsAngle) {
  const Tensor x = Make<double>({2, 1, 2}, {1, 0, 1, 0});
  const Tensor cos = Make<double>({3, 1}, {1, 0.8, 0});
  const Tensor sin = Make<double>({3, 1}, {0, 0.6, 1});
  EXPECT_EQ(Values<double>(Rope(ctx_, x, cos, sin, Make<int32_t>({2}, {2, 1}))),
            (std::vector<double>{0, 1, 0.8, 0.6}));
  ExpectRefused([&] { Rope(ctx_, x, cos, sin, Make<int32_t>({2}, {0, 3})); }, {"Rope", "3"});
  ExpectRefused([&] { Rope(ctx_, x, cos, sin, Make<int32_t>({2}, {-1, 0})); }, {"Rope", "-1"});
  ExpectRefused([&] { Rope(ctx_, x, cos, sin, Make<int32_t>({1}, {0})); }, {"Rope", "positions"});
  ExpectRefused(
      [&] {
        Rope(ctx_, Doubles({2, 1, 4}), cos, sin, Make<int32_t>({2}, {0, 1}));
      },
      {"Rope", "head_dim"});
}

TEST_F(AttentionOpTest, RopeGradient) {
  const Tensor cos = Doubles({4, 3}), sin = Doubles({4, 3});
  const Tensor positions = Make<int32_t>({2}, {3, 1});
  CheckGradient([&](auto leaves) { return Rope(ctx_, leaves[0], cos, sin, positions); },
                {Doubles({2, 2, 6})});
  // A view whose heads have gaps, and one whose elements do not lie side by side.
  CheckGradient(
      [&](auto leaves) { return Rope(ctx_, Slice(ctx_, leaves[0], 2, 1, 7), cos, sin, positions); },
      {Doubles({2, 2, 8})});
  CheckGradient(
      [&](auto leaves) {
        return Rope(ctx_, Transpose(ctx_, leaves[0], 1, 2), cos, sin, positions);
      },
      {Doubles({2, 6, 2})});
}

// Keys and values in a type, with the scales of a head not side by side.
HeadRows Rounded(Context& ctx, const Tensor& x, DType dtype) {
  if (dtype != DType::kI8) return {Cast(ctx, x, dtype)};
  HeadRows rows = RoundHeads(ctx, x, dtype);
  rows.scales = Contiguous(ctx, rows.scales);
  return rows;
}

HeadRows SecondSequence(const HeadRows& rows) {
  const bool scaled = rows.scales.defined();
  return {rows.values.Sliced(0, 1, 2), scaled ? rows.scales.Sliced(0, 1, 2) : Tensor()};
}

HeadRows CopyOf(Context& ctx, const HeadRows& rows) {
  const bool scaled = rows.scales.defined();
  return {CopyTo(ctx, rows.values), scaled ? CopyTo(ctx, rows.scales) : Tensor()};
}

// One pass over all tokens, one token after another on a cache that is longer, one sequence alone,
// other targets, other numbers of threads: the same bits.
TEST_F(AttentionOpTest, PassesOfAnyFormHaveTheSameBits) {
  constexpr int64_t kBatch = 2, kTokens = 37, kHeads = 6, kKvHeads = 2, kHeadDim = 24;
  const Tensor q = Floats({kBatch, kTokens, kHeads, kHeadDim});
  for (DType dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kI8}) {
    const HeadRows k = Rounded(ctx_, Floats({kBatch, kTokens + 5, kKvHeads, kHeadDim}), dtype);
    const HeadRows v = Rounded(ctx_, Floats({kBatch, kTokens + 5, kKvHeads, kHeadDim}), dtype);
    const Tensor all = Attention(ctx_, q, k, v, 0.2f, 0);
    for (int64_t t = 0; t < kTokens; ++t) {
      const Tensor one = Attention(ctx_, q.Sliced(1, t, t + 1), k, v, 0.2f, t);
      EXPECT_TRUE(SameBits(one, Contiguous(ctx_, all.Sliced(1, t, t + 1)))) << t;
    }
    const Tensor rest = Attention(ctx_, q.Sliced(1, 20, kTokens), k, v, 0.2f, 20);
    EXPECT_TRUE(SameBits(rest, Contiguous(ctx_, all.Sliced(1, 20, kTokens))));
    const Tensor second =
        Attention(ctx_, q.Sliced(0, 1, 2), SecondSequence(k), SecondSequence(v), 0.2f, 0);
    EXPECT_TRUE(SameBits(second, Contiguous(ctx_, all.Sliced(0, 1, 2))));
    const auto scalar = MakeContext(1, "scalar");
    const Tensor reference =
        Attention(*scalar, CopyTo(*scalar, q), CopyOf(*scalar, k), CopyOf(*scalar, v), 0.2f, 0);
    EXPECT_TRUE(SameBits(all, reference)) << DTypeName(dtype);
  }
}

TEST_F(AttentionOpTest, AttentionGradients) {
  const auto attention = [&](auto leaves) {
    return Attention(ctx_, leaves[0], leaves[1], leaves[2], 0.7f, 0);
  };
  CheckGradient(attention, {Doubles({2, 5, 2, 3}), Doubles({2, 5, 2, 3}), Doubles({2, 5, 2, 3})});
  // Groups of three heads, keys that no query sees.
  CheckGradient(attention, {Doubles({1, 4, 6, 2}), Doubles({1, 6, 2, 2}), Doubles({1, 6, 2, 2})});
  // Queries that are views.
  CheckGradient(
      [&](auto leaves) {
        const Tensor q = Transpose(ctx_, leaves[0], 1, 2);
        return Attention(ctx_, q, leaves[1], Transpose(ctx_, leaves[2], 2, 3), 0.7f, 0);
      },
      {Doubles({1, 2, 4, 3}), Doubles({1, 4, 1, 3}), Doubles({1, 4, 3, 1})});
}

// More queries than a block of the gradient, in f32: equal bits for any number of threads, and
// close to the gradients in f64.
TEST_F(AttentionOpTest, AttentionGradientOfLongSequences) {
  constexpr int64_t kTokens = 150;
  std::vector<Tensor> leaves;
  for (int64_t heads : {4, 2, 2}) leaves.push_back(Floats({2, kTokens, heads, 16}));
  const Tensor dy = Floats({2, kTokens, 4, 16});
  const auto gradients = [&](Context& ctx, DType dtype) {
    Tape tape(ctx);
    std::vector<Tensor> watched, result;
    for (const Tensor& leaf : leaves) {
      watched.push_back(tape.Watch(Cast(ctx, CopyTo(ctx, leaf), dtype)));
    }
    const Tensor y = Attention(ctx, watched[0], watched[1], watched[2], 0.25f, 0);
    tape.Backward(y, Cast(ctx, CopyTo(ctx, dy), dtype));
    for (const Tensor& leaf : watched) result.push_back(tape.Gradient(leaf));
    return result;
  };
  const auto three = MakeContext(3);
  const std::vector<Tensor> got = gradients(ctx_, DType::kF32);
  const std::vector<Tensor> same = gradients(*three, DType::kF32);
  const std::vector<Tensor> exact = gradients(ctx_, DType::kF64);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(SameBits(got[i], same[i])) << i;
    const std::vector<float> f = Values<float>(got[i]);
    const std::vector<double> d = Values<double>(exact[i]);
    // Sums of up to 150 products of size 1 with relative errors of some 20 eps.
    for (size_t j = 0; j < f.size(); ++j) ASSERT_NEAR(f[j], d[j], 5e-4) << i << " " << j;
  }
}

TEST_F(AttentionOpTest, SmallOpsGiveTheSameWhereADeviceLacksAttention) {
  const auto copy = [&](const Tensor& t) { return CopyTo(lesser_, t); };
  const Tensor q = Doubles({2, 3, 4, 6}), k = Doubles({2, 7, 2, 6}), v = Doubles({2, 7, 2, 6});
  for (int64_t start : {0, 4}) {
    const std::vector<double> whole = Values<double>(Attention(ctx_, q, k, v, 0.4f, start));
    const std::vector<double> parts =
        Values<double>(Attention(lesser_, copy(q), copy(k), copy(v), 0.4f, start));
    for (size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(whole[i], parts[i], 1e-14) << i;
  }
  const std::vector<Tensor> leaves = {copy(q), copy(k), copy(v)};
  const GradCheckResult result = GradCheck(
      lesser_, [&](auto l) { return Attention(lesser_, l[0], l[1], l[2], 0.4f, 0); }, leaves);
  EXPECT_TRUE(result.ok) << result.ToString();
}

// Codes times scales are x but for half a step of a head's largest number; small ops agree.
TEST_F(AttentionOpTest, RoundsHeadsToInt8) {
  const Tensor x = Floats({2, 5, 3, 8});
  const HeadRows rows =
      RoundHeads(ctx_, Transpose(ctx_, Transpose(ctx_, x, 1, 2), 1, 2), DType::kI8);
  const std::vector<float> wanted = Values<float>(x);
  const std::vector<float> scales = Values<float>(Contiguous(ctx_, rows.scales));
  const std::vector<int8_t> codes = Values<int8_t>(rows.values);
  for (size_t head = 0; head < scales.size(); ++head) {
    int most = 0;
    for (size_t i = head * 8; i < head * 8 + 8; ++i) {
      EXPECT_NEAR(codes[i] * scales[head], wanted[i], scales[head] * 0.5001f) << i;
      most = std::max(most, std::abs(codes[i]));
    }
    EXPECT_EQ(most, 127) << head;
  }
  const Tensor q = Floats({2, 5, 6, 8});
  const std::vector<float> whole = Values<float>(Attention(ctx_, q, rows, rows, 0.4f, 0));
  const std::vector<float> parts = Values<float>(
      Attention(lesser_, CopyTo(lesser_, q), CopyOf(lesser_, Rounded(ctx_, x, DType::kI8)),
                CopyOf(lesser_, Rounded(ctx_, x, DType::kI8)), 0.4f, 0));
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(whole[i], parts[i], 1e-5) << i;

  ExpectRefused([&] { Attention(ctx_, q, HeadRows{rows.values}, rows, 1, 0); },
                {"Attention", "need scales"});
  ExpectRefused(
      [&] {
        Attention(ctx_, q, HeadRows{x, rows.scales}, HeadRows{x}, 1, 0);
      },
      {"Attention", "no others"});
  ExpectRefused([&] { RoundHeadsInto(ctx_, q, rows); }, {"RoundHeadsInto", "heads, head_dim]"});
  ExpectRefused([&] { RoundHeads(ctx_, Doubles({1, 1, 1, 2}), DType::kI8); }, {"must be f32"});
  Tape tape(ctx_);
  ExpectRefused([&] { RoundHeads(ctx_, tape.Watch(x), DType::kI8); }, {"no gradient"});
}

TEST_F(AttentionOpTest, AttentionRefusesWhatDoesNotFit) {
  const Tensor q = Floats({1, 2, 3, 4}), k = Floats({1, 2, 1, 4});
  const auto refused = [&](const Tensor& queries, const Tensor& keys, const Tensor& values,
                           int64_t start, const char* part) {
    ExpectRefused([&] { Attention(ctx_, queries, keys, values, 1, start); }, {"Attention", part});
  };
  refused(q, k, Floats({1, 2, 1, 3}), 0, "head_dim]");
  refused(q, k, Doubles({1, 2, 1, 4}), 0, "one dtype");
  refused(q, k, k, 1, "a key for every position");
  refused(q, Floats({1, 2, 2, 4}), Floats({1, 2, 2, 4}), 0, "must divide");
  refused(q, k, Tensor(), 0, "undefined");
  refused(Doubles({1, 2, 3, 4}), k, k, 0, "queries' dtype");
  Tape tape(ctx_);
  const Tensor linked = tape.Watch(q);
  refused(linked, Cast(ctx_, k, DType::kBF16), Cast(ctx_, k, DType::kBF16), 0, "gradients need");
}

TEST_F(AttentionOpTest, GatedMlpIsTheActivationTimesUp) {
  const Tensor gate = Make<double>({3}, {-1, 2, 3}), up = Make<double>({3}, {4, 5, 6});
  EXPECT_EQ(Values<double>(GatedMlp(ctx_, gate, up, Activation::kRelu2)),
            (std::vector<double>{0, 20, 54}));
  EXPECT_NEAR(Values<double>(GatedMlp(ctx_, gate, up, Activation::kSilu))[1],
              2 / (1 + std::exp(-2.0)) * 5, 1e-14);
  ExpectRefused([&] { GatedMlp(ctx_, gate, Doubles({2}), Activation::kSilu); },
                {"GatedMlp", "one shape"});
}

TEST_F(AttentionOpTest, GatedMlpGradientsWholeAndBySmallOps) {
  // Away from the kink of the rectifier.
  const Tensor gate =
      Concat(ctx_, std::vector<Tensor>{Uniform({2, 3}, 0.1, 2), Uniform({2, 3}, -2, -0.1)}, 1);
  const Tensor up = Doubles({2, 6});
  for (Activation activation : {Activation::kRelu2, Activation::kSilu, Activation::kGeluTanh}) {
    for (Context* ctx : {&ctx_, &lesser_}) {
      const std::vector<Tensor> leaves = {CopyTo(*ctx, gate), CopyTo(*ctx, up)};
      const GradCheckResult result = GradCheck(
          *ctx, [&](auto l) { return GatedMlp(*ctx, l[0], l[1], activation); }, leaves);
      EXPECT_TRUE(result.ok) << result.ToString() << " values from seed " << seed_;
    }
    EXPECT_EQ(
        Values<double>(GatedMlp(ctx_, gate, up, activation)),
        Values<double>(GatedMlp(lesser_, CopyTo(lesser_, gate), CopyTo(lesser_, up), activation)));
  }
}

}  // namespace
}  // namespace tern::ops
