// SPDX-License-Identifier: MIT
#include "tern/core/context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tern/backends/mock/mock_backend.h"
#include "tern/base/error.h"

namespace tern {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class ContextTest : public testing::Test {
 protected:
  MockBackend& Add(MockBackend::Options options) {
    auto backend = std::make_unique<MockBackend>(std::move(options));
    MockBackend& added = *backend;
    ctx_.AddBackend(std::move(backend));
    return added;
  }
  void Run(Op op, std::initializer_list<const Tensor*> in,
           std::initializer_list<const Tensor*> out) {
    ctx_.Run({.op = op, .inputs = {in.begin(), in.size()}, .outputs = {out.begin(), out.size()}});
  }
  template <typename F>
  static std::optional<Error> ErrorOf(F f) {
    try {
      f();
    } catch (const Error& error) {
      return error;
    }
    return std::nullopt;
  }

  Context ctx_{ContextOptions{.threads = 1, .log = {}}};
};

TEST_F(ContextTest, TheFirstBackendIsTheDefault) {
  MockBackend& first = Add({.index = 3});
  MockBackend& second = Add({.index = 1});
  EXPECT_EQ(&ctx_.default_backend(), &first);
  EXPECT_EQ(&ctx_.pool(), &first.pool());
  EXPECT_EQ(&ctx_.backend({DeviceKind::kMock, 1}), &second);
  const Tensor tensor = ctx_.Empty({2}, DType::kF32, MemoryTag::kWeights);
  EXPECT_EQ(tensor.device(), (Device{DeviceKind::kMock, 3}));
  EXPECT_GT(first.pool().stats().of(MemoryTag::kWeights).live_bytes, 0u);
  EXPECT_EQ(second.pool().stats().live_bytes, 0u);
}

TEST_F(ContextTest, NamesTheDeviceThatItLacks) {
  Add({});
  const auto error = ErrorOf([&] { ctx_.backend({DeviceKind::kCuda, 2}); });
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(error->what(), HasSubstr("cuda:2"));
}

TEST_F(ContextTest, RunsAnOpWhereItsOperandsLive) {
  MockBackend& first = Add({.index = 0, .fill = 1});
  MockBackend& second = Add({.index = 1, .fill = 2});
  const Tensor here = ctx_.Empty({1}, DType::kU8);
  const Tensor there =
      Tensor::Empty(second.pool(), {1}, DType::kU8, MemoryTag::kTensor, second.device());
  const Tensor like = ctx_.EmptyLike(there, {3}, DType::kI8);
  EXPECT_EQ(like.device(), second.device());
  EXPECT_EQ(like.shape(), Shape({3}));
  Run(Op::kNeg, {&there}, {&there});
  Run(Op::kFill, {}, {&here});  // without inputs, the output tells
  EXPECT_EQ(there.item<uint8_t>(), 2);
  EXPECT_EQ(here.item<uint8_t>(), 1);
  EXPECT_EQ(first.calls().size(), 1u);
  EXPECT_EQ(second.calls().size(), 1u);
}

TEST_F(ContextTest, RefusesOperandsOnDifferentDevices) {
  MockBackend& first = Add({.index = 0});
  MockBackend& second = Add({.index = 1});
  const Tensor a = ctx_.Empty({1}, DType::kF32);
  const Tensor b =
      Tensor::Empty(second.pool(), {1}, DType::kF32, MemoryTag::kTensor, second.device());
  for (const auto& run : std::vector<std::function<void()>>{[&] {
                                                              Run(Op::kAdd, {&a, &b}, {&a});
                                                            },
                                                            [&] { Run(Op::kNeg, {&a}, {&b}); }}) {
    const auto error = ErrorOf(run);
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->kind(), ErrorKind::kInvalidArgument);
    EXPECT_THAT(error->what(), HasSubstr("mock:0"));
    EXPECT_THAT(error->what(), HasSubstr("mock:1"));
  }
  EXPECT_TRUE(first.calls().empty());
  EXPECT_TRUE(second.calls().empty());
}

TEST_F(ContextTest, AnUnsupportedOpNamesBackendOpAndOperands) {
  Add({.unsupported = {Op::kLinear}});
  const Tensor x = ctx_.Empty({2, 3}, DType::kF32);
  const Tensor w = ctx_.Empty({4, 3}, DType::kF16);
  const Tensor none;
  const auto error = ErrorOf([&] { Run(Op::kLinear, {&x, &w, &none}, {&x}); });
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(error->what(),
              HasSubstr("backend mock does not support Linear(f32[2, 3], f16[4, 3])"));
}

TEST_F(ContextTest, LogsToTheSinkOrNowhere) {
  std::vector<std::pair<LogLevel, std::string>> messages;
  const Context loud({.threads = 1, .log = [&](LogLevel level, std::string_view text) {
                        messages.emplace_back(level, text);
                      }});
  loud.Log(LogLevel::kWarning, "falls back");
  loud.Log(LogLevel::kInfo, "done");
  ctx_.Log(LogLevel::kInfo, "dropped");
  EXPECT_THAT(messages,
              ElementsAre(Pair(LogLevel::kWarning, "falls back"), Pair(LogLevel::kInfo, "done")));
}

TEST(OpNames, AreThoseOfTheListAndDiffer) {
  std::set<std::string> names;
  for (int op = 0; op < kOpCount; ++op) names.insert(OpName(static_cast<Op>(op)));
  EXPECT_EQ(names.size(), static_cast<size_t>(kOpCount));
  EXPECT_STREQ(OpName(Op::kCopy), "Copy");
  EXPECT_STREQ(OpName(Op::kAdamW), "AdamW");
}

}  // namespace
}  // namespace tern
