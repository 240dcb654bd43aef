// SPDX-License-Identifier: MIT
#include "tern/kernels/kernel_table.h"

#include <string>

#include "tern/base/error.h"

namespace tern::kernels {

#define TERN_TARGET(name, requirement) extern const KernelTable kTable_##name;
#define TERN_TERNARY_TARGET(name, base, requirement) extern const TernaryKernels kTernary_##name;
#include "tern/kernels/targets.inc"
#undef TERN_TARGET
#undef TERN_TERNARY_TARGET

namespace {

KernelTable WithTernary(const KernelTable& base, const char* target, const TernaryKernels& own) {
  KernelTable table = base;
  table.target = target;
  table.ternary = own;
  return table;
}

#define TERN_TARGET(name, requirement) \
  const KernelTable& Table_##name() { return kTable_##name; }
#define TERN_TERNARY_TARGET(name, base, requirement)                                     \
  const KernelTable& Table_##name() {                                                    \
    static const KernelTable table = WithTernary(kTable_##base, #name, kTernary_##name); \
    return table;                                                                        \
  }
#include "tern/kernels/targets.inc"
#undef TERN_TARGET
#undef TERN_TERNARY_TARGET

}  // namespace

std::vector<Target> ListTargets(const CpuFeatures& cpu) {
  return {
#define TERN_TARGET(name, requirement) {#name, requirement, #requirement, nullptr, &Table_##name()},
#define TERN_TERNARY_TARGET(name, base, requirement) \
  {#name, requirement, #requirement, #base, &Table_##name()},
#include "tern/kernels/targets.inc"
#undef TERN_TARGET
#undef TERN_TERNARY_TARGET
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
