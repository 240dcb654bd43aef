// SPDX-License-Identifier: MIT
// Counts what a test program asks of the system's allocator, from any thread and any library:
// malloc and its relatives, operator new (which calls it) and mmap. A program that links
// tern_alloc_counter has these functions of the C library replaced by ones that count and hand on.
// Releases are not counted. To see who allocates, break on tern::CountSystemAllocation in gdb.
//
// Nothing is replaced under a sanitizer, which replaces them itself: skip the test there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tern {

// Whether allocations are counted in this build.
bool CountsSystemAllocations();

// So far, by the whole program.
uint64_t SystemAllocations();

// Called by each replaced function.
void CountSystemAllocation() noexcept;

}  // namespace tern
