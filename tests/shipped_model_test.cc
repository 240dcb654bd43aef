// SPDX-License-Identifier: MIT
// The model that ships: its size, and what models/tern-stories/greedy.json fixes for every CPU
// target, with one thread and several: the hash of all logits of a prompt and the 32 tokens that
// are added greedily. After training it anew, write the file from
//   tern logits tern-stories --ids IDS --last COUNT --greedy 32
// with the COUNT IDS that `tern tokenize` gives for the prompt.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/io/json_file.h"
#include "tern/models/checkpoint.h"
#include "tern/models/logits_hash.h"
#include "tern/runtime/generate.h"

namespace tern {
namespace {

const std::string kDirectory = TERN_SHIPPED_MODEL;

TEST(ShippedModel, TakesAtMostEightMegabytes) {
  uintmax_t bytes = 0;
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"}) {
    bytes += std::filesystem::file_size(kDirectory + "/" + file);
  }
  EXPECT_LE(bytes, 8'000'000U);
}

TEST(ShippedModel, HasTheSameLogitsAndTokensOnEveryTarget) {
  const nlohmann::json expected = ReadJsonFile(kDirectory + "/greedy.json");
  const auto prompt = expected.at("ids").get<std::vector<int32_t>>();
  const auto greedy = expected.at("greedy").get<std::vector<int32_t>>();
  const auto hash = expected.at("hash").get<std::string>();
  ASSERT_EQ(greedy.size(), 32U);
  for (const kernels::Target& target : kernels::ListTargets(CpuFeatures::Detect())) {
    if (!target.supported) continue;
    for (const int threads : {1, 3}) {
      SCOPED_TRACE(std::string(target.name) + ", " + std::to_string(threads) + " threads");
      Context ctx({.threads = threads, .log = {}});
      ctx.AddBackend(std::make_unique<CpuBackend>(target.name));
      const LoadedModel loaded = LoadModel(ctx, kDirectory);
      EXPECT_EQ(loaded.tokenizer.value().Encode(expected.at("prompt").get<std::string>()), prompt);
      const Tensor ids = ctx.Empty({1, static_cast<int64_t>(prompt.size())}, DType::kI32);
      std::ranges::copy(prompt, ids.data<int32_t>());
      const Tensor logits = loaded.model->Forward(ctx, ids);
      EXPECT_EQ(fmt::format("{:016x}", HashLogits(logits.span<float>())), hash);
      Session session(ctx, *loaded.model);
      EXPECT_EQ(Greedy(session, prompt, 32), greedy);
    }
  }
}

}  // namespace
}  // namespace tern
