// SPDX-License-Identifier: MIT
#include "tern/base/affinity.h"

#include <fmt/format.h>
#include <sched.h>

#include <memory>
#include <system_error>

#include "tern/base/error.h"

namespace tern {
namespace {

constexpr int kMaxCpus = 8192;

struct FreeSet {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};
using CpuSet = std::unique_ptr<cpu_set_t, FreeSet>;

size_t SetBytes() { return CPU_ALLOC_SIZE(kMaxCpus); }

}  // namespace

std::vector<int> ThreadAffinity() {
  const CpuSet set(CPU_ALLOC(kMaxCpus));
  std::vector<int> cpus;
  if (set == nullptr || ::sched_getaffinity(0, SetBytes(), set.get()) != 0) return cpus;
  for (int cpu = 0; cpu < kMaxCpus; ++cpu) {
    if (CPU_ISSET_S(static_cast<size_t>(cpu), SetBytes(), set.get())) cpus.push_back(cpu);
  }
  return cpus;
}

void BindThread(pthread_t thread, const std::vector<int>& cpus) {
  const CpuSet set(CPU_ALLOC(kMaxCpus));
  if (set == nullptr) Fail(ErrorKind::kOutOfMemory, "no memory for a set of CPUs");
  CPU_ZERO_S(SetBytes(), set.get());
  for (const int cpu : cpus) {
    if (cpu >= 0 && cpu < kMaxCpus) CPU_SET_S(static_cast<size_t>(cpu), SetBytes(), set.get());
  }
  const int reason = ::pthread_setaffinity_np(thread, SetBytes(), set.get());
  if (reason != 0) {
    Fail(ErrorKind::kUnsupported, "cannot keep a thread on CPU {}: {}; run without pinning",
         fmt::join(cpus, ", "), std::generic_category().message(reason));
  }
}

}  // namespace tern
