// SPDX-License-Identifier: MIT
#include "tern/backends/mock/mock_backend.h"

#include <cstring>

#include "tern/base/check.h"

namespace tern {
namespace {

MockBackend::Operand Describe(const Tensor& tensor) { return {tensor.dtype(), tensor.shape()}; }

MockBackend::Record Describe(const OpCall& call) {
  MockBackend::Record record = {.op = call.op, .inputs = {}, .outputs = {}, .attrs = call.attrs};
  for (const Tensor* input : call.inputs) {
    record.inputs.push_back(input->defined() ? std::optional(Describe(*input)) : std::nullopt);
  }
  for (const Tensor* output : call.outputs) record.outputs.push_back(Describe(*output));
  return record;
}

std::string Text(const MockBackend::Operand& operand) {
  return DTypeName(operand.dtype) + operand.shape.ToString();
}

// The elements of the view alone: what lies between them belongs to others.
void FillBytes(const Tensor& tensor, int axis, std::byte* first, uint8_t byte) {
  const size_t element_bytes = ElementBytes(tensor.dtype());
  if (axis == tensor.rank()) {
    std::memset(first, byte, element_bytes);
    return;
  }
  const int64_t step = tensor.stride(axis) * static_cast<int64_t>(element_bytes);
  for (int64_t i = 0; i < tensor.dim(axis); ++i) {
    FillBytes(tensor, axis + 1, first + i * step, byte);
  }
}

}  // namespace

std::string MockBackend::Record::ToString() const {
  std::string text = OpName(op);
  text += '(';
  for (size_t i = 0; i < inputs.size(); ++i) {
    text += i == 0 ? "" : ", ";
    text += inputs[i] ? Text(*inputs[i]) : "-";
  }
  text += ") ->";
  for (size_t i = 0; i < outputs.size(); ++i) text += (i == 0 ? " " : ", ") + Text(outputs[i]);
  return text;
}

void MockBackend::FailCall(int64_t n, ErrorKind kind) {
  TERN_CHECK(n >= 1);
  calls_to_failure_ = n;
  failure_kind_ = kind;
}

void MockBackend::Run(Context&, const OpCall& call) {
  TERN_CHECK(Supports(call));
  calls_.push_back(Describe(call));
  if (calls_to_failure_ > 0 && --calls_to_failure_ == 0) {
    Fail(failure_kind_, "{}: the mock backend was told to fail here", calls_.back().ToString());
  }
  if (options_.compute) {
    options_.compute(call);
    return;
  }
  for (const Tensor* output : call.outputs) {
    FillBytes(*output, 0, static_cast<std::byte*>(output->raw()), options_.fill);
  }
}

}  // namespace tern
