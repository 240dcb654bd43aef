// SPDX-License-Identifier: MIT
// A token costs no call of the system's allocator once a session is warm: forward pass, cache,
// sampler.
#include <gtest/gtest.h>

#include <memory>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/runtime/sampler.h"
#include "tern/runtime/session.h"
#include "tests/alloc_counter.h"

namespace tern {
namespace {

ModelConfig SmallConfig(nn::WeightKind weights) {
  ModelConfig config;
  config.weights = weights;
  config.vocab_size = 300;
  config.hidden_size = 128;
  config.intermediate_size = 352;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 32;
  config.max_positions = 96;
  return config;
}

// Draws tokens until the session is full.
void Fill(Session* session, Sampler* sampler) {
  int32_t id = 1;
  while (session->position() < session->capacity()) {
    id = sampler->Next(session->Feed(id), session->ids());
  }
}

TEST(TokenAllocationsTest, NoneOnceWarm) {
  if (!CountsSystemAllocations()) GTEST_SKIP() << "a sanitizer replaces the allocator itself";
  for (const nn::WeightKind weights : {nn::WeightKind::kTernary, nn::WeightKind::kF32}) {
    for (const int threads : {1, 2}) {
      for (const DType kv_dtype : {DType::kF32, DType::kBF16, DType::kI8}) {
        SCOPED_TRACE(testing::Message()
                     << (weights == nn::WeightKind::kF32 ? "plain" : "ternary") << ", " << threads
                     << " threads, cache in " << DTypeName(kv_dtype));
        Context ctx({.threads = threads, .log = {}});
        ctx.AddBackend(std::make_unique<CpuBackend>());
        const auto model = Model::Create(ctx, SmallConfig(weights), 60);
        model->Pack(ctx);
        Session session(ctx, *model, {.kv_dtype = kv_dtype});
        Sampler sampler(ctx.pool(), {.top_k = 40, .top_p = 0.9, .repetition_penalty = 1.1});
        Fill(&session, &sampler);
        session.Rewind(0);
        const uint64_t pool_calls = ctx.pool().stats().system_calls;
        const uint64_t allocations = SystemAllocations();
        Fill(&session, &sampler);
        EXPECT_EQ(SystemAllocations() - allocations, 0u);
        EXPECT_EQ(ctx.pool().stats().system_calls - pool_calls, 0u);
      }
    }
  }
}

}  // namespace
}  // namespace tern
