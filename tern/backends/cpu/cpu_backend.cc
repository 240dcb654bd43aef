// SPDX-License-Identifier: MIT
#include "tern/backends/cpu/cpu_backend.h"

#include <algorithm>
#include <array>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/base/check.h"
#include "tern/base/cpu_topology.h"
#include "tern/core/context.h"
#include "tern/pack/ternary_layout.h"

namespace tern {
namespace {

struct Entry {
  bool (*supports)(const OpCall& call) = nullptr;
  void (*run)(const cpu::Env& env, const OpCall& call) = nullptr;
};

constexpr std::array<Entry, kOpCount> kEntries = [] {
  std::array<Entry, kOpCount> entries = {};
#define TERN_CPU_OP(op, supports) \
  entries[static_cast<size_t>(Op::k##op)] = {cpu::supports, cpu::Run##op};
#include "tern/backends/cpu/cpu_ops.inc"
#undef TERN_CPU_OP
  return entries;
}();

const Entry& Find(Op op) { return kEntries[static_cast<size_t>(op)]; }

}  // namespace

bool cpu::AreContiguous(std::span<const Tensor* const> operands,
                        std::initializer_list<DType> dtypes) {
  return std::ranges::equal(operands, dtypes, [](const Tensor* operand, DType dtype) {
    return !operand->defined() || (operand->dtype() == dtype && operand->is_contiguous());
  });
}

CpuBackend::CpuBackend(std::string_view target, MemoryPoolOptions pool)
    : pool_(pool), kernels_(kernels::SelectKernels(CpuFeatures::Detect(), target)) {}

bool CpuBackend::Supports(const OpCall& call) const {
  const Entry& entry = Find(call.op);
  return entry.supports != nullptr && entry.supports(call);
}

uint8_t CpuBackend::FastestTernaryLayout(int64_t weights) const {
  const int64_t cache_bytes = CpuTopology::Detect().l3_bytes;
  const bool in_memory = cache_bytes > 0 && weights / 4 > cache_bytes;
  return static_cast<uint8_t>(kernels_.ternary.fast_base3 && in_memory
                                  ? TernaryLayout::kPanelsBase3
                                  : TernaryLayout::kPanels2Bit);
}

void CpuBackend::Run(Context& ctx, const OpCall& call) {
  TERN_CHECK(Find(call.op).run != nullptr);
  Find(call.op).run(cpu::Env{kernels_, ctx.threads(), pool_}, call);
}

}  // namespace tern
