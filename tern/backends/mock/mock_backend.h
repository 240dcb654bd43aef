// SPDX-License-Identifier: MIT
// A device without arithmetic, for testing what stands on the Backend contract: it has host memory
// in a pool of its own, records every call, refuses the ops that it is told to and fails when it
// is told to. Outputs are filled with one byte, or computed by a function that the test gives.
//
// Not thread-safe, unlike a real device: one thread calls.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/error.h"
#include "tern/core/backend.h"

namespace tern {

class MockBackend final : public Backend {
 public:
  struct Options {
    uint8_t index = 0;  // of the device, where a context has several
    MemoryPoolOptions pool = {};
    std::set<Op> unsupported = {};
    uint8_t fill = 0;  // the byte that outputs are filled with
    // Computes the outputs instead.
    std::function<void(const OpCall& call)> compute = {};
  };

  // An operand as it was when the call came; the call's tensors may be gone.
  struct Operand {
    DType dtype;
    Shape shape;
    bool operator==(const Operand&) const = default;
  };
  struct Record {
    Op op;
    std::vector<std::optional<Operand>> inputs;  // nullopt: an optional input that was not given
    std::vector<Operand> outputs;
    OpAttrs attrs;

    // "Linear(f32[2, 3], f32[4, 3], -) -> f32[2, 4]"
    std::string ToString() const;
  };

  MockBackend() = default;
  explicit MockBackend(Options options) : options_(std::move(options)), pool_(options_.pool) {}

  std::string_view name() const override { return "mock"; }
  Device device() const override { return {DeviceKind::kMock, options_.index}; }
  MemoryPool& pool() override { return pool_; }
  bool Supports(const OpCall& call) const override {
    return !options_.unsupported.contains(call.op);
  }
  void Run(Context& ctx, const OpCall& call) override;
  void Synchronize() override {}

  // The calls so far, failed ones included.
  const std::vector<Record>& calls() const { return calls_; }

  // The n-th call from now (1: the next) throws an Error of that kind and writes nothing.
  void FailCall(int64_t n, ErrorKind kind = ErrorKind::kOutOfMemory);

 private:
  Options options_;
  MemoryPool pool_;
  std::vector<Record> calls_;
  int64_t calls_to_failure_ = 0;  // 0: none is planned
  ErrorKind failure_kind_ = ErrorKind::kOutOfMemory;
};

}  // namespace tern
