// SPDX-License-Identifier: MIT
#include "tern/backends/mock/mock_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tern/core/context.h"

namespace tern {
namespace {

using testing::HasSubstr;

class MockBackendTest : public testing::Test {
 protected:
  MockBackend& Add(Context& ctx, MockBackend::Options options = {}) {
    auto backend = std::make_unique<MockBackend>(std::move(options));
    MockBackend& added = *backend;
    ctx.AddBackend(std::move(backend));
    return added;
  }

  void RunAdd(const Tensor& a, const Tensor& b, const Tensor& y) {
    const Tensor* in[] = {&a, &b};
    const Tensor* out[] = {&y};
    ctx_.Run({.op = Op::kAdd, .inputs = in, .outputs = out});
  }

  Context ctx_{ContextOptions{}};
};

TEST_F(MockBackendTest, RecordsCallsWithOperandsAndAttributes) {
  MockBackend& mock = Add(ctx_);
  {
    const Tensor x = ctx_.Empty({2, 3}, DType::kF32);
    const Tensor w = ctx_.Empty({4, 3}, DType::kBF16);
    const Tensor y = ctx_.Empty({2, 4}, DType::kF32);
    const Tensor none;
    const Tensor* in[] = {&x, &w, &none};
    const Tensor* out[] = {&y};
    ctx_.Run({.op = Op::kLinear, .inputs = in, .outputs = out});
    ctx_.Run({.op = Op::kFill, .outputs = out, .attrs = ScalarAttrs{2.5}});
  }
  ASSERT_EQ(mock.calls().size(), 2u);
  EXPECT_EQ(mock.calls()[0].ToString(), "Linear(f32[2, 3], bf16[4, 3], -) -> f32[2, 4]");
  EXPECT_EQ(mock.calls()[1].ToString(), "Fill() -> f32[2, 4]");
  EXPECT_EQ(std::get<ScalarAttrs>(mock.calls()[1].attrs).value, 2.5);
  EXPECT_EQ(mock.pool().stats().live_bytes, 0u);  // records hold no tensors
}

TEST_F(MockBackendTest, FillsTheElementsOfItsOutputsAndNothingElse) {
  Add(ctx_, {.fill = 0x11});
  const Tensor whole = ctx_.Empty({3, 4}, DType::kI32);
  std::ranges::fill(whole.span<int32_t>(), 7);
  RunAdd(whole, whole, whole.Sliced(1, 1, 3).Transposed(0, 1));
  for (int64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(whole.span<int32_t>()[i], i % 4 == 1 || i % 4 == 2 ? 0x11111111 : 7) << i;
  }
}

TEST_F(MockBackendTest, ComputesWithTheFunctionOfTheTest) {
  Add(ctx_, {.compute = [](const OpCall& call) {
        *call.out(0).data<float>() = *call.in(0).data<float>() + *call.in(1).data<float>();
      }});
  const Tensor a = ctx_.Empty({1}, DType::kF32);
  *a.data<float>() = 1.5f;
  RunAdd(a, a, a);
  EXPECT_EQ(a.item<float>(), 3.0f);
}

TEST_F(MockBackendTest, FailsTheCallThatItWasToldTo) {
  MockBackend& mock = Add(ctx_, {.fill = 0xff});
  const Tensor a = ctx_.Empty({1}, DType::kI32);
  *a.data<int32_t>() = 5;
  mock.FailCall(2, ErrorKind::kIo);
  RunAdd(a, a, a);
  EXPECT_EQ(a.item<int32_t>(), -1);
  *a.data<int32_t>() = 5;
  try {
    RunAdd(a, a, a);
    FAIL() << "the second call did not fail";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
    EXPECT_THAT(error.what(), HasSubstr("Add(i32[1], i32[1])"));
  }
  EXPECT_EQ(a.item<int32_t>(), 5);
  RunAdd(a, a, a);  // once
  EXPECT_EQ(mock.calls().size(), 3u);
}

TEST_F(MockBackendTest, RefusesTheOpsThatItDoesNotHave) {
  MockBackend& mock = Add(ctx_, {.unsupported = {Op::kAdd}});
  const Tensor a = ctx_.Empty({2, 2}, DType::kF32);
  try {
    RunAdd(a, a, a);
    FAIL() << "Add ran";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr("mock"));
    EXPECT_THAT(error.what(), HasSubstr("Add(f32[2, 2], f32[2, 2])"));
  }
  EXPECT_TRUE(mock.calls().empty());
}

TEST_F(MockBackendTest, HoldsTheByteLimitOfItsPool) {
  Add(ctx_, {.pool = {.byte_limit = size_t{4} << 20}});
  EXPECT_THROW(ctx_.Empty({int64_t{8} << 20}, DType::kU8), Error);
}

}  // namespace
}  // namespace tern
