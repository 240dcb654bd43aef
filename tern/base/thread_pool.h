// SPDX-License-Identifier: MIT
// A fixed set of threads that run the parts of one parallel loop. No queue, no futures: the
// caller takes part and returns when every part is done. A loop allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tern/base/function_ref.h"

namespace tern {

class ThreadPool {
 public:
  // threads >= 1 counts the caller: ThreadPool(1) starts none and runs every loop inline.
  // cpus is empty, or has a CPU for each thread to stay on, the first for the thread that makes the
  // pool: its own CPUs are given back to it when it destroys the pool. Too few of them and a CPU
  // that the process may not use are an Error.
  explicit ThreadPool(int threads, const std::vector<int>& cpus = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  // Calls body(begin, end) on disjoint ranges that cover [0, n); every range starts at a multiple
  // of grain. Returns when all calls have returned. Which thread gets which range, and how ranges
  // are cut at multiples of grain, is unspecified: a result must not depend on it. The first
  // exception of a body is rethrown in the caller; ranges not yet started are then skipped.
  // Safe from several threads at once and from inside a body: a loop that finds the pool busy runs
  // in its caller alone.
  void ParallelFor(int64_t n, int64_t grain, FunctionRef<void(int64_t, int64_t)> body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tern
