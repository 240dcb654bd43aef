// SPDX-License-Identifier: MIT
#include "tern/core/context.h"

#include "tern/base/check.h"
#include "tern/base/error.h"

namespace tern {

Context::Context(ContextOptions options)
    : threads_(options.threads, options.cpus), log_(std::move(options.log)) {}

Context::~Context() = default;

void Context::AddBackend(std::unique_ptr<Backend> backend) {
  TERN_CHECK(backend != nullptr);
  backends_.push_back(std::move(backend));
}

Backend& Context::backend(Device device) const {
  for (const auto& backend : backends_) {
    if (backend->device() == device) return *backend;
  }
  Fail(ErrorKind::kUnsupported, "this context has no backend for device {}", DeviceName(device));
}

Backend& Context::default_backend() const {
  TERN_CHECK(!backends_.empty());
  return *backends_.front();
}

void Context::Log(LogLevel level, std::string_view message) const {
  if (log_) log_(level, message);
}

Tensor Context::Empty(const Shape& shape, DType dtype, MemoryTag tag) const {
  Backend& target = default_backend();
  return Tensor::Empty(target.pool(), shape, dtype, tag, target.device());
}

Tensor Context::EmptyLike(const Tensor& like, const Shape& shape, DType dtype) const {
  Backend& target = backend(like.device());
  return Tensor::Empty(target.pool(), shape, dtype, MemoryTag::kTensor, target.device());
}

void Context::Run(const OpCall& call) {
  TERN_CHECK(!call.inputs.empty() || !call.outputs.empty());
  const Tensor& first = call.inputs.empty() ? *call.outputs.front() : *call.inputs.front();
  TERN_CHECK(first.defined());
  Backend& target = backend(first.device());
  for (const auto operands : {call.inputs, call.outputs}) {
    for (const Tensor* operand : operands) {
      if (operand->defined() && !(operand->device() == first.device())) {
        Fail(ErrorKind::kInvalidArgument, "{}: operands live on {} and {}", OpName(call.op),
             DeviceName(first.device()), DeviceName(operand->device()));
      }
    }
  }
  if (!target.Supports(call)) {
    std::string operands;
    for (const Tensor* input : call.inputs) {
      if (!input->defined()) continue;
      operands += operands.empty() ? "" : ", ";
      operands += DTypeName(input->dtype()) + input->shape().ToString();
    }
    Fail(ErrorKind::kUnsupported, "backend {} does not support {}({})", target.name(),
         OpName(call.op), operands);
  }
  target.Run(*this, call);
}

}  // namespace tern
