// SPDX-License-Identifier: MIT
#include "tern/autograd/tape.h"

#include <utility>

#include "tern/base/check.h"
#include "tern/base/error.h"

namespace tern {

const Tensor& GradientPass::OutputGradient(int i) const {
  const Tape::Node& node = tape_.nodes_[node_];
  TERN_CHECK(i >= 0 && i < node.output_count);
  return tape_.variables_[node.outputs[i]].gradient;
}

bool GradientPass::Needs(int i) const {
  const Tape::Node& node = tape_.nodes_[node_];
  TERN_CHECK(i >= 0 && i < node.input_count);
  return node.inputs[i] >= 0;
}

void GradientPass::Add(int i, Tensor gradient) {
  if (Needs(i)) tape_.Accumulate(tape_.nodes_[node_].inputs[i], std::move(gradient));
}

Tape::Tape(Context& ctx)
    : ctx_(ctx),
      variables_(PoolAllocator<Variable>(&ctx.pool(), MemoryTag::kTape)),
      nodes_(PoolAllocator<Node>(&ctx.pool(), MemoryTag::kTape)) {}

Tape::~Tape() { Clear(); }

int32_t Tape::AddVariable(const Tensor& like) {
  variables_.push_back({.gradient = {}, .shape = like.shape(), .dtype = like.dtype()});
  return static_cast<int32_t>(variables_.size()) - 1;
}

int32_t Tape::VariableOf(const Tensor& linked) const {
  const TapeLink link = linked.link();
  TERN_CHECK(link.tape == this);
  TERN_CHECK(static_cast<size_t>(link.variable) < leaves_ || link.pass == pass_);
  return link.variable;
}

Tensor Tape::Watch(const Tensor& leaf) {
  TERN_CHECK(leaf.defined() && leaf.link().tape == nullptr);
  TERN_CHECK(leaf.dtype() == DType::kF32 || leaf.dtype() == DType::kF64);
  TERN_CHECK(nodes_.empty());
  Tensor linked = leaf;
  linked.set_link({this, AddVariable(leaf), pass_});
  leaves_ = variables_.size();
  return linked;
}

void Tape::AddNode(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs,
                   Closure closure) {
  TERN_CHECK(inputs.size() <= kMaxOperands && outputs.size() <= kMaxOperands);
  Node node = {};
  node.closure = closure;
  for (const Tensor* input : inputs) {
    node.inputs[node.input_count++] = input->link().tape == this ? VariableOf(*input) : -1;
  }
  for (Tensor* output : outputs) {
    const int32_t variable = AddVariable(*output);
    output->set_link({this, variable, pass_});
    node.outputs[node.output_count++] = variable;
  }
  nodes_.push_back(node);
}

// The first gradient of a variable is kept as it is, since most have one alone; a leaf's is made
// its own. Adding in place is safe only if no other handle sees the elements and none of them
// stands for several (a broadcast).
void Tape::Accumulate(int32_t index, Tensor gradient) {
  Variable& variable = variables_[index];
  TERN_CHECK(gradient.shape() == variable.shape && gradient.dtype() == variable.dtype);
  const bool is_leaf = static_cast<size_t>(index) < leaves_;
  if (!variable.gradient.defined()) {
    if (!gradient.is_contiguous() || (is_leaf && !gradient.unique())) {
      Tensor own = ctx_.EmptyLike(gradient, gradient.shape(), gradient.dtype());
      const Tensor* in[] = {&gradient};
      const Tensor* out[] = {&own};
      ctx_.Run({.op = Op::kCopy, .inputs = in, .outputs = out});
      gradient = std::move(own);
    }
    variable.gradient = std::move(gradient);
    return;
  }
  Tensor sum = variable.gradient;
  const bool in_place = variable.gradient.use_count() == 2 && variable.gradient.is_contiguous();
  if (!in_place) sum = ctx_.EmptyLike(gradient, gradient.shape(), gradient.dtype());
  const Tensor* in[] = {&variable.gradient, &gradient};
  const Tensor* out[] = {&sum};
  ctx_.Run({.op = Op::kAdd, .inputs = in, .outputs = out});
  variable.gradient = std::move(sum);
}

bool Tape::NodeHasGradient(const Node& node) const {
  for (int i = 0; i < node.output_count; ++i) {
    if (variables_[node.outputs[i]].gradient.defined()) return true;
  }
  return false;
}

void Tape::DestroyClosure(Node& node) noexcept {
  if (node.closure.object == nullptr) return;
  node.closure.destroy(node.closure.object);
  ctx_.pool().Release(node.closure.object);
  node.closure.object = nullptr;
}

void Tape::RunNode(int32_t index) {
  if (NodeHasGradient(nodes_[index])) {
    GradientPass pass(ctx_, *this, index);
    nodes_[index].closure.call(nodes_[index].closure.object, pass);
  }
  Node& node = nodes_[index];
  DestroyClosure(node);
  for (int i = 0; i < node.output_count; ++i) variables_[node.outputs[i]].gradient = {};
}

void Tape::Backward(const Tensor& output, const Tensor& output_gradient) {
  const int32_t variable = VariableOf(output);
  Tensor seed = output_gradient;
  if (!seed.defined()) {
    if (output.elements() != 1) {
      Fail(ErrorKind::kInvalidArgument,
           "a gradient needs a loss of one element or the output's gradient; the output is {}",
           output.shape().ToString());
    }
    seed = ctx_.EmptyLike(output, output.shape(), output.dtype());
    const Tensor* out[] = {&seed};
    ctx_.Run({.op = Op::kFill, .outputs = out, .attrs = ScalarAttrs{1.0}});
  }
  Accumulate(variable, std::move(seed));
  for (int32_t i = static_cast<int32_t>(nodes_.size()) - 1; i >= 0; --i) RunNode(i);
  Clear();
}

void Tape::Clear() {
  for (Node& node : nodes_) DestroyClosure(node);
  nodes_.clear();
  variables_.erase(variables_.begin() + static_cast<int64_t>(leaves_), variables_.end());
  ++pass_;
}

const Tensor& Tape::Gradient(const Tensor& leaf) const {
  TERN_CHECK(leaf.link().tape == this && static_cast<size_t>(leaf.link().variable) < leaves_);
  return variables_[leaf.link().variable].gradient;
}

void Tape::SetGradient(const Tensor& leaf, Tensor gradient) {
  TERN_CHECK(leaf.link().tape == this && static_cast<size_t>(leaf.link().variable) < leaves_);
  Variable& variable = variables_[leaf.link().variable];
  TERN_CHECK(gradient.shape() == variable.shape && gradient.dtype() == variable.dtype);
  variable.gradient = std::move(gradient);
}

void Tape::ZeroGradients() {
  for (size_t i = 0; i < leaves_; ++i) variables_[i].gradient = {};
}

Tape* LinkedTape(std::span<const Tensor* const> tensors) {
  Tape* found = nullptr;
  for (const Tensor* tensor : tensors) {
    Tape* tape = tensor->link().tape;
    TERN_CHECK(found == nullptr || tape == nullptr || tape == found);
    if (tape != nullptr) found = tape;
  }
  return found;
}

}  // namespace tern
