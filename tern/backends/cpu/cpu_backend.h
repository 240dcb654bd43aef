// SPDX-License-Identifier: MIT
// The CPU as a device: memory from a MemoryPool, ops on the kernels of one target, split over the
// context's threads. Results do not depend on the number of threads. Every op is done when Run()
// returns.
#pragma once

#include <memory>
#include <string_view>

#include "tern/core/backend.h"
#include "tern/kernels/kernel_table.h"

namespace tern {

class CpuBackend final : public Backend {
 public:
  // Runs on the named CPU target, or on the fastest that this machine has when it is empty.
  // Error(kUnsupported) for a target that is unknown or that the machine lacks.
  explicit CpuBackend(std::string_view target = {}, MemoryPoolOptions pool = {});

  std::string_view name() const override { return "cpu"; }
  Device device() const override { return {DeviceKind::kCpu, 0}; }
  MemoryPool& pool() override { return pool_; }
  bool Supports(const OpCall& call) const override;
  // kPanelsBase3 where the kernels are fast with it and the weights of 2 bits would not stay in
  // the last cache, so that memory bounds them.
  uint8_t FastestTernaryLayout(int64_t weights) const override;
  void Run(Context& ctx, const OpCall& call) override;
  void Synchronize() override {}

  const kernels::KernelTable& kernels() const { return kernels_; }

 private:
  MemoryPool pool_;
  const kernels::KernelTable& kernels_;
};

}  // namespace tern
