// SPDX-License-Identifier: MIT
// What `tern doctor` reports besides the CPU's features: the memory of this machine, and the peaks
// that it reaches, measured.
#pragma once

#include <cstdint>

#include "tern/core/context.h"

namespace tern::cli {

struct MachineMemory {
  int64_t total_bytes = 0;      // 0 where unknown
  int64_t available_bytes = 0;  // without swapping; 0 where unknown
  int64_t limit_bytes = 0;      // of the control group; 0: none
};

MachineMemory ReadMachineMemory();

// Bytes per second that the context's threads read together from a buffer of `bytes` bytes: the
// best of a few passes.
double MeasureReadBandwidth(Context& ctx, int64_t bytes);

// Operations per second (a multiplication and an addition are two) of the ternary matrix product on
// the context's threads and CPU target, from operands in the cache: the best of some passes.
double MeasureTernaryRate(Context& ctx);

}  // namespace tern::cli
