// SPDX-License-Identifier: MIT
// How many cores this process may use, and how large their caches are: from the affinity mask,
// Linux's /sys, and the quota of the control groups (version 2 and 1) that the process is in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tern {

struct CpuTopology {
  int logical_cpus = 1;        // in the affinity mask
  int physical_cores = 1;      // distinct cores among them
  std::vector<int> core_cpus;  // one CPU of each of these cores; none where the mask is unknown
  double cpu_quota = 0;        // CPUs' worth of time that control groups grant; 0: no limit

  // Of the first CPU in the mask; 0 where unknown.
  int64_t l1_data_bytes = 0;
  int64_t l2_bytes = 0;
  int64_t l3_bytes = 0;

  // Threads that can compute at the same time: cores, but no more than the quota (rounded up).
  int usable_cores() const;

  // Never fails: what cannot be read keeps its default.
  static CpuTopology Detect();

  // The same for given CPU numbers and a file system that starts at root, without the final slash.
  static CpuTopology Read(const std::string& root, const std::vector<int>& cpus);
};

}  // namespace tern
