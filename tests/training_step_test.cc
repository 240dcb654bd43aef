// SPDX-License-Identifier: MIT
// What a training step costs beside its arithmetic: no system allocation once warm, and no output
// of a ternary kernel more than its layers have.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string_view>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/models/model.h"
#include "tern/train/test_run.h"
#include "tern/train/train_step.h"
#include "tests/alloc_counter.h"

namespace tern {
namespace {

constexpr int64_t kSequences = 4;
constexpr int64_t kTokens = 12;
constexpr Rates kRates = {.learning_rate = 1e-3, .weight_decay = 0.1};

// Runs on the CPU and counts the calls of each op and the elements of its first outputs.
class CountingBackend final : public Backend {
 public:
  std::string_view name() const override { return "counting"; }
  Device device() const override { return cpu_.device(); }
  MemoryPool& pool() override { return cpu_.pool(); }
  bool Supports(const OpCall& call) const override { return cpu_.Supports(call); }
  void Run(Context& ctx, const OpCall& call) override {
    outputs_[call.op] += call.out(0).elements();
    ++calls_[call.op];
    cpu_.Run(ctx, call);
  }
  void Synchronize() override { cpu_.Synchronize(); }

  int64_t outputs(Op op) const { return outputs_.contains(op) ? outputs_.at(op) : 0; }
  int64_t calls(Op op) const { return calls_.contains(op) ? calls_.at(op) : 0; }
  void Reset() {
    outputs_.clear();
    calls_.clear();
  }

 private:
  CpuBackend cpu_;
  std::map<Op, int64_t> outputs_;
  std::map<Op, int64_t> calls_;
};

TEST(TrainingStep, AsksTheSystemForNothingOnceWarm) {
  if (!CountsSystemAllocations()) GTEST_SKIP() << "a sanitizer has the allocator";
  for (const nn::WeightKind weights : {nn::WeightKind::kTernary, nn::WeightKind::kF32}) {
    const auto ctx = testing::MakeTrainContext(2);
    ModelConfig config = testing::TinyModelConfig();
    config.weights = weights;
    const auto model = Model::Create(*ctx, config, 1);
    TrainStep step(*ctx, *model, {.clip_norm = 1}, kSequences / 2);
    const TokenBatch batch =
        testing::RandomBatch(*ctx, kSequences, kTokens, model->config().vocab_size);
    // A thread is warm once it has had its share of every loop; which steps that takes is up to the
    // scheduler. From then on no step allocates.
    int quiet = 0;
    for (int i = 0; i < 500 && quiet < 20; ++i) {
      const uint64_t allocations = SystemAllocations();
      const uint64_t slabs = ctx->pool().stats().system_calls;
      step.Run(batch, kRates);
      const bool asked =
          SystemAllocations() != allocations || ctx->pool().stats().system_calls != slabs;
      quiet = asked ? 0 : quiet + 1;
    }
    EXPECT_EQ(quiet, 20);
  }
}

// rows x out_features of every BitLinear, and each master quantized once for a micro batch.
TEST(TrainingStep, ComputesTheTernaryProductsOfEveryLayerOnce) {
  auto owned = std::make_unique<CountingBackend>();
  CountingBackend& backend = *owned;
  Context ctx({.threads = 2, .log = {}});
  ctx.AddBackend(std::move(owned));
  const auto model = Model::Create(ctx, testing::TinyModelConfig(), 1);
  TrainStep step(ctx, *model, {}, kSequences / 2);
  const TokenBatch batch =
      testing::RandomBatch(ctx, kSequences, kTokens, model->config().vocab_size);
  int64_t masters = 0;
  int64_t out_features = 0;
  for (const Parameter& parameter : step.parameters()) {
    if (parameter.kind != ParameterKind::kTernaryMaster) continue;
    ++masters;
    out_features += parameter.value->dim(0);
  }
  const ModelConfig& config = model->config();
  ASSERT_EQ(out_features,
            config.layers * (3 * config.hidden_size +  // q, o, down
                             2 * config.kv_heads * config.head_dim + 2 * config.intermediate_size));
  backend.Reset();
  step.Run(batch, kRates);
  EXPECT_EQ(backend.outputs(Op::kBitLinear), kSequences * kTokens * out_features);
  EXPECT_EQ(backend.calls(Op::kQuantizeTernary), 2 * masters);  // two micro batches
  EXPECT_EQ(backend.outputs(Op::kLinear), kSequences * kTokens * config.vocab_size);
}

}  // namespace
}  // namespace tern
