// SPDX-License-Identifier: MIT
// The CPU backend with a clock: hands every op on to CpuBackend and adds up how long each kind
// took. For `tern bench --ops`. One thread runs ops on it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/core/backend.h"

namespace tern::cli {

class TimedBackend final : public Backend {
 public:
  struct Total {
    double seconds = 0;
    int64_t calls = 0;
  };

  TimedBackend(std::string_view target, const MemoryPoolOptions& pool) : cpu_(target, pool) {}

  std::string_view name() const override { return cpu_.name(); }
  Device device() const override { return cpu_.device(); }
  MemoryPool& pool() override { return cpu_.pool(); }
  bool Supports(const OpCall& call) const override { return cpu_.Supports(call); }
  uint8_t FastestTernaryLayout(int64_t weights) const override {
    return cpu_.FastestTernaryLayout(weights);
  }
  void Run(Context& ctx, const OpCall& call) override;
  void Synchronize() override { cpu_.Synchronize(); }

  // By the op's name; products with the shape of their weights.
  const std::map<std::string, Total>& totals() const { return totals_; }
  void Reset() { totals_.clear(); }

 private:
  CpuBackend cpu_;
  std::map<std::string, Total> totals_;
};

}  // namespace tern::cli
