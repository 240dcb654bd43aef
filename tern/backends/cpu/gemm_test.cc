// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "tern/backends/cpu/test_context.h"
#include "tern/base/float16.h"

namespace tern {
namespace {

TEST(CpuGemmTest, LinearGivesTheSameBitsForAnyThreadsAndBatchSplit) {
  std::mt19937 random(1);
  const auto one = MakeContext(1);
  const auto scalar = MakeContext(1, "scalar");
  const auto three = MakeContext(3);
  for (const auto& [m, n, k] :
       std::vector<std::array<int64_t, 3>>{{37, 300, 500}, {1, 1000, 96}, {5, 7, 3}, {2, 3, 0}}) {
    const Tensor x = Random<float>(*one, {m, k}, random);
    const Tensor w = Random<float>(*one, {n, k}, random);
    const Tensor bias = Random<float>(*one, {n}, random);
    const Tensor y = one->Empty({m, n}, DType::kF32);
    RunOp(*one, Op::kLinear, {&x, &w, &bias}, y);
    for (Context* ctx : {three.get(), scalar.get()}) {
      const Tensor other = ctx->Empty({m, n}, DType::kF32);
      const Tensor xc = CopyTo(*ctx, x), wc = CopyTo(*ctx, w), bc = CopyTo(*ctx, bias);
      RunOp(*ctx, Op::kLinear, {&xc, &wc, &bc}, other);
      EXPECT_TRUE(SameBits(y, other)) << m << " " << n << " " << k;
    }
    const Tensor row = one->Empty({1, n}, DType::kF32);
    const Tensor last = x.Sliced(0, m - 1, m);
    RunOp(*one, Op::kLinear, {&last, &w, &bias}, row);
    EXPECT_EQ(0, std::memcmp(row.raw(), y.data<float>() + (m - 1) * n, row.bytes()));
  }
}

TEST(CpuGemmTest, LinearWithHalfWeightsIsLinearWithThoseNumbers) {
  std::mt19937 random(2);
  const auto ctx = MakeContext(2);
  constexpr int64_t kM = 3, kN = 301, kK = 77;
  const Tensor x = Random<float>(*ctx, {kM, kK}, random);
  for (DType dtype : {DType::kBF16, DType::kF16}) {
    const Tensor w = ctx->Empty({kN, kK}, dtype);
    const Tensor wide = ctx->Empty({kN, kK}, DType::kF32);
    for (int64_t i = 0; i < w.elements(); ++i) {
      const float value = std::normal_distribution<float>()(random);
      const bool bf16 = dtype == DType::kBF16;
      w.data<uint16_t>()[i] = bf16 ? RoundToBF16(value).bits : RoundToF16(value).bits;
      wide.data<float>()[i] = bf16 ? ToF32(RoundToBF16(value)) : ToF32(RoundToF16(value));
    }
    const Tensor expected = ctx->Empty({kM, kN}, DType::kF32);
    const Tensor got = ctx->Empty({kM, kN}, DType::kF32);
    RunOp(*ctx, Op::kLinear, {&x, &wide}, expected);
    RunOp(*ctx, Op::kLinear, {&x, &w}, got);
    EXPECT_TRUE(SameBits(expected, got)) << DTypeName(dtype);
  }
}

// MatMul of any strides is Linear of the transposed copy.
TEST(CpuGemmTest, MatMulIsLinearOfTheTransposedCopy) {
  std::mt19937 random(3);
  const auto ctx = MakeContext(2);
  constexpr int64_t kM = 21, kN = 35, kK = 50;
  for (int form = 0; form < 4; ++form) {
    const bool swap_a = form % 2 != 0, swap_b = form / 2 != 0;
    Tensor a = Random<float>(*ctx, swap_a ? Shape{2, kK, kM} : Shape{2, kM, kK}, random);
    Tensor b = Random<float>(*ctx, swap_b ? Shape{1, kN, kK} : Shape{1, kK, kN}, random);
    if (swap_a) a = a.Transposed(1, 2);
    if (swap_b) b = b.Transposed(1, 2);
    b = b.Broadcast({2, kK, kN});
    const Tensor y = ctx->Empty({2, kM, kN}, DType::kF32);
    RunOp(*ctx, Op::kMatMul, {&a, &b}, y);
    for (int64_t batch = 0; batch < 2; ++batch) {
      const Tensor x = ctx->Empty({kM, kK}, DType::kF32);
      const Tensor w = ctx->Empty({kN, kK}, DType::kF32);
      for (int64_t t = 0; t < kK; ++t) {
        for (int64_t i = 0; i < kM; ++i) {
          x.data<float>()[i * kK + t] =
              a.data<float>()[batch * a.stride(0) + i * a.stride(1) + t * a.stride(2)];
        }
        for (int64_t j = 0; j < kN; ++j) {
          w.data<float>()[j * kK + t] =
              b.data<float>()[batch * b.stride(0) + t * b.stride(1) + j * b.stride(2)];
        }
      }
      const Tensor expected = ctx->Empty({kM, kN}, DType::kF32);
      RunOp(*ctx, Op::kLinear, {&x, &w}, expected);
      EXPECT_EQ(0, std::memcmp(expected.raw(), y.data<float>() + batch * kM * kN, expected.bytes()))
          << form;
    }
  }
}

// The sum of k products of errors within eps is off by at most (k + 1) eps sum |a b|.
TEST(CpuGemmTest, GemmMultipliesEveryFormAndGivesTheSameBitsForAnyThreads) {
  std::mt19937 random(4);
  const auto one = MakeContext(1);
  const auto three = MakeContext(3);
  constexpr int64_t kM = 270, kN = 300;
  for (int form = 0; form < 16; ++form) {
    const int64_t k = form < 8 ? 65 : 1300;  // the long one is cut
    const GemmAttrs attrs = {.transpose_a = (form & 1) != 0,
                             .transpose_b = (form & 2) != 0,
                             .accumulate = (form & 4) != 0};
    const Tensor a =
        Random<float>(*one, attrs.transpose_a ? Shape{2, k, kM} : Shape{2, kM, k}, random);
    const Tensor b =
        Random<float>(*one, attrs.transpose_b ? Shape{2, kN, k} : Shape{2, k, kN}, random);
    const Tensor before = Random<float>(*one, {2, kM, kN}, random);
    const Tensor y = CopyTo(*one, before);
    RunOp(*one, Op::kGemm, {&a, &b}, y, attrs);
    const Tensor y3 = CopyTo(*three, before), a3 = CopyTo(*three, a), b3 = CopyTo(*three, b);
    RunOp(*three, Op::kGemm, {&a3, &b3}, y3, attrs);
    EXPECT_TRUE(SameBits(y, y3)) << form;
    const Tensor av = attrs.transpose_a ? a.Transposed(1, 2) : a;
    const Tensor bv = attrs.transpose_b ? b.Transposed(1, 2) : b;
    for (int64_t batch = 0; batch < 2; ++batch) {
      for (int round = 0; round < 13000 / k; ++round) {
        const int64_t i = random() % kM, j = random() % kN;
        const int64_t at = (batch * kM + i) * kN + j;
        double sum = attrs.accumulate ? before.data<float>()[at] : 0.0;
        double size = std::abs(sum);
        for (int64_t t = 0; t < k; ++t) {
          const double product =
              double{*av.Selected(0, batch).Selected(0, i).Selected(0, t).data<float>()} *
              *bv.Selected(0, batch).Selected(0, t).Selected(0, j).data<float>();
          sum += product;
          size += std::abs(product);
        }
        ASSERT_NEAR(sum, y.data<float>()[at], static_cast<double>(k + 1) * 0x1p-24 * size) << form;
      }
    }
  }
}

TEST(CpuGemmTest, DoublesMultiply) {
  const auto ctx = MakeContext(1);
  const Tensor x = ctx->Empty({1, 2}, DType::kF64);
  const Tensor w = ctx->Empty({2, 2}, DType::kF64);
  x.data<double>()[0] = 1 + 0x1p-50, x.data<double>()[1] = 3;
  for (int i = 0; i < 4; ++i) w.data<double>()[i] = i + 1;
  const Tensor y = ctx->Empty({1, 2}, DType::kF64);
  RunOp(*ctx, Op::kLinear, {&x, &w}, y);
  EXPECT_EQ(7 + 0x1p-50, y.data<double>()[0]);
  const Tensor batch = w.Reshaped({1, 2, 2});
  const Tensor rows = x.Reshaped({1, 1, 2});
  const Tensor z = ctx->Empty({1, 1, 2}, DType::kF64);
  RunOp(*ctx, Op::kMatMul, {&rows, &batch}, z);
  EXPECT_EQ(10 + 0x1p-50, z.data<double>()[0]);
  RunOp(*ctx, Op::kGemm, {&rows, &batch}, z, GemmAttrs{});
  EXPECT_EQ(10 + 0x1p-50, z.data<double>()[0]);
}

}  // namespace
}  // namespace tern
