// SPDX-License-Identifier: MIT
// Context: what a computation needs from its surroundings: threads, devices with their memory
// pools, a log sink. The caller makes it and hands it down; there is no global one. It must
// outlive the tensors that were made with it.
//
// Several threads may use one Context: the pools are thread-safe, and a parallel loop that finds
// the threads busy runs in its caller alone.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "tern/base/thread_pool.h"
#include "tern/core/backend.h"
#include "tern/core/tensor.h"

namespace tern {

enum class LogLevel { kInfo, kWarning };
using LogSink = std::function<void(LogLevel, std::string_view)>;

struct ContextOptions {
  int threads = 1;  // including the caller
  LogSink log;      // empty: messages are dropped
  // Pins the threads: a CPU for each, the first for the thread that makes the context, as
  // ThreadPool says; CpuTopology::core_cpus are fit. Empty: the system places them.
  std::vector<int> cpus = {};
};

class Context {
 public:
  explicit Context(ContextOptions options);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // The first backend added is the default device.
  void AddBackend(std::unique_ptr<Backend> backend);
  // Error(kUnsupported) when no backend of that device was added.
  Backend& backend(Device device) const;
  Backend& default_backend() const;

  ThreadPool& threads() { return threads_; }
  MemoryPool& pool() const { return default_backend().pool(); }
  void Log(LogLevel level, std::string_view message) const;

  // Uninitialized elements on the default device, or on `like`'s.
  Tensor Empty(const Shape& shape, DType dtype, MemoryTag tag = MemoryTag::kTensor) const;
  Tensor EmptyLike(const Tensor& like, const Shape& shape, DType dtype) const;

  // Runs one op where its first input (without inputs: its first output) lives. An op that the
  // backend does not support is an Error(kUnsupported).
  void Run(const OpCall& call);

 private:
  ThreadPool threads_;
  std::vector<std::unique_ptr<Backend>> backends_;
  LogSink log_;
};

}  // namespace tern
