// SPDX-License-Identifier: MIT
#include "tools/tern/timed_backend.h"

#include <fmt/format.h>

#include <chrono>

namespace tern::cli {
namespace {

std::string KindOf(const OpCall& call) {
  if (call.op == Op::kBitLinear) {
    const auto& attrs = call.as<TernaryAttrs>();
    return fmt::format("{} {}x{}", OpName(call.op), attrs.n, attrs.k);
  }
  if (call.op == Op::kLinear) {
    return fmt::format("{} {}x{} {}", OpName(call.op), call.in(1).dim(0), call.in(1).dim(1),
                       DTypeName(call.in(1).dtype()));
  }
  return OpName(call.op);
}

}  // namespace

void TimedBackend::Run(Context& ctx, const OpCall& call) {
  const auto start = std::chrono::steady_clock::now();
  cpu_.Run(ctx, call);
  Total& total = totals_[KindOf(call)];
  total.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ++total.calls;
}

}  // namespace tern::cli
