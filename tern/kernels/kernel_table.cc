// SPDX-License-Identifier: MIT
#include "tern/kernels/kernel_table.h"

#include <string>

#include "tern/base/error.h"

namespace tern::kernels {

#define TERN_TARGET(name, requirement) extern const KernelTable kTable_##name;
#include "tern/kernels/targets.inc"
#undef TERN_TARGET

std::vector<Target> ListTargets(const CpuFeatures& cpu) {
  return {
#define TERN_TARGET(name, requirement) Target{#name, requirement, #requirement, &kTable_##name},
#include "tern/kernels/targets.inc"
#undef TERN_TARGET
  };
}

const KernelTable& SelectKernels(const CpuFeatures& cpu, std::string_view forced) {
  const KernelTable* best = nullptr;
  std::string names;
  for (const Target& target : ListTargets(cpu)) {
    if (!target.supported) continue;
    names += names.empty() ? target.name : std::string(", ") + target.name;
    if (forced.empty() || forced == target.name) best = target.table;
  }
  if (best == nullptr) {
    Fail(ErrorKind::kUnsupported, "CPU target '{}' is not available on this machine; it has: {}",
         forced, names);
  }
  return *best;
}

}  // namespace tern::kernels
