// SPDX-License-Identifier: MIT
// What `tern doctor` and `tern bench` report besides the CPU's features: the memory of this
// machine, and the peaks that it reaches, measured.
#pragma once

#include <cstdint>

#include "tern/base/cpu_topology.h"
#include "tern/core/context.h"
#include "tern/kernels/kernel_table.h"

namespace tern::cli {

struct MachineMemory {
  int64_t total_bytes = 0;      // 0 where unknown
  int64_t available_bytes = 0;  // without swapping; 0 where unknown
  int64_t limit_bytes = 0;      // of the control group; 0: none
};

MachineMemory ReadMachineMemory();

// A buffer beyond the caches where memory allows it, and quick to go through. memory_limit_bytes is
// that of the command line, 0 for none.
int64_t PeakBufferBytes(const CpuTopology& topology, const MachineMemory& memory,
                        uint64_t memory_limit_bytes);

// Reads a buffer as fast as threads can.
class ReadPeak {
 public:
  // Takes and touches the buffer.
  ReadPeak(Context& ctx, int64_t bytes);

  int64_t bytes() const { return static_cast<int64_t>(buffer_.size_bytes()); }
  // Bytes per second that the threads read together: the best of some passes.
  double Measure(ThreadPool& threads, int most_passes = 20) const;

 private:
  Workspace buffer_;
};

// Products per second of the target's multiply-and-add on registers, all threads together: the best
// of some passes. 0 for a target without vectors.
double MeasureRegisterPeak(Context& ctx, const kernels::KernelTable& kernels);

// Operations per second (a multiplication and an addition are two) of the ternary matrix product on
// the context's threads and CPU target, from operands in the cache: the best of some passes.
double MeasureTernaryRate(Context& ctx);

}  // namespace tern::cli
