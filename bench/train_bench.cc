// SPDX-License-Identifier: MIT
// train_bench [THREADS [TOKENS [STEPS [SEQUENCE]]]]: tokens per second of training steps of the
// model that ships, and which ops its time goes to.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/random.h"
#include "tern/models/model.h"
#include "tern/train/train_step.h"

namespace tern {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The CPU, with a clock at each op.
class TimingBackend final : public Backend {
 public:
  std::string_view name() const override { return "timing"; }
  Device device() const override { return cpu_.device(); }
  MemoryPool& pool() override { return cpu_.pool(); }
  bool Supports(const OpCall& call) const override { return cpu_.Supports(call); }
  void Run(Context& ctx, const OpCall& call) override {
    const Clock::time_point start = Clock::now();
    cpu_.Run(ctx, call);
    Entry& entry = entries_[static_cast<size_t>(call.op)];
    entry.seconds += SecondsSince(start);
    ++entry.calls;
    if (call.op == Op::kGemm) {
      entry.multiplications +=
          static_cast<double>(call.out(0).elements()) *
          static_cast<double>(call.as<GemmAttrs>().transpose_a ? call.in(0).dim(-2)
                                                               : call.in(0).dim(-1));
    }
  }
  void Synchronize() override { cpu_.Synchronize(); }

  void Reset() { entries_ = {}; }
  void Print(double total_seconds, int64_t steps) const {
    std::vector<size_t> order(entries_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return entries_[a].seconds > entries_[b].seconds; });
    double rest = total_seconds;
    for (const size_t i : order) {
      const Entry& entry = entries_[i];
      rest -= entry.seconds;
      if (entry.calls == 0) continue;
      fmt::print("{:20} {:6.1f} % {:9.2f} ms {:6} calls", OpName(static_cast<Op>(i)),
                 100 * entry.seconds / total_seconds,
                 1e3 * entry.seconds / static_cast<double>(steps), entry.calls / steps);
      if (entry.multiplications > 0) {
        fmt::print(" {:8.1f} GFLOP/s", 2e-9 * entry.multiplications / entry.seconds);
      }
      fmt::print("\n");
    }
    fmt::print("{:20} {:6.1f} %\n", "between ops", 100 * rest / total_seconds);
  }

 private:
  struct Entry {
    double seconds = 0;
    int64_t calls = 0;
    double multiplications = 0;
  };
  CpuBackend cpu_;
  std::array<Entry, kOpCount> entries_ = {};
};

TokenBatch RandomBatch(Context& ctx, int64_t sequences, int64_t length, int64_t vocab) {
  const TokenBatch batch = TokenBatch::Empty(ctx, sequences, length);
  Random random(1);
  for (const Tensor& ids : {batch.inputs, batch.targets}) {
    for (int32_t& id : ids.span<int32_t>()) {
      id = static_cast<int32_t>(random.Below(static_cast<uint64_t>(vocab)));
    }
  }
  return batch;
}

void Bench(int threads, int64_t tokens, int64_t steps, int64_t length) {
  ModelConfig config;
  config.vocab_size = 4096;
  config.hidden_size = 256;
  config.intermediate_size = 768;
  config.layers = 6;
  config.heads = config.kv_heads = 4;
  config.head_dim = 64;
  config.max_positions = length;
  auto owned = std::make_unique<TimingBackend>();
  TimingBackend& backend = *owned;
  Context ctx({.threads = threads, .log = {}});
  ctx.AddBackend(std::move(owned));
  const auto model = Model::Create(ctx, config, 1);
  TrainStep step(ctx, *model, {.clip_norm = 1}, tokens / length);
  const TokenBatch batch = RandomBatch(ctx, tokens / length, length, config.vocab_size);
  const Rates rates = {.learning_rate = 1e-3, .weight_decay = 0.1};
  step.Run(batch, rates);
  backend.Reset();
  const Clock::time_point start = Clock::now();
  for (int64_t i = 0; i < steps; ++i) step.Run(batch, rates);
  const double seconds = SecondsSince(start);
  backend.Print(seconds, steps);
  fmt::print("{} threads, {} tokens a step: {:.0f} tokens/s\n", threads, tokens,
             static_cast<double>(tokens * steps) / seconds);
}

}  // namespace
}  // namespace tern

int main(int argc, char** argv) {
  const auto number = [&](int i, int64_t value) {
    return argc > i ? std::max<int64_t>(1, std::atoll(argv[i])) : value;
  };
  tern::Bench(static_cast<int>(number(1, 1)), number(2, 8192), number(3, 3), number(4, 256));
  return 0;
}
